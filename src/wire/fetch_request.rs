//! What a Fetch asks for. The answer is in [`fetch`](super::fetch).

use super::data_path::{decode_topic, encode_topic, refuse_other_versions};
use super::fetch::{FLEXIBLE_FROM, SESSIONS_FROM};
use super::primitive::{Decode, DecodeError, Encode, RawTaggedField, Reader, Writer};
use super::version::ApiKey;
use crate::base::ids::Uuid;

/// Versions with a replica id in front; later it is a tagged field.
const REPLICA_ID_UNTIL: i16 = 14;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchRequest {
    pub cluster_id: Option<String>,
    /// -1 for consumers; anything else claims to be a broker.
    pub replica_id: i32,
    pub replica_state: ReplicaState,
    pub max_wait_ms: i32,
    pub min_bytes: i32,
    pub max_bytes: i32,
    /// 1 ends at the last stable offset, 0 at the high watermark.
    pub isolation_level: i8,
    pub session_id: i32,
    pub session_epoch: i32,
    /// Served in this order.
    pub topics: Vec<FetchTopic>,
    pub forgotten_topics_data: Vec<ForgottenTopic>,
    pub rack_id: String,
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

impl Default for FetchRequest {
    fn default() -> FetchRequest {
        FetchRequest {
            cluster_id: None,
            replica_id: -1,
            replica_state: ReplicaState::default(),
            max_wait_ms: 0,
            min_bytes: 0,
            max_bytes: i32::MAX,
            isolation_level: 0,
            session_id: 0,
            session_epoch: -1,
            topics: Vec::new(),
            forgotten_topics_data: Vec::new(),
            rack_id: String::new(),
            unknown_tagged_fields: Vec::new(),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplicaState {
    pub replica_id: i32,
    pub replica_epoch: i64,
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

impl Default for ReplicaState {
    fn default() -> ReplicaState {
        ReplicaState {
            replica_id: -1,
            replica_epoch: -1,
            unknown_tagged_fields: Vec::new(),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FetchTopic {
    pub topic: String,
    pub topic_id: Uuid,
    pub partitions: Vec<FetchPartition>,
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchPartition {
    pub partition: i32,
    pub current_leader_epoch: i32,
    pub fetch_offset: i64,
    pub last_fetched_epoch: i32,
    /// A follower's log start; -1 from consumers.
    pub log_start_offset: i64,
    pub partition_max_bytes: i32,
    pub replica_directory_id: Uuid,
    pub high_watermark: i64,
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

impl Default for FetchPartition {
    fn default() -> FetchPartition {
        FetchPartition {
            partition: 0,
            current_leader_epoch: -1,
            fetch_offset: 0,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: 0,
            replica_directory_id: Uuid::ZERO,
            high_watermark: i64::MAX,
            unknown_tagged_fields: Vec::new(),
        }
    }
}

/// A topic to drop from the fetch session.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ForgottenTopic {
    pub topic: String,
    pub topic_id: Uuid,
    pub partitions: Vec<i32>,
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

impl Decode for FetchRequest {
    fn decode(reader: &mut Reader, version: i16) -> Result<FetchRequest, DecodeError> {
        refuse_other_versions(ApiKey::Fetch, version)?;
        let flexible = version >= FLEXIBLE_FROM;
        let mut request = FetchRequest::default();
        if version <= REPLICA_ID_UNTIL {
            request.replica_id = reader.int32()?;
        }
        request.max_wait_ms = reader.int32()?;
        request.min_bytes = reader.int32()?;
        request.max_bytes = reader.int32()?;
        request.isolation_level = reader.int8()?;
        if version >= SESSIONS_FROM {
            request.session_id = reader.int32()?;
            request.session_epoch = reader.int32()?;
        }
        request.topics = reader.array(flexible, 3, |reader| Decode::decode(reader, version))?;
        if version >= SESSIONS_FROM {
            request.forgotten_topics_data =
                reader.array(flexible, 3, |reader| Decode::decode(reader, version))?;
        }
        if version >= 11 {
            request.rack_id = reader.string(flexible)?;
        }
        if flexible {
            request.unknown_tagged_fields = reader.tagged_fields(|reader, tag| {
                match tag {
                    0 => request.cluster_id = reader.nullable_string(true)?,
                    1 if version > REPLICA_ID_UNTIL => {
                        request.replica_state = Decode::decode(reader, version)?;
                    }
                    _ => return Ok(false),
                }
                Ok(true)
            })?;
        }
        Ok(request)
    }
}

impl Decode for ReplicaState {
    fn decode(reader: &mut Reader, _version: i16) -> Result<ReplicaState, DecodeError> {
        Ok(ReplicaState {
            replica_id: reader.int32()?,
            replica_epoch: reader.int64()?,
            unknown_tagged_fields: reader.unknown_tagged_fields(true)?,
        })
    }
}

impl Decode for FetchTopic {
    fn decode(reader: &mut Reader, version: i16) -> Result<FetchTopic, DecodeError> {
        let flexible = version >= FLEXIBLE_FROM;
        let (topic, topic_id) = decode_topic(reader, flexible, version)?;
        Ok(FetchTopic {
            topic,
            topic_id,
            partitions: reader.array(flexible, 16, |reader| Decode::decode(reader, version))?,
            unknown_tagged_fields: reader.unknown_tagged_fields(flexible)?,
        })
    }
}

impl Decode for FetchPartition {
    fn decode(reader: &mut Reader, version: i16) -> Result<FetchPartition, DecodeError> {
        let mut request = FetchPartition {
            partition: reader.int32()?,
            ..Default::default()
        };
        if version >= 9 {
            request.current_leader_epoch = reader.int32()?;
        }
        request.fetch_offset = reader.int64()?;
        if version >= 12 {
            request.last_fetched_epoch = reader.int32()?;
        }
        if version >= 5 {
            request.log_start_offset = reader.int64()?;
        }
        request.partition_max_bytes = reader.int32()?;
        if version >= FLEXIBLE_FROM {
            request.unknown_tagged_fields = reader.tagged_fields(|reader, tag| {
                match tag {
                    0 if version >= 17 => request.replica_directory_id = reader.uuid()?,
                    1 if version >= 18 => request.high_watermark = reader.int64()?,
                    _ => return Ok(false),
                }
                Ok(true)
            })?;
        }
        Ok(request)
    }
}

impl Decode for ForgottenTopic {
    fn decode(reader: &mut Reader, version: i16) -> Result<ForgottenTopic, DecodeError> {
        let flexible = version >= FLEXIBLE_FROM;
        let (topic, topic_id) = decode_topic(reader, flexible, version)?;
        Ok(ForgottenTopic {
            topic,
            topic_id,
            partitions: reader.array(flexible, 4, Reader::int32)?,
            unknown_tagged_fields: reader.unknown_tagged_fields(flexible)?,
        })
    }
}

impl Encode for FetchRequest {
    fn encode(&self, writer: &mut Writer, version: i16) {
        let flexible = version >= FLEXIBLE_FROM;
        if version <= REPLICA_ID_UNTIL {
            writer.int32(self.replica_id);
        }
        writer.int32(self.max_wait_ms);
        writer.int32(self.min_bytes);
        writer.int32(self.max_bytes);
        writer.int8(self.isolation_level);
        if version >= SESSIONS_FROM {
            writer.int32(self.session_id);
            writer.int32(self.session_epoch);
        }
        writer.array(flexible, &self.topics, |writer, topic| {
            topic.encode(writer, version)
        });
        if version >= SESSIONS_FROM {
            writer.array(flexible, &self.forgotten_topics_data, |writer, topic| {
                topic.encode(writer, version);
            });
        }
        if version >= 11 {
            writer.string(flexible, &self.rack_id);
        }
        if flexible {
            writer.tagged_fields(
                &self.known_tagged_fields(version),
                &self.unknown_tagged_fields,
            );
        }
    }
}

impl FetchRequest {
    fn known_tagged_fields(&self, version: i16) -> Vec<RawTaggedField> {
        let mut known = Vec::new();
        if let Some(cluster_id) = &self.cluster_id {
            known.push(RawTaggedField::known(0, |writer| {
                writer.string(true, cluster_id)
            }));
        }
        if version > REPLICA_ID_UNTIL && self.replica_state != ReplicaState::default() {
            known.push(RawTaggedField::known(1, |writer| {
                self.replica_state.encode(writer, version);
            }));
        }
        known
    }
}

impl Encode for ReplicaState {
    fn encode(&self, writer: &mut Writer, _version: i16) {
        writer.int32(self.replica_id);
        writer.int64(self.replica_epoch);
        writer.unknown_tagged_fields(true, &self.unknown_tagged_fields);
    }
}

impl Encode for FetchTopic {
    fn encode(&self, writer: &mut Writer, version: i16) {
        let flexible = version >= FLEXIBLE_FROM;
        encode_topic(writer, flexible, version, (&self.topic, self.topic_id));
        writer.array(flexible, &self.partitions, |writer, partition| {
            partition.encode(writer, version);
        });
        writer.unknown_tagged_fields(flexible, &self.unknown_tagged_fields);
    }
}

impl Encode for FetchPartition {
    fn encode(&self, writer: &mut Writer, version: i16) {
        writer.int32(self.partition);
        if version >= 9 {
            writer.int32(self.current_leader_epoch);
        }
        writer.int64(self.fetch_offset);
        if version >= 12 {
            writer.int32(self.last_fetched_epoch);
        }
        if version >= 5 {
            writer.int64(self.log_start_offset);
        }
        writer.int32(self.partition_max_bytes);
        if version >= FLEXIBLE_FROM {
            let mut known = Vec::new();
            if version >= 17 && !self.replica_directory_id.is_zero() {
                let id = self.replica_directory_id;
                known.push(RawTaggedField::known(0, |writer| writer.uuid(id)));
            }
            if version >= 18 && self.high_watermark != i64::MAX {
                let offset = self.high_watermark;
                known.push(RawTaggedField::known(1, |writer| writer.int64(offset)));
            }
            writer.tagged_fields(&known, &self.unknown_tagged_fields);
        }
    }
}

impl Encode for ForgottenTopic {
    fn encode(&self, writer: &mut Writer, version: i16) {
        let flexible = version >= FLEXIBLE_FROM;
        encode_topic(writer, flexible, version, (&self.topic, self.topic_id));
        writer.array(flexible, &self.partitions, |writer, &partition| {
            writer.int32(partition)
        });
        writer.unknown_tagged_fields(flexible, &self.unknown_tagged_fields);
    }
}
