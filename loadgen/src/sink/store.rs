//! Topics of the sink: batches as they came, each with the offset it was given.

use bytes::Bytes;
use ottla::base::offset::Offset;
use ottla::record::BatchHeader;
use std::collections::{BTreeMap, VecDeque};

#[derive(Default)]
pub(crate) struct Store {
    topics: BTreeMap<String, Vec<Partition>>,
    bytes: usize,
    bytes_max: usize,
    /// Refuses what does not fit, instead of dropping what is oldest.
    keep: bool,
}

#[derive(Default)]
pub(crate) struct Partition {
    batches: VecDeque<Stored>,
    end: i64,
}

struct Stored {
    base: i64,
    next: i64,
    bytes: Bytes,
}

/// Where a log begins and ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ends {
    pub(crate) start: i64,
    pub(crate) end: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    NoSuchPartition,
    NoBatch,
    Full,
}

impl Store {
    pub(crate) fn new(bytes_max: usize, keep: bool) -> Store {
        Store {
            bytes_max,
            keep,
            ..Store::default()
        }
    }

    /// False when there is one of that name.
    pub(crate) fn create(&mut self, topic: &str, partitions: usize) -> bool {
        if self.topics.contains_key(topic) {
            return false;
        }
        let partitions = (0..partitions).map(|_| Partition::default()).collect();
        self.topics.insert(topic.to_owned(), partitions);
        true
    }

    pub(crate) fn partitions(&self, topic: &str) -> Option<usize> {
        self.topics.get(topic).map(Vec::len)
    }

    pub(crate) fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.keys().map(String::as_str)
    }

    /// The offset of the first record of what was appended.
    pub(crate) fn append(&mut self, topic: &str, index: i32, batch: Bytes) -> Result<i64, Refusal> {
        let header = BatchHeader::parse(&batch).map_err(|_| Refusal::NoBatch)?;
        if header.total_bytes() != batch.len() {
            return Err(Refusal::NoBatch);
        }
        if self.keep && self.bytes + batch.len() > self.bytes_max {
            return Err(Refusal::Full);
        }
        let partition = self
            .partition_mut(topic, index)
            .ok_or(Refusal::NoSuchPartition)?;
        let base = partition.end;
        let next = base + i64::from(header.last_offset_delta) + 1;
        partition.end = next;
        let mut bytes = batch.len() as i64;
        partition.batches.push_back(Stored {
            base,
            next,
            bytes: batch,
        });
        // Each append makes the room it takes, in its own partition.
        while !self.keep && self.bytes as i64 + bytes > self.bytes_max as i64 {
            let partition = self.partition_mut(topic, index).expect("it is there");
            match partition.batches.pop_front() {
                Some(oldest) => bytes -= oldest.bytes.len() as i64,
                None => break,
            }
        }
        self.bytes = usize::try_from(self.bytes as i64 + bytes).expect("no more goes than came");
        Ok(base)
    }

    pub(crate) fn ends(&self, topic: &str, index: i32) -> Option<Ends> {
        let partition = self.partition(topic, index)?;
        let first = partition.batches.front();
        Some(Ends {
            start: first.map_or(partition.end, |first| first.base),
            end: partition.end,
        })
    }

    /// Whole batches from the one that holds `offset`: at least one when there is any, then as fit into `bytes_max`.
    pub(crate) fn read(
        &self,
        topic: &str,
        index: i32,
        offset: i64,
        bytes_max: usize,
    ) -> Vec<Bytes> {
        let Some(partition) = self.partition(topic, index) else {
            return Vec::new();
        };
        let first = partition
            .batches
            .partition_point(|stored| stored.next <= offset);
        let mut pieces = Vec::new();
        let mut bytes = 0;
        for stored in partition.batches.range(first..) {
            if bytes > 0 && bytes + stored.bytes.len() > bytes_max {
                break;
            }
            bytes += stored.bytes.len();
            let offset = Offset(stored.base).0.to_be_bytes();
            pieces.push(Bytes::copy_from_slice(&offset));
            pieces.push(stored.bytes.slice(offset.len()..));
        }
        pieces
    }

    fn partition(&self, topic: &str, index: i32) -> Option<&Partition> {
        self.topics.get(topic)?.get(usize::try_from(index).ok()?)
    }

    fn partition_mut(&mut self, topic: &str, index: i32) -> Option<&mut Partition> {
        self.topics
            .get_mut(topic)?
            .get_mut(usize::try_from(index).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla::base::time::Timestamp;
    use ottla::record::{BatchBuilder, Codec, NewRecord};

    fn batch(records: usize) -> Bytes {
        let mut builder = BatchBuilder::new(Codec::None);
        for _ in 0..records {
            builder.push(&NewRecord::value(Timestamp(0), b"x"));
        }
        builder.build()
    }

    #[test]
    fn batches_come_back_with_their_offsets() {
        let mut store = Store::new(1 << 20, true);
        assert!(store.create("t", 1) && !store.create("t", 1));
        assert_eq!(store.append("t", 0, batch(3)), Ok(0));
        assert_eq!(store.append("t", 0, batch(2)), Ok(3));
        assert_eq!(
            store.append("t", 1, batch(2)),
            Err(Refusal::NoSuchPartition)
        );
        assert_eq!(store.ends("t", 0), Some(Ends { start: 0, end: 5 }));
        let read = store.read("t", 0, 4, 1_000).concat();
        let header = BatchHeader::parse(&read).expect("a batch");
        assert_eq!(
            (header.base_offset, read.len()),
            (Offset(3), header.total_bytes())
        );
        assert!(store.read("t", 0, 5, 1_000).is_empty());
    }

    #[test]
    fn the_oldest_goes_or_the_newest_is_refused() {
        let bytes_max = batch(1).len() * 3;
        for keep in [false, true] {
            let mut store = Store::new(bytes_max, keep);
            store.create("t", 1);
            let appended = (0..5)
                .filter(|_| store.append("t", 0, batch(1)).is_ok())
                .count();
            let ends = store.ends("t", 0).expect("it is there");
            assert_eq!(ends.end - ends.start, 3);
            assert_eq!(appended, if keep { 3 } else { 5 });
        }
    }
}
