//! Whether the next cycle may wait: as long as nobody waits for what it would make durable.
//!
//! Batches of topics in class `memory` are answered before they are written. Written one by one they would cost the
//! disk and the core as much as flushed ones, for nobody.

use crate::base::limits::{UNAWAITED_BYTES_MAX, UNAWAITED_MS_MAX};
use crate::base::time::Instant;
use std::time::Duration;

/// Of what is pending and in no cycle yet.
#[derive(Default)]
pub(super) struct Rest {
    awaited: bool,
    bytes: u64,
    until: Option<Instant>,
}

impl Rest {
    /// A batch came. `awaited`: somebody waits until it is durable.
    pub(super) fn add(&mut self, bytes: u64, awaited: bool) {
        self.bytes += bytes;
        self.awaited |= awaited;
    }

    /// What is pending must not wait any longer.
    pub(super) fn end(&mut self) {
        self.awaited = true;
    }

    /// A cycle took what was pending; `rest`: not all of it.
    pub(super) fn taken(&mut self, rest: bool) {
        *self = Rest {
            awaited: rest,
            ..Rest::default()
        };
    }

    /// The next cycle may wait until then. The first call for what is pending begins the wait.
    pub(super) fn until(&mut self, now: Instant) -> Option<Instant> {
        if !self.may_wait() {
            return None;
        }
        let wait = Duration::from_millis(UNAWAITED_MS_MAX);
        let until = *self.until.get_or_insert(now.plus(wait));
        (now < until).then_some(until)
    }

    /// The commit loop waits already and has nothing to hear.
    pub(super) fn has_begun(&self) -> bool {
        self.until.is_some() && self.may_wait()
    }

    fn may_wait(&self) -> bool {
        !self.awaited && (1..UNAWAITED_BYTES_MAX).contains(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant(1_000_000_000);

    fn until_of(batches: &[(u64, bool)]) -> Option<Instant> {
        let mut rest = Rest::default();
        for &(bytes, awaited) in batches {
            rest.add(bytes, awaited);
        }
        rest.until(NOW)
    }

    #[test]
    fn a_cycle_waits_while_nobody_waits_for_it() {
        let end = NOW.plus(Duration::from_millis(UNAWAITED_MS_MAX));
        for (batches, until) in [
            (&[][..], None),
            (&[(100, false)], Some(end)),
            (&[(100, true)], None),
            (&[(100, false), (100, true)], None),
            (&[(UNAWAITED_BYTES_MAX, false)], None),
            (&[(UNAWAITED_BYTES_MAX - 1, false), (1, false)], None),
        ] {
            assert_eq!(until_of(batches), until, "{batches:?}");
        }
    }

    #[test]
    fn the_oldest_batch_says_for_how_long() {
        let mut rest = Rest::default();
        rest.add(1, false);
        assert!(!rest.has_begun());
        let end = rest.until(NOW).expect("it waits");
        rest.add(1, false);
        let later = NOW.plus(Duration::from_millis(UNAWAITED_MS_MAX - 1));
        assert_eq!(rest.until(later), Some(end));
        assert!(rest.has_begun());
        assert_eq!(rest.until(end), None);
        rest.taken(false);
        assert_eq!(rest.until(end), None);
        rest.add(1, false);
        assert!(rest.until(end).is_some_and(|next| next > end));
        rest.end();
        assert!(!rest.has_begun());
        assert_eq!(rest.until(end), None);
    }

    #[test]
    fn what_a_cycle_left_behind_goes_with_the_next() {
        let mut rest = Rest::default();
        rest.add(1, false);
        rest.taken(true);
        rest.add(1, false);
        assert_eq!(rest.until(NOW), None);
    }
}
