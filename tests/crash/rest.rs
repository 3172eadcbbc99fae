//! When batches go into the journal that nobody waits for.

use crate::bench::Bench;
use crate::one_log::OneLog;
use ottla::base::limits::UNAWAITED_MS_MAX;
use ottla::storage::runtime::Runtime;
use std::future::Future;
use std::time::Duration;

fn cycles_of(log: &OneLog) -> u64 {
    log.store.cells().commit_cycles.get()
}

fn run<F: Future<Output = ()> + 'static>(story: impl FnOnce(OneLog) -> F + 'static) {
    let done = Bench::new(7).run(|disk, runtime| async move {
        story(OneLog::start(disk, runtime).await).await;
    });
    assert_eq!(done, Some(()), "the machine did not halt");
}

#[test]
fn what_nobody_waits_for_goes_into_the_journal_together_and_in_time() {
    run(|log| async move {
        let (cycles, durable) = (cycles_of(&log), log.ear.durable.get());
        let began = log.runtime.now().instant;
        for _ in 0..3 {
            log.append(100, false).await;
            log.runtime.sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(log.ear.durable.get(), durable, "none of it is urgent");
        log.durable().await;
        assert_eq!(cycles_of(&log), cycles + 1);
        let took = log.runtime.now().instant.since(began);
        assert!(took >= Duration::from_millis(UNAWAITED_MS_MAX), "{took:?}");
    });
}

#[test]
fn what_somebody_waits_for_takes_the_rest_along_at_once() {
    run(|log| async move {
        let cycles = cycles_of(&log);
        let began = log.runtime.now().instant;
        log.append(100, false).await;
        log.runtime.sleep(Duration::from_millis(1)).await;
        log.append(100, true).await;
        log.durable().await;
        assert_eq!(cycles_of(&log), cycles + 1);
        let took = log.runtime.now().instant.since(began);
        assert!(took < Duration::from_millis(UNAWAITED_MS_MAX), "{took:?}");
    });
}

#[test]
fn a_stop_takes_along_what_nobody_waits_for() {
    run(|log| async move {
        log.append(100, false).await;
        log.store.stop().await.expect("a clean stop");
        assert_eq!(log.ear.durable.get(), log.end.get());
    });
}
