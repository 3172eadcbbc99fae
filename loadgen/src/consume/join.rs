//! End-to-end latency: where producers' records went, and when consumers met them there.
//!
//! Both sides note partition and offset of a batch. Joined after the run, no record needs a clock in it, and neither
//! side works per record.

use crate::latency::{Values, new_histogram};
use crate::produce::outcome::Place;
use crate::progress::Window;

/// Of batches due in the window.
pub(crate) fn latencies(mut produced: Vec<Place>, consumed: &[Place], window: Window) -> Values {
    produced.sort_unstable();
    let mut values = new_histogram();
    for met in consumed {
        let key = (met.partition, met.base_offset);
        let found =
            produced.binary_search_by_key(&key, |place| (place.partition, place.base_offset));
        let Ok(index) = found else {
            continue;
        };
        let due_ns = produced[index].time_ns;
        if window.contains(due_ns) {
            values.saturating_record(met.time_ns.saturating_sub(due_ns));
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_found_where_it_went_by_every_consumer() {
        let place = |partition, base_offset, time_ns| Place {
            partition,
            base_offset,
            time_ns,
        };
        let produced = vec![place(1, 0, 200), place(0, 0, 100), place(0, 5, 900)];
        let consumed = [
            place(0, 0, 150),
            place(0, 0, 160),
            place(1, 0, 290),
            place(0, 5, 950),
            place(2, 0, 1),
        ];
        let values = latencies(
            produced,
            &consumed,
            Window {
                start_ns: 100,
                end_ns: 900,
            },
        );
        assert_eq!((values.len(), values.min(), values.max()), (3, 50, 90));
    }
}
