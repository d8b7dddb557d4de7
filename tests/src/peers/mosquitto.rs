//! Debian's mosquitto, on a port of its own and in a folder that goes with it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use tokio::sync::mpsc;

use super::{PATIENCE, workspace};

/// A broker that runs until it is dropped.
pub(crate) struct Mosquitto {
    port: u16,
    folder: tempfile::TempDir,
    child: Child,
}

impl Mosquitto {
    /// For whoever comes, with sessions that are kept for as long as the broker lives.
    pub(crate) fn plain() -> Self {
        let plain = |port: u16, _: &std::path::Path| {
            format!(
                "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n\
                 set_tcp_nodelay true\nmax_inflight_messages 512\nmax_queued_messages 100000\n"
            )
        };
        Self::start(plain)
    }

    /// The shipped deploy/mosquitto.conf, with these certificates and users (each with a password).
    /// Only paths and the port are other ones.
    pub(crate) fn shipped(certificate: (&Path, &Path), users: &[(&str, &str)]) -> Self {
        Self::start(|port, folder| {
            let passwords = folder.join("passwords");
            std::fs::File::create(&passwords).unwrap();
            for (user, password) in users {
                let mut command = Command::new("mosquitto_passwd");
                command.arg("-b").arg(&passwords).args([user, password]);
                let done = command.status().unwrap_or_else(|error| {
                    panic!("`mosquitto_passwd` cannot be started ({error}): run cargo xtask test")
                });
                assert!(done.success());
            }
            let deploy = workspace().join("deploy");
            let text = std::fs::read_to_string(deploy.join("mosquitto.conf")).unwrap();
            let mut moved = 0;
            let mut place = |key: &str, path: &Path| {
                moved += 1;
                format!("{key} {}\n", path.display())
            };
            let lines = text.lines().map(|line| match line.split_once(' ') {
                Some(("listener", _)) => format!("listener {port} 127.0.0.1\n"),
                Some(("certfile", _)) => place("certfile", certificate.0),
                Some(("keyfile", _)) => place("keyfile", certificate.1),
                Some(("password_file", _)) => place("password_file", &passwords),
                Some(("acl_file", _)) => place("acl_file", &deploy.join("mosquitto.acl")),
                Some(("persistence_location", _)) => {
                    format!("persistence_location {}/\n", folder.display())
                }
                Some(("log_dest", _)) => "log_dest none\n".to_owned(),
                Some(_) | None => format!("{line}\n"),
            });
            let text = lines.collect();
            assert_eq!(moved, 4, "the shipped file names four other files");
            text
        })
    }

    /// `configure` writes mosquitto.conf for a port and a folder.
    pub(crate) fn start(configure: impl Fn(u16, &std::path::Path) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let file = folder.path().join("mosquitto.conf");
        // As root mosquitto would become another user, who may not read the folder.
        let text = format!("user root\n{}", configure(port, folder.path()));
        std::fs::write(&file, text).unwrap();
        let child = spawn(&file);
        wait_for(port);
        Self { port, folder, child }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Ends as a power cut would: no word to anybody, nothing saved.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it as a system does: it saves what it has confirmed.
    pub(crate) fn stop(&mut self) {
        let told = std::process::Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(told.unwrap().success());
        self.child.wait().unwrap();
    }

    /// Has it save what it holds, as it does every so often, and tells what it wrote.
    pub(crate) fn save(&mut self) -> Vec<u8> {
        let file = self.folder.path().join("mosquitto.db");
        let written = || std::fs::metadata(&file).and_then(|data| data.modified()).ok();
        let (before, end) = (written(), Instant::now() + PATIENCE);
        let asked = Command::new("kill").args(["-USR1", &self.child.id().to_string()]).status();
        assert!(asked.unwrap().success());
        while written() == before {
            assert!(Instant::now() < end, "mosquitto does not save");
            std::thread::sleep(Duration::from_millis(20));
        }
        std::fs::read(file).unwrap()
    }

    /// Starts anew on the same port with the same files.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(&self.folder.path().join("mosquitto.conf"));
        wait_for(self.port);
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(file: &std::path::Path) -> Child {
    let program = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"]
        .iter()
        .map(PathBuf::from)
        .find(|path| path.is_file())
        .unwrap_or_else(|| "mosquitto".into());
    Command::new(&program)
        .arg("-c")
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("`{}` cannot be started ({error}): run cargo xtask test", program.display())
        })
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn wait_for(port: u16) {
    let end = Instant::now() + PATIENCE;
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < end, "mosquitto does not listen on {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a broker delivers on one topic.
pub(crate) struct Subscriber {
    payloads: mpsc::UnboundedReceiver<Vec<u8>>,
    task: tokio::task::JoinHandle<()>,
}

/// Subscribes at a plain broker.
pub(crate) async fn subscriber(port: u16, topic: &str) -> Subscriber {
    let options = MqttOptions::new("test-platform", "127.0.0.1", port);
    Subscriber::start(options, topic).await
}

impl Subscriber {
    /// Subscribes as `options` say; returns once the broker has agreed.
    pub(crate) async fn start(mut options: MqttOptions, topic: &str) -> Self {
        options.set_max_packet_size(1 << 20, 1 << 20).set_clean_session(false);
        let (client, mut events) = AsyncClient::new(options, 64);
        let (sender, payloads) = mpsc::unbounded_channel();
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        let mut ready = Some(ready);
        let topic = topic.to_owned();
        let task = tokio::spawn(async move {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        client.try_subscribe(topic.clone(), QoS::AtLeastOnce).unwrap();
                    }
                    Ok(Event::Incoming(Packet::SubAck(_))) => {
                        ready.take().map(|ready| ready.send(()));
                    }
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        if sender.send(publish.payload.to_vec()).is_err() {
                            return;
                        }
                    }
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        });
        tokio::time::timeout(PATIENCE, is_ready).await.unwrap().unwrap();
        Self { payloads, task }
    }

    /// The next payload; panics when none comes.
    pub(crate) async fn next(&mut self) -> Vec<u8> {
        tokio::time::timeout(PATIENCE, self.payloads.recv()).await.unwrap().unwrap()
    }

    /// The next payload, if one comes.
    pub(crate) async fn soon(&mut self) -> Option<Vec<u8>> {
        tokio::time::timeout(PATIENCE, self.payloads.recv()).await.ok().flatten()
    }

    /// Everything until nothing has come for so long.
    pub(crate) async fn until_quiet(&mut self, quiet: Duration) -> Vec<Vec<u8>> {
        let mut payloads = Vec::new();
        while let Ok(Some(payload)) = tokio::time::timeout(quiet, self.payloads.recv()).await {
            payloads.push(payload);
        }
        payloads
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.task.abort();
    }
}
