//! A node in QEMU, and the pair of wires to it, on which things go wrong when a test says so.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use super::mosquitto::free_port;
use super::{PATIENCE, command, start, workspace};

/// What happens to what passes the wires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Wires {
    Sound,
    /// A bit of every answer is turned.
    Garbled,
    /// Three bytes of every question arrive.
    Cut,
}

/// A node, and where a gateway finds it.
pub(crate) struct Emulated {
    pub(crate) place: String,
    wires: Arc<AtomicU8>,
    machine: BufReader<TcpStream>,
    _process: Child,
}

/// The emulator, where `cargo xtask arm` or the system has it.
fn qemu() -> Option<PathBuf> {
    let ours = std::env::var_os("GATEHOUSE_ARM")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/gatehouse/arm")))?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(ours)
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join("qemu-system-arm"))
        .find(|program| program.is_file())
}

/// The image that `cargo xtask firmware` has built beside the tests.
fn image(name: &str) -> Option<PathBuf> {
    let tests = std::env::current_exe().ok()?;
    let target = tests.ancestors().nth(3)?;
    let image = format!("firmware/board-lm3s/thumbv7m-none-eabi/release/{name}");
    Some(target.join(image)).filter(|image| image.is_file())
}

impl Emulated {
    /// `None`, with a word, where there is no emulator or no image.
    pub(crate) async fn start(name: &str) -> Option<Self> {
        let (Some(qemu), Some(image)) = (qemu(), image(name)) else {
            eprintln!(
                "skipped: no emulated node; `cargo xtask arm` and `cargo xtask firmware` make one"
            );
            return None;
        };
        let (serial, monitor) = (free_port(), free_port());
        let process = start(
            command(qemu)
                .args(["-M", "lm3s6965evb", "-display", "none", "-monitor", "none"])
                .args(["-serial", &format!("tcp:127.0.0.1:{serial},server=on,wait=off")])
                .args(["-qmp", &format!("tcp:127.0.0.1:{monitor},server=on,wait=off")])
                .arg("-kernel")
                .arg(image)
                .current_dir(workspace())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        );
        let machine = BufReader::new(reach(monitor).await);
        let node = reach(serial).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let wires = Arc::new(AtomicU8::new(Wires::Sound as u8));
        tokio::spawn(relay(listener, node, Arc::clone(&wires)));
        let mut emulated = Self { place, wires, machine, _process: process };
        emulated.line().await; // it greets
        emulated.tell("qmp_capabilities").await;
        Some(emulated)
    }

    pub(crate) fn wires(&self, wires: Wires) {
        self.wires.store(wires as u8, Ordering::SeqCst);
    }

    /// Presses the reset button.
    pub(crate) async fn reset(&mut self) {
        self.tell("system_reset").await;
    }

    /// Nothing of the node moves any more.
    pub(crate) async fn hang(&mut self) {
        self.tell("stop").await;
    }

    pub(crate) async fn go_on(&mut self) {
        self.tell("cont").await;
    }

    /// The main loop goes round and round in one place; interrupts are served as ever.
    pub(crate) async fn jam(&mut self) {
        // `nop; b` back to it: where the board hangs when it must.
        const ROUND: [u8; 4] = [0x00, 0xBF, 0xFD, 0xE7];
        let flash = self.memory(0, 64 * 1_024).await;
        let place = flash.windows(4).position(|code| code == ROUND).expect("the image has one");
        let port = free_port();
        self.order(&format!("gdbserver tcp:127.0.0.1:{port}")).await;
        let mut debugger = Debugger(BufReader::new(reach(port).await));
        timeout(PATIENCE, debugger.lead(place)).await.expect("the main loop comes round");
    }

    /// The most that the stack has held since the start, in bytes: above what is still as it was painted.
    pub(crate) async fn stack(&mut self) -> usize {
        const RAM: usize = 16 * 1_024;
        let memory = self.memory(0x2000_0000, RAM).await;
        let is_painted = |word: &[u8]| word == [0xCC; 4];
        let last = memory.chunks(4).rposition(is_painted).expect("somebody has painted it");
        RAM - 4 * (last + 1)
    }

    async fn memory(&mut self, from: usize, size: usize) -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().display();
        self.order(&format!("pmemsave {from} {size} \\\"{path}\\\"")).await;
        let memory = std::fs::read(file.path()).unwrap();
        assert_eq!(memory.len(), size);
        memory
    }

    /// A line for QEMU's monitor.
    async fn order(&mut self, line: &str) {
        let arguments = format!(", \"arguments\": {{\"command-line\": \"{line}\"}}");
        self.execute("human-monitor-command", &arguments).await;
    }

    async fn tell(&mut self, what: &str) {
        self.execute(what, "").await;
    }

    /// QEMU's machine protocol: one JSON object a line; events come in between.
    async fn execute(&mut self, what: &str, arguments: &str) {
        let text = format!("{{\"execute\": \"{what}\"{arguments}}}\n");
        self.machine.get_mut().write_all(text.as_bytes()).await.unwrap();
        while !self.line().await.contains("\"return\"") {}
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        timeout(PATIENCE, self.machine.read_line(&mut line)).await.unwrap().unwrap();
        line
    }
}

/// The remote protocol of GDB: `$text#sum`, each acknowledged with `+`.
struct Debugger(BufReader<TcpStream>);

impl Debugger {
    /// Has the main loop go on at that place, once no interrupt is being served.
    async fn lead(&mut self, place: usize) {
        loop {
            let mut registers = self.say("g", |answer| answer.len() > 128).await;
            let status = &registers[registers.len() - 8..];
            let status = u32::from_str_radix(status, 16).unwrap().swap_bytes();
            // The part of it that names an interrupt: 0 is the main loop.
            if status % 0x200 == 0 {
                // The sixteenth is the program counter.
                let place = u32::try_from(place).unwrap().swap_bytes();
                registers.replace_range(120..128, &format!("{place:08x}"));
                self.say(&format!("G{registers}"), |answer| answer == "OK").await;
                self.say("D", |answer| answer == "OK").await;
                return;
            }
            self.say("s", |answer| answer.starts_with('T')).await;
        }
    }

    /// Returns the first answer that is one; others tell that the machine has stopped.
    async fn say(&mut self, text: &str, is_answer: impl Fn(&str) -> bool) -> String {
        let sum = text.bytes().fold(0_u8, u8::wrapping_add);
        let packet = format!("+${text}#{sum:02x}");
        self.0.get_mut().write_all(packet.as_bytes()).await.unwrap();
        loop {
            let mut answer = Vec::new();
            self.0.read_until(b'#', &mut answer).await.unwrap();
            self.0.read_exact(&mut [0; 2]).await.unwrap();
            let answer = String::from_utf8(answer).unwrap();
            let (_, answer) = answer.trim_end_matches('#').rsplit_once('$').unwrap();
            if is_answer(answer) {
                return answer.to_owned();
            }
        }
    }
}

async fn reach(port: u16) -> TcpStream {
    let reached = async {
        loop {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await {
                return stream;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, reached).await.expect("the emulator does not start")
}

/// One gateway at a time, and the same wires to the node throughout.
async fn relay(listener: TcpListener, node: TcpStream, wires: Arc<AtomicU8>) {
    let (from_node, to_node) = node.into_split();
    let (answers, heard) = mpsc::channel(64);
    tokio::spawn(listen(from_node, answers));
    let heard = Arc::new(Mutex::new(heard));
    let to_node = Arc::new(Mutex::new(to_node));
    let mut present: Option<tokio::task::JoinHandle<()>> = None;
    while let Ok((gateway, _)) = listener.accept().await {
        if let Some(before) = present.take() {
            before.abort();
        }
        let (asked, answered) = gateway.into_split();
        let (heard, to_node) = (Arc::clone(&heard), Arc::clone(&to_node));
        let wires = Arc::clone(&wires);
        present = Some(tokio::spawn(async move {
            tokio::join!(ask(asked, to_node, &wires), answer(answered, heard, &wires));
        }));
    }
}

async fn listen(mut from_node: OwnedReadHalf, answers: mpsc::Sender<Vec<u8>>) {
    let mut bytes = [0; 512];
    while let Ok(many @ 1..) = from_node.read(&mut bytes).await {
        if answers.send(bytes[..many].to_vec()).await.is_err() {
            return;
        }
    }
}

async fn ask(mut asked: OwnedReadHalf, to_node: Arc<Mutex<OwnedWriteHalf>>, wires: &AtomicU8) {
    let mut bytes = [0; 512];
    while let Ok(many @ 1..) = asked.read(&mut bytes).await {
        let is_cut = wires.load(Ordering::SeqCst) == Wires::Cut as u8;
        let passes = if is_cut { many.min(3) } else { many };
        if to_node.lock().await.write_all(&bytes[..passes]).await.is_err() {
            return;
        }
    }
}

async fn answer(
    mut answered: OwnedWriteHalf,
    heard: Arc<Mutex<mpsc::Receiver<Vec<u8>>>>,
    wires: &AtomicU8,
) {
    let mut heard = heard.lock().await;
    while let Some(mut bytes) = heard.recv().await {
        if wires.load(Ordering::SeqCst) == Wires::Garbled as u8 {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x10;
        }
        if answered.write_all(&bytes).await.is_err() {
            return;
        }
    }
}
