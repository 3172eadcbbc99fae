//! Space that is given back.

use crate::bench::Bench;
use crate::one_log::{ID, OneLog};
use crate::sim::{BoundaryWatch, Machine, Moment, Operation};
use ottla::base::limits::Limits;
use ottla::storage::runtime::Runtime;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Change {
    Cut(usize),
    Sync,
}

/// What happens to one file, or to whichever is cut first.
#[derive(Clone, Default)]
struct Changes(Rc<RefCell<(Option<u64>, Vec<Change>)>>);

impl BoundaryWatch for Changes {
    fn on_change(&mut self, _: &Machine, _: &Path, operation: &Operation) -> u64 {
        let (of, changes) = &mut *self.0.borrow_mut();
        match *operation {
            Operation::Len { file, len } if *of.get_or_insert(file) == file => {
                changes.push(Change::Cut(len));
            }
            Operation::Sync { file, .. } if *of == Some(file) => changes.push(Change::Sync),
            _ => {}
        }
        0
    }

    fn on_moment(&mut self, _: &Machine, _: u64, _: Moment) {}
}

#[test]
fn the_space_of_a_removed_log_is_given_back_in_steps_that_are_each_durable() {
    let changes = Changes::default();
    let seen = changes.clone();
    let ended = Bench::new(7).run(|disk, runtime| async move {
        let log = OneLog::start(disk.clone(), runtime).await;
        // More than may be dirty, so that a lap writes it.
        for _ in 0..100 {
            log.append(5_000, true).await;
        }
        log.durable().await;
        disk.watch_boundaries(Some(Box::new(changes)));
        log.store.drop_partition(ID);
        log.runtime.sleep(Duration::from_secs(60)).await;
    });
    ended.expect("the machine did not halt");
    let (_, changes) = seen.0.take();
    let step = Limits::TINY.cut_step_bytes;
    let cuts: Vec<usize> = changes
        .chunks(2)
        .map(|pair| match pair {
            [Change::Cut(len), Change::Sync] | [Change::Cut(len @ 0)] => *len,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(cuts.len() > 10, "{cuts:?}");
    let are_steps = cuts.windows(2).all(|pair| pair[0] - pair[1] <= step);
    assert!(are_steps && cuts.last() == Some(&0), "{cuts:?}");
}
