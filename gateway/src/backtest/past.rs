//! What the box has kept, as far as the configured devices can still be recognised in it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::time::Duration;

use gatehouse_core::community::Community;
use gatehouse_core::reading::{DeviceIndex, Timestamp};
use gatehouse_core::statistics::page::{self, Pieces};
use gatehouse_core::statistics::quarter::{Quarter, Statistic};
use gatehouse_core::statistics::window::{self, Window};

use super::span::Span;
use crate::store::kept;

/// A backlog may be that late: its quarters were written so long after they were.
const LATEST: Duration = Duration::from_hours(8 * 24);

/// What is known of the past.
#[derive(Debug, Default)]
pub struct Past {
    /// By device; each quarter has its points in the order of the device type.
    pub(crate) devices: BTreeMap<DeviceIndex, BTreeMap<Quarter, Vec<Statistic>>>,
    /// Quarters that were told after a later one.
    pub(crate) out_of_order: BTreeSet<(DeviceIndex, Quarter)>,
    /// Devices that were there and are not configured any more.
    pub(crate) strangers: BTreeSet<String>,
    /// Pages and windows that could not be read.
    pub(crate) damaged: usize,
    /// The readings around events, in the order of their time.
    pub(crate) windows: Vec<Around>,
}

/// The readings of one device around an event.
#[derive(Debug)]
pub struct Around {
    pub(crate) device: DeviceIndex,
    /// Values in the order of the device type's points; `NaN` for nothing.
    pub(crate) rows: Vec<(Timestamp, Vec<f64>)>,
}

impl Around {
    pub(crate) fn first(&self) -> Timestamp {
        self.rows.first().map_or(Timestamp(0), |(at, _)| *at)
    }

    pub(crate) fn last(&self) -> Timestamp {
        self.rows.last().map_or(Timestamp(0), |(at, _)| *at)
    }
}

impl Past {
    pub fn read(store: &Path, community: &Community, span: Span) -> io::Result<Self> {
        let mut past = Self::default();
        // A page is written after what it tells of.
        for bytes in kept::pages(store, span.from, span.to + LATEST)? {
            match page::read(&bytes?) {
                Some(devices) => devices.into_iter().for_each(|d| past.note(d, community, span)),
                None => past.damaged += 1,
            }
        }
        for bytes in kept::windows(store)? {
            match window::read(&bytes) {
                Some(window) => past.note_window(window, community, span),
                None => past.damaged += 1,
            }
        }
        Ok(past)
    }

    fn note_window(&mut self, told: Window, community: &Community, span: Span) {
        let Some(device) = community.find_device(&told.device) else {
            self.strangers.insert(told.device);
            return;
        };
        let device_type = &community.device(device).device_type;
        let places: Vec<_> = told.points.iter().map(|name| device_type.point(name)).collect();
        let arranged = |values: Vec<f64>| {
            let mut row = vec![f64::NAN; device_type.points.len()];
            for (value, place) in values.into_iter().zip(&places) {
                if let Some(place) = place {
                    row[*place] = value;
                }
            }
            row
        };
        let rows = told.rows.into_iter().map(|(at, values)| (at, arranged(values))).collect();
        let around = Around { device, rows };
        if around.first() < span.to && around.last() >= span.from {
            self.windows.push(around);
        }
    }

    /// Whether a device's readings are known one by one from then until then.
    pub(crate) fn is_covered(
        &self,
        device: DeviceIndex,
        from: Timestamp,
        until: Timestamp,
    ) -> bool {
        let of_device = self.windows.iter().filter(|around| around.device == device);
        of_device.into_iter().any(|around| around.first() <= from && until <= around.last())
    }

    fn note(&mut self, told: Pieces, community: &Community, span: Span) {
        let Some(index) = community.find_device(&told.device) else {
            self.strangers.insert(told.device);
            return;
        };
        let device_type = &community.device(index).device_type;
        let places: Vec<_> = told.points.iter().map(|name| device_type.point(name)).collect();
        for piece in told.pieces.into_iter().filter(|piece| span.contains(piece.quarter.start())) {
            if piece.is_out_of_order {
                self.out_of_order.insert((index, piece.quarter));
            }
            let quarter = self.devices.entry(index).or_default().entry(piece.quarter);
            let points =
                quarter.or_insert_with(|| vec![Statistic::default(); device_type.points.len()]);
            for (point, place) in piece.points.iter().zip(&places) {
                if let Some(place) = place {
                    points[*place].merge(point);
                }
            }
        }
    }

    pub fn quarter(&self, device: DeviceIndex, quarter: Quarter) -> Option<&[Statistic]> {
        self.devices.get(&device)?.get(&quarter).map(Vec::as_slice)
    }
}
