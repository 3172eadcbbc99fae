use super::*;
use crate::workload::pool::Parcel;
use crate::workload::stamp::rest_crc;

const STREAM: Stream = Stream {
    connection: 1,
    partition: 0,
};

/// Ten batches of two records, acknowledged in order at offsets 100 and on; the last but one was never answered.
fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    for batch in 0..10 {
        let parcel = Parcel {
            stream: STREAM,
            batch,
        };
        ledger.sent(&parcel);
        if batch != 8 {
            ledger.acknowledged(&parcel, Some(100 + batch as i64 * 2));
        }
    }
    ledger
}

fn value(sequence: u64) -> Vec<u8> {
    let mut value = vec![b'x'; 40];
    let crc = rest_crc(None, &value);
    let stamp = Stamp {
        run: 6,
        stream: STREAM,
        sequence,
    };
    stamp.write(&mut value, crc);
    value
}

fn judge(log: &[(i64, Vec<u8>)]) -> Verification {
    let ledger = ledger();
    let mut judge = Judge::new(6, 2, &ledger);
    for (offset, value) in log {
        let spot = Spot {
            partition: 0,
            offset: *offset,
        };
        judge.record(spot, None, Some(value));
    }
    judge.verdict()
}

fn whole() -> Vec<(i64, Vec<u8>)> {
    (0..20)
        .map(|sequence| (100 + sequence as i64, value(sequence)))
        .collect()
}

/// Lost, duplicated, reordered, corrupted.
fn faults(verdict: &Verification) -> [u64; 4] {
    [
        verdict.lost,
        verdict.duplicated,
        verdict.reordered,
        verdict.corrupted,
    ]
}

#[test]
fn a_whole_log_has_no_fault() {
    let verdict = judge(&whole());
    assert_eq!(faults(&verdict), [0; 4], "{:?}", verdict.findings);
    assert_eq!((verdict.acknowledged, verdict.read_back), (18, 20));
    assert_eq!(verdict.unacknowledged_found, 2);
}

#[test]
fn what_was_never_answered_may_be_missing() {
    let mut log = whole();
    log.drain(16..18);
    assert_eq!(faults(&judge(&log)), [0; 4]);
}

#[test]
fn each_fault_is_found_and_called_by_its_name() {
    let mut log = whole();
    log.remove(5);
    assert_eq!(faults(&judge(&log)), [1, 0, 0, 0]);

    let mut log = whole();
    let again = log[5].clone();
    log.insert(6, again);
    assert_eq!(faults(&judge(&log)), [0, 1, 0, 0]);

    let mut log = whole();
    let (first, second) = (log[5].1.clone(), log[6].1.clone());
    (log[5].1, log[6].1) = (second, first);
    assert!(judge(&log).reordered > 0);

    let mut log = whole();
    log[5].1[30] ^= 1;
    assert_eq!(faults(&judge(&log)), [1, 0, 0, 1]);

    let mut log = whole();
    log.push((120, value(44)));
    assert_eq!(faults(&judge(&log)), [0, 0, 0, 1]);

    let mut log = whole();
    log[5].0 = 999;
    assert_eq!(faults(&judge(&log)), [0, 0, 1, 0]);
}
