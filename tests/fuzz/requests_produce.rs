//! Requests that write: a batch, and batches that are none.

use ottla::base::checksum::crc32c;
use ottla::wire::messages::*;

use super::Fate::{Close, Error, Valid};
use super::{Cases, PARTITION_BEYOND};

impl Cases<'_> {
    pub(super) fn produce(&mut self) {
        use produce::*;
        fn part(request: &mut ProduceRequest) -> &mut PartitionProduceData {
            &mut request.topic_data[0].partition_data[0]
        }
        let [known, unknown] = self.topics(13).map(|(name, id)| (name.into(), id));
        let records = Some(batch(|_| {}).into());
        let data = PartitionProduceData {
            records,
            ..Default::default()
        };
        let topic = TopicProduceData {
            partition_data: [data].into(),
            ..Default::default()
        };
        let nothing = ProduceRequest {
            acks: 1,
            timeout_ms: 5000,
            ..Default::default()
        };
        let mut good = ProduceRequest {
            topic_data: [topic].into(),
            ..nothing.clone()
        };
        (good.topic_data[0].name, good.topic_data[0].topic_id) = known;
        let mut stray = good.clone();
        (stray.topic_data[0].name, stray.topic_data[0].topic_id) = unknown;
        self.add(Valid, "acks 1", &good);
        self.changed(Valid, "acks all", &good, |request| request.acks = -1);
        let sequence = batch(|bytes| bytes[56] = 1);
        self.changed(Valid, "a sequence without producer", &good, |request| {
            part(request).records = Some(sequence.into());
        });
        self.add(Valid, "nothing", &nothing);
        self.add(Error, "unknown topic", &stray);
        for acks in [2, -2, i16::MIN] {
            self.changed(Error, format!("acks {acks}"), &good, |request| {
                request.acks = acks
            });
        }
        for index in [-1, PARTITION_BEYOND, i32::MAX, i32::MIN] {
            let what = format!("partition {index}");
            self.changed(Error, what, &good, |request| part(request).index = index);
        }
        self.changed(Error, "no records", &good, |request| {
            part(request).records = None
        });
        let zstd = ("zstd too early".to_owned(), batch(|bytes| bytes[22] = 4));
        let zstd = Some(zstd).filter(|_| self.version < 7);
        for (what, lie) in lies().into_iter().chain(zstd) {
            self.changed(Error, what, &good, |request| {
                part(request).records = Some(lie.into())
            });
        }
        self.changed(Error, "transactional id", &good, |request| {
            request.transactional_id = Some("hostile".to_owned());
        });
        // Without an answer, closing is how a producer learns of an error.
        self.changed(Close, "acks 0 to nowhere", &stray, |request| {
            request.acks = 0
        });
        self.changed(Close, "acks 0 without records", &good, |request| {
            request.acks = 0;
            part(request).records = None;
        });
    }
}

/// A record batch of one record, changed before its checksum is made.
fn batch(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    const RECORD: [u8; 13] = [24, 0, 0, 0, 1, 12, b'h', b'o', b's', b't', b'i', b'l', 0];
    let mut bytes = Vec::new();
    bytes.extend(0_i64.to_be_bytes()); // base offset
    bytes.extend((49 + RECORD.len() as i32).to_be_bytes());
    bytes.extend((-1_i32).to_be_bytes()); // leader epoch
    bytes.push(2); // format
    bytes.extend([0; 4]); // checksum
    bytes.extend(0_i16.to_be_bytes()); // attributes
    bytes.extend(0_i32.to_be_bytes()); // last offset delta
    bytes.extend(1_700_000_000_000_i64.to_be_bytes());
    bytes.extend(1_700_000_000_000_i64.to_be_bytes());
    bytes.extend((-1_i64).to_be_bytes()); // producer id
    bytes.extend((-1_i16).to_be_bytes());
    bytes.extend((-1_i32).to_be_bytes());
    bytes.extend(1_i32.to_be_bytes()); // count
    bytes.extend(RECORD);
    change(&mut bytes);
    let checksum = crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

/// Batches that are none.
fn lies() -> Vec<(String, Vec<u8>)> {
    let put = |at: usize, lie: &[u8]| batch(|bytes| bytes[at..at + lie.len()].copy_from_slice(lie));
    let mut wrong_checksum = batch(|_| {});
    wrong_checksum[18] ^= 1;
    let rows = [
        ("wrong checksum", wrong_checksum),
        ("empty records", Vec::new()),
        ("half a header", batch(|_| {})[..30].to_vec()),
        ("a byte short", batch(|_| {})[..73].to_vec()),
        ("two batches", [batch(|_| {}), batch(|_| {})].concat()),
        ("length beyond the bytes", put(8, &[0x7f, 0xff, 0xff, 0xff])),
        ("length below a header", put(8, &[0, 0, 0, 1])),
        ("format 0", put(16, &[0])),
        ("format 1", put(16, &[1])),
        ("codec 7", put(22, &[7])),
        ("control batch", put(22, &[0x20])),
        ("transactional", put(22, &[0x10])),
        ("last offset delta 5", put(23, &[0, 0, 0, 5])),
        ("no records", put(57, &[0, 0, 0, 0])),
        ("a count below zero", put(57, &[0xff; 4])),
        (
            "a producer without epoch",
            put(43, &[0, 0, 0, 0, 0, 0, 0, 9]),
        ),
    ];
    rows.map(|(what, lie)| (what.to_owned(), lie)).into()
}
