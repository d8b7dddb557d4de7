//! The Modbus devices of the simulated community, behind a Modbus TCP server per line.
//!
//! A device holds the registers that its type declares, `count` of them when it says so; reads
//! beyond them or across a hole are answered with exception 2, as a real device answers. A silent
//! device does not answer at all. One whose anomaly has a `payload` is broken: exception 4.

use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::sync::Arc;

use gatehouse_core::community::device_type::{DeviceType, Function};
use gatehouse_core::decode::encode::{Tables, tables};
use tokio::net::TcpListener;
use tokio_modbus::server::Service;
use tokio_modbus::server::tcp::{Server, accept_tcp_connection};
use tokio_modbus::{ExceptionCode, Request, Response, SlaveRequest};

use super::play::Play;
use super::world::{Saying, Wire};

/// Modbus application protocol V1.1b3, sections 6.1 and 6.3.
const MAX_BITS: u16 = 2_000;
const MAX_REGISTERS: u16 = 125;

/// Answers for all devices of a line until `play.stop`; returns where. Port 0 is any free port.
pub async fn open(play: Play, line: &str, address: SocketAddr) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let line = line.to_owned();
    tokio::spawn(async move {
        if let Err(error) = serve(listener, &line, play).await {
            tracing::error!(line, %error, "a simulated Modbus line ended");
        }
    });
    Ok(address)
}

async fn serve(listener: TcpListener, line: &str, play: Play) -> std::io::Result<()> {
    let units = play.world.units.iter().enumerate();
    let units = units.filter_map(|(position, unit)| match &unit.wire {
        Wire::Modbus { line: on, unit } if on == line => Some((*unit, position)),
        Wire::Modbus { .. } | Wire::Mqtt { .. } | Wire::Camera { .. } => None,
    });
    let line = Arc::new(Line { units: units.collect(), play: play.clone() });

    let server = Server::new(listener);
    let on_connected = |stream: tokio::net::TcpStream, from| {
        let line = Arc::clone(&line);
        async move {
            stream.set_nodelay(true)?;
            accept_tcp_connection(stream, from, move |_| Ok(Some(Arc::clone(&line))))
        }
    };
    let on_error = |error: std::io::Error| tracing::debug!(%error, "a master was cut off");
    // Cancel-safe: whoever is cut off here asks again or sees the end of the simulation.
    tokio::select! {
        () = play.stop.cancelled() => Ok(()),
        ended = server.serve(&on_connected, on_error) => ended,
    }
}

/// The devices that share one address.
struct Line {
    /// Position in the world, by unit id.
    units: BTreeMap<u8, usize>,
    play: Play,
}

impl Service for Line {
    type Request = SlaveRequest<'static>;
    type Response = Option<Response>;
    type Exception = ExceptionCode;
    type Future = Ready<Result<Option<Response>, ExceptionCode>>;

    fn call(&self, request: Self::Request) -> Self::Future {
        let answer = self.answer(&request);
        if let Ok(Some(response)) = &answer {
            self.play.tally.made(bytes(response));
            self.play.tally.confirmed();
        }
        ready(answer)
    }
}

impl Line {
    fn answer(&self, asked: &SlaveRequest) -> Result<Option<Response>, ExceptionCode> {
        let Some(position) = self.units.get(&asked.slave) else { return Ok(None) };
        let unit = &self.play.world.units[*position];
        let values = match self.play.world.ask(unit, self.play.clock.now()) {
            Saying::Nothing => return Ok(None),
            Saying::Payload(_) => return Err(ExceptionCode::ServerDeviceFailure),
            Saying::Values(values) => values.into_iter().map(Some).collect::<Vec<_>>(),
        };
        let registers = Registers {
            device_type: &unit.device_type,
            tables: tables(&unit.device_type, &values),
        };
        let response = match asked.request {
            Request::ReadCoils(from, count) => {
                Response::ReadCoils(registers.bits(Function::Coil, from, count)?)
            }
            Request::ReadDiscreteInputs(from, count) => {
                Response::ReadDiscreteInputs(registers.bits(Function::Discrete, from, count)?)
            }
            Request::ReadHoldingRegisters(from, count) => {
                Response::ReadHoldingRegisters(registers.words(Function::Holding, from, count)?)
            }
            Request::ReadInputRegisters(from, count) => {
                Response::ReadInputRegisters(registers.words(Function::Input, from, count)?)
            }
            _ => return Err(ExceptionCode::IllegalFunction),
        };
        Ok(Some(response))
    }
}

/// What a device holds at one moment.
struct Registers<'a> {
    device_type: &'a DeviceType,
    tables: Tables,
}

impl Registers<'_> {
    fn bits(&self, function: Function, from: u16, count: u16) -> Result<Vec<bool>, ExceptionCode> {
        let words = self.read(function, from, count, MAX_BITS)?;
        Ok(words.into_iter().map(|word| word != 0).collect())
    }

    fn words(&self, function: Function, from: u16, count: u16) -> Result<Vec<u16>, ExceptionCode> {
        self.read(function, from, count, MAX_REGISTERS)
    }

    fn read(
        &self,
        function: Function,
        from: u16,
        count: u16,
        most: u16,
    ) -> Result<Vec<u16>, ExceptionCode> {
        if count == 0 || count > most {
            return Err(ExceptionCode::IllegalDataValue);
        }
        let past = from.checked_add(count - 1).ok_or(ExceptionCode::IllegalDataAddress)?;
        (from..=past)
            .map(|address| self.word(function, address).ok_or(ExceptionCode::IllegalDataAddress))
            .collect()
    }

    /// A declared register that no point reads is there all the same, and zero.
    fn word(&self, function: Function, address: u16) -> Option<u16> {
        if let Some(word) = self.tables.get(&(function, address)) {
            return Some(*word);
        }
        let modbus = self.device_type.modbus.as_ref()?;
        let own = address.checked_sub(modbus.start)?;
        let is_hole = modbus.holes.iter().any(|(first, last)| (*first..=*last).contains(&own));
        let is_there = function == modbus.function && own < self.reach(function) && !is_hole;
        is_there.then_some(0)
    }

    /// How many registers of a table there are: as declared, or as far as points reach.
    fn reach(&self, function: Function) -> u16 {
        let Some(modbus) = &self.device_type.modbus else { return 0 };
        let last = || {
            let of_table = self.tables.keys().filter(|(table, _)| *table == function);
            of_table.map(|(_, address)| address - modbus.start + 1).max().unwrap_or(0)
        };
        modbus.count.unwrap_or_else(last)
    }
}

fn bytes(response: &Response) -> usize {
    match response {
        Response::ReadCoils(bits) | Response::ReadDiscreteInputs(bits) => bits.len().div_ceil(8),
        Response::ReadHoldingRegisters(words) | Response::ReadInputRegisters(words) => {
            words.len() * 2
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio_modbus::client::{Client, Context, Reader};
    use tokio_modbus::prelude::{Slave, SlaveContext};

    use super::*;
    use crate::clock::Clock;
    use crate::simulate::play::Tally;
    use crate::simulate::sample;

    const SITE: &str = r#"
        [[device]]
        id = "pump-1"
        type = "pump"
        area = "east"
        line = "pump-room"
        unit = 7
        [[device]]
        id = "pump-2"
        type = "pump"
        area = "east"
        line = "pump-room"
        unit = 8
        [[device]]
        id = "pump-3"
        type = "pump"
        area = "east"
        line = "pump-room"
        unit = 9
        [simulation]
        [[simulation.behaviour]]
        device-type = "pump"
        point = "pressure"
        mean = 350.5
        [[simulation.behaviour]]
        device-type = "pump"
        point = "leak"
        mean = 1.0
        [[simulation.anomaly]]
        device = "pump-2"
        starts = "0 s"
        lasts = "1000 days"
        silent = true
        [[simulation.anomaly]]
        device = "pump-3"
        starts = "0 s"
        lasts = "1000 days"
        payload = "broken"
    "#;

    const PUMP: &str = r#"
        [device-type]
        id = "pump"
        title = { zh = "泵", en = "Pump" }
        via = "modbus"
        [modbus]
        function = "holding"
        start = 100
        count = 6
        every = "5 s"
        holes = [[3, 4]]
        [[point]]
        name = "pressure"
        at = { word = 1 }
        scale = 0.1
        unit = "kPa"
        [[point]]
        name = "leak"
        at = { word = 2, function = "discrete" }
        unit = "1"
    "#;

    #[tokio::test]
    async fn a_master_reads_what_the_device_measures() {
        let (mut master, tally) = connect(7).await;

        assert_eq!(read(&mut master, 100, 3).await, Ok(vec![0, 3_505, 0]));
        assert_eq!(read(&mut master, 105, 1).await, Ok(vec![0]));
        assert_eq!(master.read_discrete_inputs(102, 1).await.unwrap(), Ok(vec![true]));
        assert_eq!((tally.read().made, tally.read().bytes), (3, 9));
    }

    #[tokio::test]
    async fn what_a_device_does_not_have_is_an_exception() {
        let (mut master, _) = connect(7).await;
        let cases = [
            ("across a hole", 102, 2, ExceptionCode::IllegalDataAddress),
            ("past the end", 105, 2, ExceptionCode::IllegalDataAddress),
            ("before the start", 99, 2, ExceptionCode::IllegalDataAddress),
        ];

        for (why, from, count, expected) in cases {
            assert_eq!(read(&mut master, from, count).await, Err(expected), "{why}");
        }
        assert_eq!(
            master.read_input_registers(100, 1).await.unwrap(),
            Err(ExceptionCode::IllegalDataAddress)
        );
        assert_eq!(
            master.call(Request::WriteSingleRegister(101, 1)).await.unwrap(),
            Err(ExceptionCode::IllegalFunction)
        );
    }

    #[tokio::test]
    async fn a_silent_device_does_not_answer_and_a_broken_one_says_so() {
        let (mut silent, _) = connect(8).await;
        let (mut broken, _) = connect(9).await;

        let waited = tokio::time::timeout(Duration::from_millis(100), read(&mut silent, 100, 1));
        assert!(waited.await.is_err());
        assert_eq!(read(&mut broken, 100, 1).await, Err(ExceptionCode::ServerDeviceFailure));
    }

    async fn connect(unit: u8) -> (Context, Arc<Tally>) {
        let clock = Clock::new(1.0);
        let play = Play::new(sample::world(SITE, PUMP, clock.now()).unwrap(), clock);
        let tally = Arc::clone(&play.tally);
        let address = open(play, "pump-room", ([127, 0, 0, 1], 0).into()).await.unwrap();

        let mut master = tokio_modbus::client::tcp::connect(address).await.unwrap();
        master.set_slave(Slave(unit));
        (master, tally)
    }

    async fn read(master: &mut Context, from: u16, count: u16) -> Result<Vec<u16>, ExceptionCode> {
        master.read_holding_registers(from, count).await.unwrap()
    }
}
