//! A report as it is read: titles, sentences, tables and charts, in one language.
//!
//! [`super::compose`] writes it; the console's page and [`super::pdf`] show the same one, so that no
//! figure and no word stands on one and not on the other.

use gatehouse_core::community::quantity::Language;

/// A whole report.
#[derive(Debug, Clone, PartialEq)]
pub struct Paper {
    pub language: Language,
    /// The community.
    pub community: String,
    /// What it is: "Monthly report".
    pub kind: String,
    /// Which month.
    pub month: String,
    /// From when to when, by which clock.
    pub stretch: String,
    /// When it was made, and by which version.
    pub made: String,
    /// "Page {} of {}", its two numbers left out.
    pub page: [String; 3],
    /// The month in a few sentences.
    pub lead: String,
    /// What is not in the figures, and why.
    pub remarks: Vec<String>,
    pub tiles: Vec<Tile>,
    pub sections: Vec<Section>,
}

/// A figure that is seen first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    pub name: String,
    pub value: String,
    /// Held against something: the month before, a total.
    pub beside: String,
    /// Somebody should look at it.
    pub is_odd: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Unique in the report.
    pub id: &'static str,
    pub title: String,
    pub blocks: Vec<Block>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    Text(String),
    Findings(Vec<Finding>),
    Days(Days),
    Heat(Box<Heat>),
    Table(Table),
}

/// Something to change, and the numbers behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub what: String,
    pub because: String,
}

/// Events of each day, by level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Days {
    pub title: String,
    /// The chart in one sentence.
    pub told: String,
    pub days: Vec<Day>,
    /// Level I to IV.
    pub legend: [String; 4],
    /// What the columns of its table are called: day, events.
    pub head: [String; 2],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// 1 to 31.
    pub number: u8,
    pub is_weekend: bool,
    pub levels: [u32; 4],
}

impl Day {
    pub fn events(&self) -> u32 {
        self.levels.iter().sum()
    }
}

impl Days {
    /// The top of the scale: at least as high as every day, and easily divided.
    pub fn top(&self) -> u32 {
        let most = self.days.iter().map(Day::events).max().unwrap_or(0).max(4);
        let step = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1_000, 2_000, 5_000, 10_000]
            .into_iter()
            .find(|step| step * 4 >= most)
            .unwrap_or(most.div_ceil(4));
        step * 4
    }
}

/// Events by weekday and hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heat {
    pub title: String,
    /// The chart in one sentence.
    pub told: String,
    pub weekdays: [String; 7],
    pub hours: [[u32; 24]; 7],
}

impl Heat {
    /// 0 for none, 1 to 5 by its share of the most.
    pub fn shade(&self, events: u32) -> u8 {
        let most = self.hours.iter().flatten().copied().max().unwrap_or(0);
        if events == 0 {
            return 0;
        }
        let fifth = (u64::from(events) * 5).div_ceil(u64::from(most.max(1)));
        u8::try_from(fifth.clamp(1, 5)).unwrap_or(5)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub title: String,
    pub head: Vec<Column>,
    /// Each as long as the head.
    pub rows: Vec<Vec<Cell>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub title: String,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Words; the first of them names the row.
    Words,
    /// Stands to the right.
    Number,
    Bar,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Text(String),
    /// Shares of the longest bar by level, 0 to 1 together.
    Bar([f32; 4]),
}
