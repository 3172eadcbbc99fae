//! An image as bytes: the fewest records that make it, between a head and an end.
//!
//! ```text
//! magic "OTTM" | format u16 | zero u16 | records: SnapshotHead, ..., SnapshotEnd
//! ```
//!
//! The record codec is the only one, so whatever the log can say a snapshot can hold. Checksums are the business of
//! the file around it.

use super::controller::Start;
use super::image::{Image, Topic};
use super::record::{ConfigChanges, NewTopicRecord, Record};
use super::replay_error::{ApplyError, Place, RecordError, ReplayError, ReplayProblem};
use bytes::{BufMut, Bytes, BytesMut};

const MAGIC: &[u8; 4] = b"OTTM";
const FORMAT: u16 = 1;
const HEADER_BYTES: usize = 8;

pub(super) fn encode(image: &Image) -> Bytes {
    let records = records_of(image);
    let end = Record::SnapshotEnd {
        records: u32::try_from(records.len()).expect("an image is far smaller"),
    };
    let mut bytes = BytesMut::new();
    bytes.put_slice(MAGIC);
    bytes.put_u16_le(FORMAT);
    bytes.put_u16_le(0);
    for record in records.iter().chain([&end]) {
        bytes.put(record.encode());
    }
    bytes.freeze()
}

fn records_of(image: &Image) -> Vec<Record> {
    let (cluster_id, version) = (image.cluster_id, image.version);
    let mut records = vec![Record::SnapshotHead {
        cluster_id,
        version,
    }];
    if let Some(broker) = &image.broker {
        let (term, broker) = (image.term, (**broker).clone());
        records.push(Record::BrokerRegistered { term, broker });
    }
    for (node, overrides) in &*image.broker_overrides {
        let changes = ConfigChanges {
            set: (**overrides).clone(),
            cleared: Vec::new(),
        };
        records.push(Record::BrokerConfigured {
            node: *node,
            changes,
        });
    }
    for (group, overrides) in &*image.group_overrides {
        let changes = ConfigChanges {
            set: (**overrides).clone(),
            cleared: Vec::new(),
        };
        let group = group.to_string();
        records.push(Record::GroupConfigured { group, changes });
    }
    if image.next_producer_id > 0 {
        let next = image.next_producer_id;
        records.push(Record::ProducerIdsAllocated { next });
    }
    records.extend(
        image
            .topics()
            .map(|topic| Record::TopicCreated(record_of(topic))),
    );
    records.extend(
        image
            .tombstones()
            .map(|(id, tombstone)| Record::TombstoneKept {
                id,
                name: tombstone.name.to_string(),
                partitions: tombstone.partitions,
            }),
    );
    records
}

fn record_of(topic: &Topic) -> NewTopicRecord {
    NewTopicRecord {
        id: topic.id,
        name: topic.name.to_string(),
        partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        created_term: topic.created_term,
        internal: topic.internal,
        overrides: topic.overrides.clone(),
    }
}

pub(super) fn decode(start: &Start, bytes: &[u8]) -> Result<Image, ReplayError> {
    let mut reader = Reader::open(bytes).map_err(|problem| at(0, problem))?;
    let result = reader.read(start);
    result.map_err(|problem| at(reader.index, problem))
}

fn at(index: usize, problem: ReplayProblem) -> ReplayError {
    let place = Place::Snapshot(index);
    ReplayError { place, problem }
}

struct Reader<'a> {
    left: &'a [u8],
    /// Of the record being read.
    index: usize,
}

impl<'a> Reader<'a> {
    fn open(bytes: &'a [u8]) -> Result<Reader<'a>, ReplayProblem> {
        let header = bytes.split_at_checked(HEADER_BYTES);
        let (header, left) = header.ok_or(ReplayProblem::NoSnapshot)?;
        if !header.starts_with(MAGIC) {
            return Err(ReplayProblem::NoSnapshot);
        }
        match u16::from_le_bytes([header[4], header[5]]) {
            FORMAT => Ok(Reader { left, index: 0 }),
            format => Err(ReplayProblem::UnknownSnapshotFormat { format }),
        }
    }

    fn read(&mut self, start: &Start) -> Result<Image, ReplayProblem> {
        let version = self.read_head(start)?;
        let mut image = Image::empty(start).map_err(ApplyError::Config)?;
        loop {
            self.index += 1;
            if self.left.is_empty() {
                return Err(ReplayProblem::SnapshotLength);
            }
            match Record::take(&mut self.left)? {
                Some(Record::SnapshotEnd { records }) => {
                    if records as usize != self.index || !self.left.is_empty() {
                        return Err(ReplayProblem::SnapshotLength);
                    }
                    image.version = version;
                    return Ok(image);
                }
                Some(record) => image.apply(record)?,
                None => {}
            }
        }
    }

    fn read_head(&mut self, start: &Start) -> Result<u64, ReplayProblem> {
        match Record::take(&mut self.left)? {
            Some(Record::SnapshotHead {
                cluster_id,
                version,
            }) => {
                check_cluster(start, cluster_id)?;
                Ok(version)
            }
            _ => Err(ApplyError::OutOfPlace.into()),
        }
    }
}

fn check_cluster(start: &Start, found: crate::base::ids::Uuid) -> Result<(), ApplyError> {
    let expected = start.cluster_id;
    match found == expected {
        true => Ok(()),
        false => Err(ApplyError::OtherCluster { found, expected }),
    }
}

/// Applies one record of the log after a snapshot.
pub(super) fn replay(image: &mut Image, bytes: &[u8]) -> Result<(), ReplayProblem> {
    match Record::decode(bytes).map_err(|error: RecordError| ReplayProblem::Record(error))? {
        Some(record) => Ok(image.apply(record)?),
        None => {
            image.version += 1;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
