//! A sync that failed: the kernel may take for clean what the drive never had, so asking again proves nothing.

use crate::bench::Bench;
use crate::one_log::OneLog;
use crate::sim::{BoundaryWatch, EIO, Machine, Moment, Operation, SimRuntime, is_segment_path};
use ottla::storage::errors::OpenError;
use ottla::storage::runtime::Runtime;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// Events of the disk before each sync of a segment began.
#[derive(Clone, Default)]
struct Syncs(Rc<RefCell<Vec<u64>>>);

impl BoundaryWatch for Syncs {
    fn on_change(&mut self, _: &Machine, path: &Path, operation: &Operation) -> u64 {
        let is_sync = matches!(operation, Operation::Sync { .. });
        u64::from(is_sync && is_segment_path(path))
    }

    fn on_moment(&mut self, machine: &Machine, is_sync_of_segment: u64, moment: Moment) {
        if is_sync_of_segment == 1 && moment == Moment::Inside {
            self.0.borrow_mut().push(machine.events);
        }
    }
}

/// What a stop says that has something to make durable, when the sync fails that begins `after` so many events.
fn stopped(after: Option<u64>, syncs: Syncs) -> (u64, Result<(), OpenError>) {
    let ended = Bench::new(7).run(|disk, runtime| async move {
        let log = OneLog::start(disk.clone(), runtime).await;
        log.append(5_000, true).await;
        log.durable().await;
        let events = disk.events();
        disk.watch_boundaries(Some(Box::new(syncs)));
        disk.fail_after(after, EIO);
        (events, log.store.stop().await.map(|_| ()))
    });
    ended.expect("the machine did not halt")
}

#[test]
fn a_sync_that_failed_is_not_asked_again() {
    let syncs = Syncs::default();
    let (before, well) = stopped(None, syncs.clone());
    well.expect("nothing fails");
    let syncs = syncs.0.take();
    assert!(!syncs.is_empty(), "a stop syncs what it writes");
    for begun in syncs {
        let (_, failed) = stopped(Some(begun - before + 1), Syncs::default());
        assert!(matches!(failed, Err(OpenError::Disk(_))), "{failed:?}");
    }
}

#[test]
fn what_failed_for_one_shard_has_failed_for_the_others() {
    let ended = Bench::new(7).run(|disk, runtime| async move {
        let [broken, sound] = OneLog::start_shards(disk.clone(), runtime.clone()).await;
        disk.fail_after(Some(1), EIO);
        broken.append(100, true).await;
        wait_until(&runtime, || broken.store.stats().failed).await;

        let before = sound.ear.durable.get();
        sound.append(100, true).await;
        wait_until(&runtime, || sound.store.stats().failed).await;
        assert_eq!(
            sound.ear.durable.get(),
            before,
            "nothing is claimed any more"
        );
        let stopped = sound.store.stop().await;
        assert!(matches!(stopped, Err(OpenError::Disk(_))), "{stopped:?}");
    });
    ended.expect("the machine did not halt")
}

async fn wait_until(runtime: &SimRuntime, reached: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if reached() {
            return;
        }
        runtime.sleep(Duration::from_millis(1)).await;
    }
    panic!("not within a second");
}
