//! The wire of one line: Modbus TCP, Modbus RTU over TCP, or Modbus RTU on a serial port.
//!
//! The one danger here is an answer that comes late and is taken for the answer to the next
//! question. Only Modbus TCP numbers its questions; an RTU answer names nothing but the slave and the
//! function. So, in this order:
//!
//! 1. every question runs to its own timeout and is never given up half way,
//! 2. after any failure the connection is dropped, the port emptied, and the line left in peace for
//!    as long as the answer may have taken,
//! 3. whatever came in while nobody had asked is thrown away before the next question leaves,
//! 4. on RTU, a slave that owes an answer is first asked the same question again; what it then says
//!    may be either answer and only proves that it lives. The other one has the time of a further
//!    timeout to arrive and be thrown away,
//! 5. an answer must have the length that was asked for.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use gatehouse_core::community::device_type::Function;
use gatehouse_core::decode::order::Order;
use gatehouse_core::reading::WireFault;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_modbus::bytes::Bytes;
use tokio_modbus::client::{self, Client};
use tokio_modbus::{Response, Slave};
use tokio_serial::{ClearBuffer, SerialPort, SerialStream};

use super::fresh::Fresh;
use super::pdu;
use super::plan::Request;
use super::probe::{Answer, Probe, Question, Told};
use crate::config::{LineConfig, Parity};
use crate::pace::Pace;

/// A host that is there answers within a retransmission or two.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Modbus over serial line V1.02, section 2.5.1.1: 1.75 ms instead of 3.5 characters above 19200 baud.
const LEAST_GAP: Duration = Duration::from_micros(1_750);
/// No slave and no wire needs longer; a config that says so would stop the line.
const LONGEST_TIMEOUT: Duration = Duration::from_mins(1);

/// What the poller needs of a wire. One question at a time, each within the wire's own time limits.
pub(super) trait Line {
    /// Opens the wire unless it is open.
    async fn open(&mut self) -> io::Result<()>;

    /// Asks a slave. After a fault other than an exception the wire wants to be opened again.
    async fn read(&mut self, unit: u8, request: Request) -> Result<Vec<u16>, WireFault>;

    /// The same for a question that is no poll.
    async fn probe(&mut self, probe: Probe) -> Answer;

    /// Writes to a slave, once. After a timeout nobody knows whether it has taken it.
    async fn write(&mut self, unit: u8, order: &Order) -> Result<(), WireFault>;
}

/// A [`Line`] over a real wire.
pub(super) struct Wire {
    config: LineConfig,
    client: Option<Box<dyn Client>>,
    /// No question before this time.
    quiet_until: Instant,
    /// The last question that each slave has left unanswered; RTU only.
    owed: BTreeMap<u8, Request>,
    pace: Pace,
}

impl Wire {
    /// A timeout or gap of over a minute is taken for a minute.
    pub(super) fn new(mut config: LineConfig, pace: Pace) -> Self {
        config.timeout.0 = config.timeout.0.min(LONGEST_TIMEOUT);
        if let Some(gap) = &mut config.gap {
            gap.0 = gap.0.min(LONGEST_TIMEOUT);
        }
        Self { config, client: None, quiet_until: Instant::now(), owed: BTreeMap::new(), pace }
    }

    /// How long a question can hold up the line when nothing comes back, or only what was owed.
    pub(super) fn cost(&self, request: Request) -> Duration {
        if self.is_numbered() {
            self.patience(request)
        } else {
            self.patience(request) + self.config.timeout.0
        }
    }

    /// Whether answers carry the number of their question.
    fn is_numbered(&self) -> bool {
        self.config.tcp.is_some()
    }

    /// The slave's time to answer, and the wire's time for question and answer.
    fn patience(&self, request: Request) -> Duration {
        if self.config.serial.is_none() {
            return self.config.timeout.0;
        }
        let payload = match request.function {
            Function::Coil | Function::Discrete => u32::from(request.count).div_ceil(8),
            Function::Holding | Function::Input => 2 * u32::from(request.count),
        };
        // 8 bytes there, 5 around the payload back.
        self.config.timeout.0 + self.character() * (8 + 5 + payload)
    }

    /// How long one character takes: start bit, 8 data bits, parity, stop bits.
    fn character(&self) -> Duration {
        let parity = u32::from(self.config.parity != Parity::None);
        let bits = 1 + 8 + parity + u32::from(self.config.stop_bits);
        Duration::from_secs(1) * bits / self.config.baud.max(1)
    }

    /// The silence that parts two frames.
    fn gap(&self) -> Duration {
        let needed = if self.config.serial.is_some() {
            (self.character() * 7 / 2).max(LEAST_GAP)
        } else {
            Duration::ZERO
        };
        self.config.gap.map_or(needed, |gap| gap.0.max(needed))
    }

    async fn connect(&mut self) -> io::Result<Box<dyn Client>> {
        let slave = Slave(0); // set before every question
        let context = if let Some(address) = &self.config.tcp {
            client::tcp::attach_slave(Fresh(dial(address).await?), slave)
        } else if let Some(address) = &self.config.rtu_over_tcp {
            client::rtu::attach_slave(Fresh(dial(address).await?), slave)
        } else {
            client::rtu::attach_slave(Fresh(self.open_port().await?), slave)
        };
        Ok(context.into())
    }

    async fn open_port(&mut self) -> io::Result<SerialStream> {
        let Some(path) = &self.config.serial else {
            return Err(io::Error::other(
                "the line names neither `tcp`, `rtu-over-tcp` nor `serial`",
            ));
        };
        let builder = tokio_serial::new(path.to_string_lossy(), self.config.baud)
            .data_bits(tokio_serial::DataBits::Eight)
            .parity(match self.config.parity {
                Parity::None => tokio_serial::Parity::None,
                Parity::Even => tokio_serial::Parity::Even,
                Parity::Odd => tokio_serial::Parity::Odd,
            })
            .stop_bits(if self.config.stop_bits == 2 {
                tokio_serial::StopBits::Two
            } else {
                tokio_serial::StopBits::One
            })
            .flow_control(tokio_serial::FlowControl::None);
        // Some USB adapters take their time to open.
        tokio::task::spawn_blocking(move || {
            let port = SerialStream::open(&builder)?;
            port.clear(ClearBuffer::All)?;
            Ok(port)
        })
        .await?
    }

    /// Asks without regard to what is owed.
    async fn ask(&mut self, unit: u8, request: Request) -> Result<Vec<u16>, WireFault> {
        let patience = self.patience(request);
        self.call(unit, pdu::question(request), patience, |response| pdu::words(response, request))
            .await
    }

    /// Puts a question; `take` makes sense of the answer.
    async fn call<T>(
        &mut self,
        unit: u8,
        question: tokio_modbus::Request<'static>,
        patience: Duration,
        take: impl FnOnce(Response) -> Option<T>,
    ) -> Result<T, WireFault> {
        if Instant::now() < self.quiet_until {
            tokio::time::sleep_until(self.quiet_until).await;
        }
        let gap = self.gap();
        let Some(client) = &mut self.client else { return Err(WireFault::Disconnected) };
        client.set_slave(Slave(unit));

        let _awake = self.pace.question();
        let asked = Instant::now();
        let answer = match tokio::time::timeout(patience, client.call(question)).await {
            Err(_elapsed) => Err(WireFault::Timeout),
            Ok(Ok(Ok(response))) => take(response).ok_or(WireFault::Garbled),
            Ok(Ok(Err(exception))) => Err(WireFault::Exception(exception.into())),
            Ok(Err(tokio_modbus::Error::Protocol(_))) => Err(WireFault::Garbled),
            Ok(Err(tokio_modbus::Error::Transport(error))) => Err(fault(&error)),
        };

        self.quiet_until = Instant::now() + gap;
        if matches!(answer, Err(WireFault::Timeout | WireFault::Garbled | WireFault::Disconnected))
        {
            self.client = None;
            if !self.is_numbered() {
                self.quiet_until = self.quiet_until.max(asked + patience + gap);
            }
        }
        answer
    }

    /// Has a slave that owes an answer say something first.
    async fn settle(&mut self, unit: u8) -> Result<(), WireFault> {
        let Some(owed) = self.owed.get(&unit).copied() else { return Ok(()) };
        match self.ask(unit, owed).await {
            Ok(_) | Err(WireFault::Exception(_)) => {
                self.owed.remove(&unit);
                self.quiet_until = Instant::now() + self.config.timeout.0;
                Ok(())
            }
            // Something came, and the line is left in peace for as long as the rest may take. A
            // question that is always answered badly must not keep the others from being asked.
            Err(WireFault::Garbled) => {
                self.owed.remove(&unit);
                self.open().await.map_err(|_gone| WireFault::Disconnected)
            }
            Err(fault) => Err(fault),
        }
    }
}

impl Line for Wire {
    async fn open(&mut self) -> io::Result<()> {
        if self.client.is_none() {
            self.client = Some(self.connect().await?);
        }
        Ok(())
    }

    async fn read(&mut self, unit: u8, request: Request) -> Result<Vec<u16>, WireFault> {
        self.settle(unit).await?;
        let answer = self.ask(unit, request).await;
        // What was garbled may have been another slave's late answer, and this one's is yet to come.
        let is_open = matches!(answer, Err(WireFault::Timeout | WireFault::Garbled));
        if is_open && !self.is_numbered() {
            self.owed.insert(unit, request);
        }
        answer
    }

    async fn write(&mut self, unit: u8, order: &Order) -> Result<(), WireFault> {
        self.settle(unit).await?;
        let Some((question, expected)) = pdu::telling(order) else {
            return Err(WireFault::Exception(pdu::ILLEGAL_FUNCTION));
        };
        // As long as the longest of them: two registers and their addresses, and the echo.
        let longest = Request { function: Function::Holding, start: 0, count: 8 };
        let patience = self.patience(longest);
        self.call(unit, question, patience, |answer| (answer == expected).then_some(())).await
    }

    async fn probe(&mut self, Probe { unit, question }: Probe) -> Answer {
        let question = match question {
            Question::Read { function, start, count } => {
                return self.read(unit, Request { function, start, count }).await.map(Told::Words);
            }
            // The crate does not show the type that this question is made with, so it is read from bytes.
            Question::Identity => Bytes::from_static(&pdu::READ_IDENTITY)
                .try_into()
                .map_err(|_malformed| WireFault::Garbled)?,
            Question::ServerId => tokio_modbus::Request::ReportServerId,
        };
        // An answer that comes late is of a function that nobody else asks for, and is refused.
        let longest = Request { function: Function::Holding, start: 0, count: 125 };
        self.call(unit, question, self.patience(longest), pdu::said_of_itself).await
    }
}

async fn dial(address: &str) -> io::Result<TcpStream> {
    let stream =
        tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await.map_err(
            |_elapsed| io::Error::new(io::ErrorKind::TimedOut, "no connection within 3 s"),
        )??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Whether an error came out of bytes that make no sense or of a wire that is gone.
fn fault(error: &io::Error) -> WireFault {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
            WireFault::Garbled
        }
        _ => WireFault::Disconnected,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const REQUEST: Request = Request { function: Function::Holding, start: 0, count: 2 };

    #[tokio::test]
    async fn only_an_answer_to_this_very_question_is_a_value() {
        // After transaction, protocol and length: unit, function, byte count, words.
        let cases: [(&str, &[u8], _); 9] = [
            ("as asked", &[1, 3, 4, 0, 7, 0, 8], Ok(vec![7, 8])),
            ("a register short", &[1, 3, 2, 0, 7], Err(WireFault::Garbled)),
            ("a register too many", &[1, 3, 6, 0, 7, 0, 8, 0, 9], Err(WireFault::Garbled)),
            ("bytes short", &[1, 3, 4, 0, 7], Err(WireFault::Garbled)),
            ("an odd count", &[1, 3, 3, 0, 7, 0], Err(WireFault::Garbled)),
            ("another table", &[1, 4, 4, 0, 7, 0, 8], Err(WireFault::Garbled)),
            ("another unit", &[2, 3, 4, 0, 7, 0, 8], Err(WireFault::Garbled)),
            ("nothing but a unit", &[1], Err(WireFault::Garbled)),
            ("an exception", &[1, 0x83, 6], Err(WireFault::Exception(6))),
        ];

        for (why, pdu, expected) in cases {
            let length = u8::try_from(pdu.len()).unwrap();
            let answer = [&[0, 0, 0, 0, 0, length], pdu].concat();

            assert_eq!(ask("tcp", 12, answer).await, expected, "{why}");
        }
    }

    #[tokio::test]
    async fn noise_on_a_line_is_a_fault_and_not_a_panic() {
        for noise in
            [vec![0xFF; 40], vec![1, 3], (0..=255).collect(), vec![1, 3, 4, 0, 7, 0, 8, 0, 0]]
        {
            let answer = ask("rtu-over-tcp", 8, noise).await;

            assert!(
                matches!(answer, Err(WireFault::Garbled | WireFault::Timeout)),
                "{answer:?} is a value out of noise"
            );
        }
    }

    #[test]
    fn bits_come_in_whole_bytes_and_leave_as_many_as_were_asked_for() {
        let request = |count| Request { function: Function::Coil, start: 0, count };
        let bits = |count| Response::ReadCoils(vec![true; count]);

        assert_eq!(pdu::words(bits(16), request(9)), Some(vec![1; 9]));
        assert_eq!(pdu::words(bits(8), request(9)), None);
        assert_eq!(pdu::words(bits(16), request(8)), None);
    }

    #[test]
    fn a_slow_wire_is_given_the_time_that_the_characters_take() {
        let wire = |settings: &str| {
            let config = format!("id = 'test'\ntimeout = '500 ms'\n{settings}");
            Wire::new(toml::from_str(&config).unwrap(), Pace::default())
        };
        let request = Request { function: Function::Input, start: 0, count: 125 };

        let slow = wire("serial = '/dev/null'\nbaud = 1200");
        // 11 bits a character: 263 of them, and 3.5.
        assert_eq!(slow.patience(request).as_millis(), 500 + 263 * 11 * 1_000 / 1_200);
        assert_eq!(slow.gap().as_millis(), 32);
        let fast = wire("serial = '/dev/null'\nbaud = 115200\nparity = 'none'");
        assert_eq!(fast.gap(), LEAST_GAP);
        let declared = wire("serial = '/dev/null'\ngap = '20 ms'");
        assert_eq!(declared.gap(), Duration::from_millis(20));
        let network = wire("tcp = '127.0.0.1:502'");
        assert_eq!((network.patience(request).as_millis(), network.gap().as_millis()), (500, 0));
    }

    /// What is made of an answer that a peer gives to a question of so many bytes.
    async fn ask(wire: &str, question: usize, answer: Vec<u8>) -> Result<Vec<u16>, WireFault> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let peer = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_exact(&mut vec![0; question]).await.unwrap();
            stream.write_all(&answer).await.unwrap();
            stream.read_to_end(&mut Vec::new()).await.ok();
        });
        let config = format!("id = 'test'\n{wire} = '{address}'\ntimeout = '250 ms'");
        let mut line = Wire::new(toml::from_str(&config).unwrap(), Pace::default());
        line.open().await.unwrap();

        let answer = line.read(1, REQUEST).await;

        let is_open = matches!(answer, Err(WireFault::Timeout | WireFault::Garbled));
        assert_eq!(line.owed.contains_key(&1), is_open && !line.is_numbered());
        drop(line);
        peer.await.unwrap();
        answer
    }
}
