//! Who is on a line: every unit is asked for one register, and who answers for what it has.
//!
//! Steps are small and bounded, and go through the line's own turns, so that a scan of 32 units at a timeout of
//! half a second takes as long as 32 silent devices would, and known devices are polled meanwhile.

use std::ops::RangeInclusive;

use gatehouse_core::community::device_type::Function;
use gatehouse_core::reading::WireFault;

use super::probe::{NoProbe, Probe, Prober, Question, Told};

/// Where registers begin on most devices.
const STARTS: [u16; 5] = [0, 1, 100, 256, 1_000];
/// So many are asked for at once, as far as the device has them.
const COUNTS: [u16; 4] = [16, 8, 4, 2];
const TABLES: [Function; 4] =
    [Function::Holding, Function::Input, Function::Coil, Function::Discrete];

/// A unit that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub unit: u8,
    /// Tables with the first words that were read of them.
    pub tables: Vec<Table>,
    /// Function 43/14: vendor, product, revision, and more.
    pub identity: Vec<(u8, String)>,
    /// Function 17.
    pub server: Option<String>,
}

/// Words that a device has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub function: Function,
    pub start: u16,
    pub words: Vec<u16>,
}

/// Asks every unit; `tell` hears of each before it is asked and of those that are there.
///
/// # Errors
/// The line takes no questions.
pub async fn scan(
    prober: &Prober,
    units: RangeInclusive<u8>,
    mut tell: impl FnMut(u8, Option<Found>),
) -> Result<(), NoProbe> {
    for unit in units {
        tell(unit, None);
        let found = look(prober, unit).await?;
        if found.is_some() {
            tell(unit, found);
        }
    }
    Ok(())
}

async fn look(prober: &Prober, unit: u8) -> Result<Option<Found>, NoProbe> {
    let mut tables = Vec::new();
    for (position, function) in TABLES.into_iter().enumerate() {
        let first = read(prober, unit, function, 0, 1).await?;
        if position == 0 && first.as_ref().is_err_and(|fault| is_silence(*fault)) {
            return Ok(None);
        }
        tables.extend(table(prober, unit, function, first).await?);
    }
    let identity = match prober.ask(Probe { unit, question: Question::Identity }).await? {
        Ok(Told::Identity(objects)) => objects,
        Ok(Told::Words(_) | Told::ServerId(_)) | Err(_) => Vec::new(),
    };
    let server = match prober.ask(Probe { unit, question: Question::ServerId }).await? {
        Ok(Told::ServerId(text)) => Some(text).filter(|text| !text.is_empty()),
        Ok(Told::Words(_) | Told::Identity(_)) | Err(_) => None,
    };
    Ok(Some(Found { unit, tables, identity, server }))
}

/// What there is of a table, from the first address that answers.
async fn table(
    prober: &Prober,
    unit: u8,
    function: Function,
    first: Result<Vec<u16>, WireFault>,
) -> Result<Option<Table>, NoProbe> {
    let mut answer = first;
    for start in STARTS {
        if start > 0 {
            answer = read(prober, unit, function, start, 1).await?;
        }
        match &answer {
            Ok(words) => {
                let mut words = words.clone();
                for count in COUNTS {
                    if let Ok(more) = read(prober, unit, function, start, count).await? {
                        words = more;
                        break;
                    }
                }
                return Ok(Some(Table { function, start, words }));
            }
            // Illegal address: there may be others. All else is said of the whole table.
            Err(WireFault::Exception(2)) => {}
            Err(_) => return Ok(None),
        }
    }
    Ok(None)
}

/// Reads words; what came back, or why nothing did.
///
/// # Errors
/// The line takes no questions.
pub async fn read(
    prober: &Prober,
    unit: u8,
    function: Function,
    start: u16,
    count: u16,
) -> Result<Result<Vec<u16>, WireFault>, NoProbe> {
    let question = Question::Read { function, start, count };
    let answer = prober.ask(Probe { unit, question }).await?;
    Ok(answer.and_then(|told| match told {
        Told::Words(words) => Ok(words),
        Told::Identity(_) | Told::ServerId(_) => Err(WireFault::Garbled),
    }))
}

fn is_silence(fault: WireFault) -> bool {
    match fault {
        WireFault::Timeout | WireFault::Garbled | WireFault::Disconnected => true,
        // A gateway's own words for a device that it cannot reach.
        WireFault::Exception(code) => matches!(code, 10 | 11),
    }
}
