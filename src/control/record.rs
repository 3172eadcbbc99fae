//! Records of the metadata log: the only way an image changes. Kinds and tags are on disk; a number is never given
//! another meaning.

use super::codec::{RawRecord, RecordWriter, split_record};
use super::image::Broker;
use super::replay_error::RecordError;
use crate::base::ids::{NodeId, TopicId, Uuid};
use crate::config::Overrides;
use bytes::Bytes;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Record {
    /// First of a snapshot, and only there.
    SnapshotHead {
        cluster_id: Uuid,
        version: u64,
    },
    /// Last of a snapshot, and only there: how many records lie before it.
    SnapshotEnd {
        records: u32,
    },
    BrokerRegistered {
        term: u32,
        broker: Broker,
    },
    TopicCreated(NewTopicRecord),
    /// The topic becomes a tombstone.
    TopicDeleted {
        id: TopicId,
    },
    TombstoneRemoved {
        id: TopicId,
    },
    /// In a snapshot: a topic that was deleted before it.
    TombstoneKept {
        id: TopicId,
        name: String,
        partitions: u32,
    },
    PartitionsGrown {
        id: TopicId,
        partitions: u32,
    },
    TopicConfigured {
        id: TopicId,
        changes: ConfigChanges,
    },
    /// `None`: the default of all brokers.
    BrokerConfigured {
        node: Option<NodeId>,
        changes: ConfigChanges,
    },
    GroupConfigured {
        group: String,
        changes: ConfigChanges,
    },
    ProducerIdsAllocated {
        next: i64,
    },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct NewTopicRecord {
    pub(super) id: TopicId,
    pub(super) name: String,
    pub(super) partitions: u32,
    pub(super) replication_factor: i16,
    pub(super) created_term: u32,
    pub(super) internal: bool,
    pub(super) overrides: Overrides,
}

/// Configs that get a value, and configs that lose theirs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct ConfigChanges {
    pub(super) set: Overrides,
    pub(super) cleared: Vec<String>,
}

mod kind {
    pub(super) const SNAPSHOT_HEAD: u16 = 1;
    pub(super) const SNAPSHOT_END: u16 = 2;
    pub(super) const BROKER_REGISTERED: u16 = 3;
    pub(super) const TOPIC_CREATED: u16 = 4;
    pub(super) const TOPIC_DELETED: u16 = 5;
    pub(super) const TOMBSTONE_REMOVED: u16 = 6;
    pub(super) const TOMBSTONE_KEPT: u16 = 7;
    pub(super) const PARTITIONS_GROWN: u16 = 8;
    pub(super) const TOPIC_CONFIGURED: u16 = 9;
    pub(super) const BROKER_CONFIGURED: u16 = 10;
    pub(super) const PRODUCER_IDS_ALLOCATED: u16 = 11;
    pub(super) const GROUP_CONFIGURED: u16 = 12;
}

/// One numbering for all kinds.
mod tag {
    pub(super) const CLUSTER_ID: u8 = 1;
    pub(super) const VERSION: u8 = 2;
    pub(super) const RECORDS: u8 = 3;
    pub(super) const TERM: u8 = 4;
    pub(super) const NODE_ID: u8 = 5;
    pub(super) const HOST: u8 = 6;
    pub(super) const PORT: u8 = 7;
    pub(super) const RACK: u8 = 8;
    pub(super) const TOPIC_ID: u8 = 9;
    pub(super) const NAME: u8 = 10;
    pub(super) const PARTITIONS: u8 = 11;
    pub(super) const REPLICATION_FACTOR: u8 = 12;
    pub(super) const INTERNAL: u8 = 13;
    pub(super) const CONFIG_SET: u8 = 14;
    pub(super) const CONFIG_CLEARED: u8 = 15;
    pub(super) const NEXT_PRODUCER_ID: u8 = 16;
}

impl Record {
    pub(super) fn encode(&self) -> Bytes {
        let writer = RecordWriter::new(self.kind());
        let writer = match self {
            Record::SnapshotHead {
                cluster_id,
                version,
            } => writer
                .field(tag::CLUSTER_ID, &cluster_id.0)
                .field(tag::VERSION, &version.to_le_bytes()),
            Record::SnapshotEnd { records } => writer.field(tag::RECORDS, &records.to_le_bytes()),
            Record::BrokerRegistered { term, broker } => encode_broker(writer, *term, broker),
            Record::TopicCreated(topic) => encode_topic(writer, topic),
            Record::TopicDeleted { id } | Record::TombstoneRemoved { id } => {
                writer.field(tag::TOPIC_ID, &id.0)
            }
            Record::TombstoneKept {
                id,
                name,
                partitions,
            } => writer
                .field(tag::TOPIC_ID, &id.0)
                .text(tag::NAME, name)
                .field(tag::PARTITIONS, &partitions.to_le_bytes()),
            Record::PartitionsGrown { id, partitions } => writer
                .field(tag::TOPIC_ID, &id.0)
                .field(tag::PARTITIONS, &partitions.to_le_bytes()),
            Record::TopicConfigured { id, changes } => {
                encode_changes(writer.field(tag::TOPIC_ID, &id.0), changes)
            }
            Record::BrokerConfigured {
                node: None,
                changes,
            } => encode_changes(writer, changes),
            Record::BrokerConfigured {
                node: Some(node),
                changes,
            } => encode_changes(writer.field(tag::NODE_ID, &node.0.to_le_bytes()), changes),
            Record::GroupConfigured { group, changes } => {
                encode_changes(writer.text(tag::NAME, group), changes)
            }
            Record::ProducerIdsAllocated { next } => {
                writer.field(tag::NEXT_PRODUCER_ID, &next.to_le_bytes())
            }
        };
        writer.finish()
    }

    fn kind(&self) -> u16 {
        match self {
            Record::SnapshotHead { .. } => kind::SNAPSHOT_HEAD,
            Record::SnapshotEnd { .. } => kind::SNAPSHOT_END,
            Record::BrokerRegistered { .. } => kind::BROKER_REGISTERED,
            Record::TopicCreated(_) => kind::TOPIC_CREATED,
            Record::TopicDeleted { .. } => kind::TOPIC_DELETED,
            Record::TombstoneRemoved { .. } => kind::TOMBSTONE_REMOVED,
            Record::TombstoneKept { .. } => kind::TOMBSTONE_KEPT,
            Record::PartitionsGrown { .. } => kind::PARTITIONS_GROWN,
            Record::TopicConfigured { .. } => kind::TOPIC_CONFIGURED,
            Record::BrokerConfigured { .. } => kind::BROKER_CONFIGURED,
            Record::GroupConfigured { .. } => kind::GROUP_CONFIGURED,
            Record::ProducerIdsAllocated { .. } => kind::PRODUCER_IDS_ALLOCATED,
        }
    }

    /// Takes the first record off `bytes`. None: a record this release may skip.
    pub(super) fn take(bytes: &mut &[u8]) -> Result<Option<Record>, RecordError> {
        let mut raw = split_record(bytes)?;
        let Some(record) = decode_known(&mut raw)? else {
            return match raw.is_skippable {
                true => Ok(None),
                false => Err(RecordError::UnknownKind { kind: raw.kind }),
            };
        };
        raw.fields.finish()?;
        Ok(Some(record))
    }

    /// Reads bytes that hold one record and nothing else.
    pub(super) fn decode(mut bytes: &[u8]) -> Result<Option<Record>, RecordError> {
        let record = Record::take(&mut bytes)?;
        match bytes.is_empty() {
            true => Ok(record),
            false => Err(RecordError::TrailingBytes),
        }
    }
}

/// None: the kind is unknown.
fn decode_known(raw: &mut RawRecord<'_>) -> Result<Option<Record>, RecordError> {
    let fields = &mut raw.fields;
    let record = match raw.kind {
        kind::SNAPSHOT_HEAD => Record::SnapshotHead {
            cluster_id: Uuid(fields.bytes(tag::CLUSTER_ID)?),
            version: u64::from_le_bytes(fields.bytes(tag::VERSION)?),
        },
        kind::SNAPSHOT_END => Record::SnapshotEnd {
            records: fields.u32(tag::RECORDS)?,
        },
        kind::BROKER_REGISTERED => decode_broker(raw)?,
        kind::TOPIC_CREATED => Record::TopicCreated(decode_topic(raw)?),
        kind::TOPIC_DELETED => Record::TopicDeleted { id: topic_id(raw)? },
        kind::TOMBSTONE_REMOVED => Record::TombstoneRemoved { id: topic_id(raw)? },
        kind::TOMBSTONE_KEPT => Record::TombstoneKept {
            id: topic_id(raw)?,
            name: raw.fields.text(tag::NAME)?,
            partitions: raw.fields.u32(tag::PARTITIONS)?,
        },
        kind::PARTITIONS_GROWN => Record::PartitionsGrown {
            id: topic_id(raw)?,
            partitions: raw.fields.u32(tag::PARTITIONS)?,
        },
        kind::TOPIC_CONFIGURED => Record::TopicConfigured {
            id: topic_id(raw)?,
            changes: decode_changes(raw)?,
        },
        kind::BROKER_CONFIGURED => Record::BrokerConfigured {
            node: decode_optional_node(raw)?,
            changes: decode_changes(raw)?,
        },
        kind::GROUP_CONFIGURED => Record::GroupConfigured {
            group: fields.text(tag::NAME)?,
            changes: decode_changes(raw)?,
        },
        kind::PRODUCER_IDS_ALLOCATED => Record::ProducerIdsAllocated {
            next: i64::from_le_bytes(fields.bytes(tag::NEXT_PRODUCER_ID)?),
        },
        _ => return Ok(None),
    };
    Ok(Some(record))
}

fn topic_id(raw: &mut RawRecord<'_>) -> Result<TopicId, RecordError> {
    raw.fields.bytes(tag::TOPIC_ID).map(Uuid)
}

fn encode_broker(writer: RecordWriter, term: u32, broker: &Broker) -> RecordWriter {
    writer
        .field(tag::TERM, &term.to_le_bytes())
        .field(tag::NODE_ID, &broker.node_id.0.to_le_bytes())
        .text(tag::HOST, &broker.host)
        .field(tag::PORT, &broker.port.to_le_bytes())
        .optional_text(tag::RACK, broker.rack.as_deref())
}

fn decode_broker(raw: &mut RawRecord<'_>) -> Result<Record, RecordError> {
    let fields = &mut raw.fields;
    Ok(Record::BrokerRegistered {
        term: fields.u32(tag::TERM)?,
        broker: Broker {
            node_id: NodeId(i32::from_le_bytes(fields.bytes(tag::NODE_ID)?)),
            host: fields.text(tag::HOST)?,
            port: u16::from_le_bytes(fields.bytes(tag::PORT)?),
            rack: fields.optional_text(tag::RACK)?,
        },
    })
}

fn encode_topic(writer: RecordWriter, topic: &NewTopicRecord) -> RecordWriter {
    let writer = writer
        .field(tag::TOPIC_ID, &topic.id.0)
        .text(tag::NAME, &topic.name)
        .field(tag::PARTITIONS, &topic.partitions.to_le_bytes())
        .field(
            tag::REPLICATION_FACTOR,
            &topic.replication_factor.to_le_bytes(),
        )
        .field(tag::TERM, &topic.created_term.to_le_bytes())
        .field(tag::INTERNAL, &[u8::from(topic.internal)]);
    encode_set(writer, &topic.overrides)
}

fn decode_topic(raw: &mut RawRecord<'_>) -> Result<NewTopicRecord, RecordError> {
    let fields = &mut raw.fields;
    Ok(NewTopicRecord {
        id: Uuid(fields.bytes(tag::TOPIC_ID)?),
        name: fields.text(tag::NAME)?,
        partitions: fields.u32(tag::PARTITIONS)?,
        replication_factor: i16::from_le_bytes(fields.bytes(tag::REPLICATION_FACTOR)?),
        created_term: fields.u32(tag::TERM)?,
        internal: match fields.bytes(tag::INTERNAL)? {
            [0] => false,
            [1] => true,
            _ => return Err(fields.bad(tag::INTERNAL)),
        },
        overrides: fields.pairs(tag::CONFIG_SET)?.into_iter().collect(),
    })
}

fn encode_changes(writer: RecordWriter, changes: &ConfigChanges) -> RecordWriter {
    let clear = |writer: RecordWriter, name: &String| writer.text(tag::CONFIG_CLEARED, name);
    let writer = encode_set(writer, &changes.set);
    changes.cleared.iter().fold(writer, clear)
}

fn encode_set(writer: RecordWriter, set: &Overrides) -> RecordWriter {
    let pair =
        |w: RecordWriter, (name, value): (&String, &String)| w.pair(tag::CONFIG_SET, name, value);
    set.iter().fold(writer, pair)
}

fn decode_changes(raw: &mut RawRecord<'_>) -> Result<ConfigChanges, RecordError> {
    Ok(ConfigChanges {
        set: raw.fields.pairs(tag::CONFIG_SET)?.into_iter().collect(),
        cleared: raw.fields.texts(tag::CONFIG_CLEARED)?,
    })
}

fn decode_optional_node(raw: &mut RawRecord<'_>) -> Result<Option<NodeId>, RecordError> {
    let node = raw.fields.optional(tag::NODE_ID);
    let number = node.map(|bytes| bytes.try_into().map(i32::from_le_bytes));
    let number = number
        .transpose()
        .map_err(|_| raw.fields.bad(tag::NODE_ID))?;
    Ok(number.map(NodeId))
}

#[cfg(test)]
mod tests;
