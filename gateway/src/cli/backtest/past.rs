//! What the box has kept, as far as the configured devices can still be recognised in it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::time::Duration;

use gatehouse_core::community::Community;
use gatehouse_core::reading::DeviceIndex;
use gatehouse_core::statistics::page::{self, Pieces};
use gatehouse_core::statistics::quarter::{Quarter, Statistic};

use super::span::Span;
use crate::store::kept;

/// A backlog may be that late: its quarters were written so long after they were.
const LATEST: Duration = Duration::from_hours(8 * 24);

/// What is known of the past.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// By device; each quarter has its points in the order of the device type.
    pub(super) devices: BTreeMap<DeviceIndex, BTreeMap<Quarter, Vec<Statistic>>>,
    /// Quarters that were told after a later one.
    pub(super) out_of_order: BTreeSet<(DeviceIndex, Quarter)>,
    /// Devices that were there and are not configured any more.
    pub(super) strangers: BTreeSet<String>,
    /// Pages that could not be read.
    pub(super) damaged: usize,
}

impl Past {
    pub(super) fn read(store: &Path, community: &Community, span: Span) -> io::Result<Self> {
        let mut past = Self::default();
        // A page is written after what it tells of.
        for bytes in kept::pages(store, span.from, span.to + LATEST)? {
            match page::read(&bytes?) {
                Some(devices) => devices.into_iter().for_each(|d| past.note(d, community, span)),
                None => past.damaged += 1,
            }
        }
        Ok(past)
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

    pub(super) fn quarter(&self, device: DeviceIndex, quarter: Quarter) -> Option<&[Statistic]> {
        self.devices.get(&device)?.get(&quarter).map(Vec::as_slice)
    }
}
