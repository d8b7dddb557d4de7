//! Recordings of ordinary life, by device and by point: what the false-alarm budget is counted on.
//!
//! Every folder has its own form, so each has its own reader. A value that is missing stays a row
//! without a value: the gateway must live with gaps. Labels and running counters are no points here; of
//! a meter it is the rate columns that are judged.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use super::files::{self, Table};
use super::time;

/// The points of one device over time.
pub(super) struct Recording {
    /// The folder that it comes from.
    pub(super) set: &'static str,
    pub(super) points: Vec<String>,
    /// A value for each point.
    pub(super) rows: Vec<(i64, Vec<Option<f64>>)>,
}

/// How a folder's rows are read.
struct Form {
    set: &'static str,
    /// How its files end.
    end: &'static str,
    /// Columns that are points; those that a file lacks are passed over.
    points: &'static [&'static str],
    /// What stands for a missing value.
    missing: f64,
    /// The time of a row, by column.
    at: fn(&BTreeMap<&str, &str>) -> Option<i64>,
    /// Whether its files are parts of one recording.
    is_one: bool,
}

const FORMS: [Form; 4] = [
    Form {
        set: "beijing_pm25",
        end: "csv",
        points: &["pm2.5", "DEWP", "TEMP", "PRES", "Iws", "Is", "Ir"],
        missing: f64::NAN,
        at: |row| {
            let of = |name| row.get(name)?.parse::<i64>().ok();
            Some(time::of(of("year")?, of("month")?, of("day")?) + of("hour")? * 3600)
        },
        is_one: true,
    },
    Form {
        set: "ampds_gas_water",
        end: "csv",
        points: &["avg_rate", "inst_rate"],
        missing: f64::NAN,
        at: |row| row.get("unix_ts")?.parse().ok(),
        is_one: false,
    },
    Form {
        set: "airquality_uci",
        end: "csv",
        points: &[
            "CO(GT)",
            "PT08.S1(CO)",
            "NMHC(GT)",
            "C6H6(GT)",
            "PT08.S2(NMHC)",
            "NOx(GT)",
            "PT08.S3(NOx)",
            "NO2(GT)",
            "PT08.S4(NO2)",
            "PT08.S5(O3)",
            "T",
            "RH",
            "AH",
        ],
        missing: -200.0,
        at: |row| {
            let mut date = row.get("Date")?.splitn(3, '/').map(str::parse::<i64>);
            let (month, day) = (date.next()?.ok()?, date.next()?.ok()?);
            let hour: i64 = row.get("Time")?.split(':').next()?.parse().ok()?;
            Some(time::of(date.next()?.ok()?, month, day) + hour * 3600)
        },
        is_one: true,
    },
    Form {
        set: "occupancy_uci",
        end: "txt",
        points: &["Temperature", "Humidity", "Light", "CO2", "HumidityRatio"],
        missing: f64::NAN,
        at: |row| time::parse(row.get("Date").or_else(|| row.get("date"))?),
        is_one: true,
    },
];

/// Every recording that the folder has; sets that it lacks are named on stderr.
pub(super) fn recordings(data: &Path) -> Result<Vec<Recording>> {
    let mut found = Vec::new();
    for form in &FORMS {
        let folder = data.join(form.set);
        if !folder.is_dir() {
            eprintln!("eval: skipped {}: not in `{}`", form.set, data.display());
            continue;
        }
        let paths: Vec<_> = files::files(&folder, form.end)?
            .into_iter()
            .filter(|path| path.file_name().is_some_and(|name| name != "SOURCE.txt"))
            .collect();
        let mut tables = Vec::new();
        for path in &paths {
            tables.push(Table::read(path, ',')?);
        }
        if form.is_one {
            found.push(form.read(&tables, None)?);
        } else {
            for (path, table) in paths.iter().zip(tables) {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                found.push(form.read(&[table], Some(&name))?);
            }
        }
    }
    Ok(found)
}

impl Form {
    /// A device with a point for each column; `name` tells files apart that are recordings of their own.
    fn read(&self, tables: &[Table], name: Option<&str>) -> Result<Recording> {
        let first = tables.first().with_context(|| format!("no file in `{}`", self.set))?;
        let points: Vec<&str> =
            self.points.iter().copied().filter(|point| first.column(point).is_ok()).collect();
        let mut rows: BTreeMap<i64, Vec<Option<f64>>> = BTreeMap::new();
        for table in tables {
            let columns: Vec<usize> =
                points.iter().map(|point| table.column(point)).collect::<Result<_>>()?;
            for row in &table.rows {
                let cells = table.header.iter().map(String::as_str);
                let cells = cells.zip(row.iter().map(String::as_str)).collect();
                // A row without a time is an empty line between others.
                let Some(at) = (self.at)(&cells) else { continue };
                let value = |column: &usize| {
                    Table::number(row, *column)
                        .filter(|value| *value > self.missing || self.missing.is_nan())
                };
                rows.insert(at, columns.iter().map(value).collect());
            }
        }
        let named = |point: &&str| name.map_or((*point).into(), |name| format!("{name} {point}"));
        let points = points.iter().map(named).collect();
        Ok(Recording { set: self.set, points, rows: rows.into_iter().collect() })
    }
}

impl Recording {
    /// A recording for each point.
    pub(super) fn split(&self) -> impl Iterator<Item = Self> + '_ {
        let alone = |(i, point): (usize, &String)| Self {
            set: self.set,
            points: vec![point.clone()],
            rows: self.rows.iter().map(|(at, values)| (*at, vec![values[i]])).collect(),
        };
        self.points.iter().enumerate().map(alone)
    }

    /// Seconds from one row to the next, as a rule.
    pub(super) fn step(&self) -> i64 {
        let mut steps: Vec<i64> = self.rows.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        steps.sort_unstable();
        steps.get(steps.len() / 2).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(header: &str, rows: &[&str]) -> Table {
        let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
        Table { header: cells(header), rows: rows.iter().map(|row| cells(row)).collect() }
    }

    #[test]
    fn a_gap_is_a_row_without_a_value_and_an_empty_line_is_none() {
        let air = table(
            "Date,Time,T",
            &["3/10/2004,18:00:00,13.6", ",,", "3/10/2004,19:00:00,-200", "3/10/2004,20:00:00,12"],
        );

        let recording = FORMS[2].read(&[air], None).unwrap();

        let start = time::parse("2004-03-10 18:00:00").unwrap();
        let expected = [
            (start, vec![Some(13.6)]),
            (start + 3600, vec![None]),
            (start + 7200, vec![Some(12.0)]),
        ];
        assert_eq!((recording.points.join(" ").as_str(), recording.step()), ("T", 3600));
        assert_eq!(recording.rows, expected);
    }

    #[test]
    fn parts_of_one_recording_are_put_in_the_order_of_time() {
        let early = table("Date,CO2", &["2015-02-02 14:19:00,749.2"]);
        let late = table("Date,CO2", &["2015-02-04 17:51:00,721.25"]);

        let recording = FORMS[3].read(&[late, early], None).unwrap().split().next().unwrap();

        let values: Vec<_> = recording.rows.iter().map(|(_, values)| values[0]).collect();
        assert_eq!(values, [Some(749.2), Some(721.25)]);
    }
}
