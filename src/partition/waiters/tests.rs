use super::*;
use crate::base::prng::Prng;

#[test]
fn requests_are_released_by_offset_and_then_by_arrival() {
    let mut parked = Parked::new();
    for (until, request) in [(5, 'a'), (3, 'b'), (5, 'c'), (9, 'd')] {
        parked.park(Offset(until), Instant(100), request);
    }
    let mut released =
        |reached| std::iter::from_fn(|| parked.release(Offset(reached))).collect::<String>();
    assert_eq!(released(2), "");
    assert_eq!(released(5), "bac");
    assert_eq!(released(8), "");
    assert_eq!(released(i64::MAX), "d");
    assert_eq!(parked.next_deadline(), None);
}

/// Against a plain list: every request leaves once, by its offset or by its deadline.
#[test]
fn parked_requests_agree_with_a_list() {
    let mut prng = Prng::new(51);
    for _ in 0..100 {
        let (mut parked, mut list) = (Parked::new(), Vec::new());
        for request in 0..60u32 {
            match prng.below(4) {
                0 | 1 => {
                    let (until, deadline) = (prng.below(20) as i64, prng.below(20));
                    parked.park(Offset(until), Instant(deadline), request);
                    list.push((until, deadline, request));
                }
                2 => {
                    let reached = prng.below(20) as i64;
                    let mut due: Vec<_> = list.extract_if(.., |r| r.0 <= reached).collect();
                    due.sort();
                    due.sort_by_key(|r| (r.0, r.2));
                    for (_, _, request) in due {
                        assert_eq!(parked.release(Offset(reached)), Some(request));
                    }
                    assert_eq!(parked.release(Offset(reached)), None);
                }
                _ => {
                    let now = prng.below(20);
                    let mut due: Vec<_> = list.extract_if(.., |r| r.1 <= now).collect();
                    due.sort_by_key(|r| (r.1, r.2));
                    for (_, _, request) in due {
                        assert_eq!(parked.expire(Instant(now)), Some(request));
                    }
                    assert_eq!(parked.expire(Instant(now)), None);
                }
            }
            assert_eq!(parked.len(), list.len());
            let earliest = list.iter().map(|r| Instant(r.1)).min();
            assert_eq!(parked.next_deadline(), earliest);
        }
    }
}

#[test]
fn reader_waits_for_whichever_of_its_positions_changes_first() {
    let mut waiters = DataWaiters::new();
    let wait = |from, seen| DataWait {
        from: Offset(from),
        seen_high_watermark: Offset(seen),
    };
    waiters.park(Ticket(1), wait(5, 9));
    waiters.park(Ticket(1), wait(7, 8));
    waiters.park(Ticket(2), wait(9, 9));
    assert_eq!(waiters.release(Offset(8), Offset(5)), []);
    assert_eq!(waiters.release(Offset(9), Offset(5)), [Ticket(1)]);
    assert_eq!(waiters.release(Offset(9), Offset(10)), [Ticket(2)]);
    assert_eq!(waiters.len(), 0);
}
