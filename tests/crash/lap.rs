//! What a lap of many partitions does to those who wait for the journal.

use crate::bench::Bench;
use crate::one_log::{OneLog, ROOT};
use crate::sim::{BoundaryWatch, Machine, Moment, Operation, is_segment_path};
use ottla::base::ids::{PartitionId, Uuid};
use ottla::base::offset::Offset;
use ottla::log::paths::journal_folder;
use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;

/// Partitions that a lap writes at the same time.
const AT_A_TIME: usize = 8;

const JOURNAL: u64 = 1;
const SEGMENT: u64 = 2;

/// Writes of segments that begin while one write of the journal is under way.
#[derive(Clone, Default)]
struct Beside {
    is_under_way: Rc<Cell<bool>>,
    begun: Rc<Cell<usize>>,
    most: Rc<Cell<usize>>,
}

impl BoundaryWatch for Beside {
    fn on_change(&mut self, _: &Machine, path: &Path, operation: &Operation) -> u64 {
        let Operation::Write { through, .. } = operation else {
            return 0;
        };
        if is_segment_path(path) {
            SEGMENT
        } else if *through && path.starts_with(journal_folder(Path::new(ROOT))) {
            JOURNAL
        } else {
            0
        }
    }

    fn on_moment(&mut self, _: &Machine, what: u64, moment: Moment) {
        match (what, moment) {
            (JOURNAL, Moment::Inside) => {
                self.is_under_way.set(true);
                self.begun.set(0);
            }
            (JOURNAL, _) => self.is_under_way.set(false),
            (SEGMENT, Moment::Inside) if self.is_under_way.get() => {
                self.begun.set(self.begun.get() + 1);
                self.most.set(self.most.get().max(self.begun.get()));
            }
            _ => {}
        }
    }
}

#[test]
fn a_lap_of_many_partitions_lets_each_write_of_the_journal_pass() {
    let beside = Beside::default();
    let watch = beside.clone();
    let ended = Bench::new(11).run(|disk, runtime| async move {
        let log = OneLog::start(disk.clone(), runtime).await;
        let ids: Vec<PartitionId> = (1..=40)
            .map(|number| PartitionId {
                topic: Uuid([number; 16]),
                index: 9,
            })
            .collect();
        ids.iter().for_each(|&id| log.begin(id, "many"));
        disk.watch_boundaries(Some(Box::new(watch)));
        let mut ends = vec![Offset::ZERO; ids.len()];
        for _ in 0..30 {
            for (&id, end) in ids.iter().zip(&mut ends) {
                *end = log.append_to(id, *end, 1_000, true).await;
            }
            log.append(100, true).await;
            log.durable().await;
        }
    });
    ended.expect("the machine did not halt");
    let most = beside.most.get();
    assert!((1..=AT_A_TIME).contains(&most), "{most} beside one write");
}
