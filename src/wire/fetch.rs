//! Fetch, by hand: an answer's record bytes stay in the pieces the log gave, for one vectored write.
//!
//! Versions 0-3 carried older record formats. Version 7 has sessions, 12 is flexible, 13 names topics by id.

use std::fmt;

use bytes::Bytes;

use super::data_path::{decode_topic, encode_topic, refuse_other_versions};
use super::primitive::{Decode, DecodeError, Encode, RawTaggedField, Reader, Writer};
use super::version::ApiKey;
use crate::base::ids::Uuid;

pub use super::data_path::{LeaderIdAndEpoch, NodeEndpoint};
pub use super::fetch_request::{
    FetchPartition, FetchRequest, FetchTopic, ForgottenTopic, ReplicaState,
};

pub(super) const FLEXIBLE_FROM: i16 = 12;
pub(super) const SESSIONS_FROM: i16 = 7;
const NODE_ENDPOINTS_FROM: i16 = 16;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FetchResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    /// 0 declines a session.
    pub session_id: i32,
    pub responses: Vec<FetchableTopicResponse>,
    /// Where the leaders named in `current_leader` are dialled.
    pub node_endpoints: Vec<NodeEndpoint>,
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FetchableTopicResponse {
    pub topic: String,
    pub topic_id: Uuid,
    pub partitions: Vec<PartitionData>,
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionData {
    pub partition_index: i32,
    pub error_code: i16,
    pub high_watermark: i64,
    pub last_stable_offset: i64,
    pub log_start_offset: i64,
    /// Where the fetcher's log left the leader's.
    pub diverging_epoch: EpochEndOffset,
    pub current_leader: LeaderIdAndEpoch,
    pub snapshot_id: SnapshotId,
    /// Sorted by first offset; null unless the fetch is read-committed.
    pub aborted_transactions: Option<Vec<AbortedTransaction>>,
    pub preferred_read_replica: i32,
    /// Whole record batches.
    pub records: Option<RecordPieces>,
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

impl Default for PartitionData {
    fn default() -> PartitionData {
        PartitionData {
            partition_index: 0,
            error_code: 0,
            high_watermark: 0,
            last_stable_offset: -1,
            log_start_offset: -1,
            diverging_epoch: EpochEndOffset::default(),
            current_leader: LeaderIdAndEpoch::default(),
            snapshot_id: SnapshotId::default(),
            aborted_transactions: Some(Vec::new()),
            preferred_read_replica: -1,
            records: Some(RecordPieces::default()),
            unknown_tagged_fields: Vec::new(),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EpochEndOffset {
    pub epoch: i32,
    pub end_offset: i64,
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

impl Default for EpochEndOffset {
    fn default() -> EpochEndOffset {
        EpochEndOffset {
            epoch: -1,
            end_offset: -1,
            unknown_tagged_fields: Vec::new(),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SnapshotId {
    pub end_offset: i64,
    pub epoch: i32,
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

impl Default for SnapshotId {
    fn default() -> SnapshotId {
        SnapshotId {
            end_offset: -1,
            epoch: -1,
            unknown_tagged_fields: Vec::new(),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AbortedTransaction {
    pub producer_id: i64,
    pub first_offset: i64,
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

/// Record bytes in as many slices as they lie in memory. Equal when the bytes are.
#[derive(Clone, Default)]
pub struct RecordPieces(pub Vec<Bytes>);

impl RecordPieces {
    pub fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes in one piece; copies when there are several.
    pub fn into_bytes(mut self) -> Bytes {
        match self.0.len() {
            0 | 1 => self.0.pop().unwrap_or_default(),
            _ => self.0.concat().into(),
        }
    }
}

impl PartialEq for RecordPieces {
    fn eq(&self, other: &RecordPieces) -> bool {
        self.0.iter().flatten().eq(other.0.iter().flatten())
    }
}

impl Eq for RecordPieces {}

impl fmt::Debug for RecordPieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.clone().into_bytes().fmt(f)
    }
}

impl Decode for FetchResponse {
    fn decode(reader: &mut Reader, version: i16) -> Result<FetchResponse, DecodeError> {
        refuse_other_versions(ApiKey::Fetch, version)?;
        let flexible = version >= FLEXIBLE_FROM;
        let mut response = FetchResponse {
            throttle_time_ms: reader.int32()?,
            ..FetchResponse::default()
        };
        if version >= SESSIONS_FROM {
            response.error_code = reader.int16()?;
            response.session_id = reader.int32()?;
        }
        response.responses = reader.array(flexible, 3, |reader| Decode::decode(reader, version))?;
        if flexible {
            response.unknown_tagged_fields = reader.tagged_fields(|reader, tag| match tag {
                0 if version >= NODE_ENDPOINTS_FROM => {
                    response.node_endpoints = NodeEndpoint::decode_array(reader, version)?;
                    Ok(true)
                }
                _ => Ok(false),
            })?;
        }
        Ok(response)
    }
}

impl Decode for FetchableTopicResponse {
    fn decode(reader: &mut Reader, version: i16) -> Result<FetchableTopicResponse, DecodeError> {
        let flexible = version >= FLEXIBLE_FROM;
        let (topic, topic_id) = decode_topic(reader, flexible, version)?;
        Ok(FetchableTopicResponse {
            topic,
            topic_id,
            partitions: reader.array(flexible, 25, |reader| Decode::decode(reader, version))?,
            unknown_tagged_fields: reader.unknown_tagged_fields(flexible)?,
        })
    }
}

impl Decode for PartitionData {
    fn decode(reader: &mut Reader, version: i16) -> Result<PartitionData, DecodeError> {
        let flexible = version >= FLEXIBLE_FROM;
        let mut data = PartitionData {
            partition_index: reader.int32()?,
            error_code: reader.int16()?,
            high_watermark: reader.int64()?,
            last_stable_offset: reader.int64()?,
            ..PartitionData::default()
        };
        if version >= 5 {
            data.log_start_offset = reader.int64()?;
        }
        data.aborted_transactions =
            reader.nullable_array(flexible, 16, |reader| Decode::decode(reader, version))?;
        if version >= 11 {
            data.preferred_read_replica = reader.int32()?;
        }
        let records = reader.nullable_bytes(flexible)?;
        data.records = records.map(|records| RecordPieces(vec![records]));
        if flexible {
            data.unknown_tagged_fields = reader.tagged_fields(|reader, tag| {
                match tag {
                    0 => data.diverging_epoch = Decode::decode(reader, version)?,
                    1 => data.current_leader = Decode::decode(reader, version)?,
                    2 => data.snapshot_id = Decode::decode(reader, version)?,
                    _ => return Ok(false),
                }
                Ok(true)
            })?;
        }
        Ok(data)
    }
}

impl Decode for EpochEndOffset {
    fn decode(reader: &mut Reader, _version: i16) -> Result<EpochEndOffset, DecodeError> {
        Ok(EpochEndOffset {
            epoch: reader.int32()?,
            end_offset: reader.int64()?,
            unknown_tagged_fields: reader.unknown_tagged_fields(true)?,
        })
    }
}

impl Decode for SnapshotId {
    fn decode(reader: &mut Reader, _version: i16) -> Result<SnapshotId, DecodeError> {
        Ok(SnapshotId {
            end_offset: reader.int64()?,
            epoch: reader.int32()?,
            unknown_tagged_fields: reader.unknown_tagged_fields(true)?,
        })
    }
}

impl Decode for AbortedTransaction {
    fn decode(reader: &mut Reader, version: i16) -> Result<AbortedTransaction, DecodeError> {
        Ok(AbortedTransaction {
            producer_id: reader.int64()?,
            first_offset: reader.int64()?,
            unknown_tagged_fields: reader.unknown_tagged_fields(version >= FLEXIBLE_FROM)?,
        })
    }
}

impl Encode for FetchResponse {
    fn encode(&self, writer: &mut Writer, version: i16) {
        let flexible = version >= FLEXIBLE_FROM;
        writer.int32(self.throttle_time_ms);
        if version >= SESSIONS_FROM {
            writer.int16(self.error_code);
            writer.int32(self.session_id);
        }
        writer.array(flexible, &self.responses, |writer, topic| {
            topic.encode(writer, version)
        });
        if flexible {
            let mut known = Vec::new();
            if version >= NODE_ENDPOINTS_FROM && !self.node_endpoints.is_empty() {
                known.push(NodeEndpoint::tagged_array(0, &self.node_endpoints, version));
            }
            writer.tagged_fields(&known, &self.unknown_tagged_fields);
        }
    }
}

impl Encode for FetchableTopicResponse {
    fn encode(&self, writer: &mut Writer, version: i16) {
        let flexible = version >= FLEXIBLE_FROM;
        encode_topic(writer, flexible, version, (&self.topic, self.topic_id));
        writer.array(flexible, &self.partitions, |writer, data| {
            data.encode(writer, version)
        });
        writer.unknown_tagged_fields(flexible, &self.unknown_tagged_fields);
    }
}

impl Encode for PartitionData {
    fn encode(&self, writer: &mut Writer, version: i16) {
        let flexible = version >= FLEXIBLE_FROM;
        writer.int32(self.partition_index);
        writer.int16(self.error_code);
        writer.int64(self.high_watermark);
        writer.int64(self.last_stable_offset);
        if version >= 5 {
            writer.int64(self.log_start_offset);
        }
        writer.nullable_array(
            flexible,
            self.aborted_transactions.as_deref(),
            |writer, transaction| transaction.encode(writer, version),
        );
        if version >= 11 {
            writer.int32(self.preferred_read_replica);
        }
        writer.length(flexible, self.records.as_ref().map(RecordPieces::len));
        for piece in self.records.iter().flat_map(|records| &records.0) {
            writer.shared(piece.clone());
        }
        if flexible {
            writer.tagged_fields(
                &self.known_tagged_fields(version),
                &self.unknown_tagged_fields,
            );
        }
    }
}

impl PartitionData {
    fn known_tagged_fields(&self, version: i16) -> Vec<RawTaggedField> {
        let mut known = Vec::new();
        if self.diverging_epoch != EpochEndOffset::default() {
            known.push(RawTaggedField::known(0, |writer| {
                self.diverging_epoch.encode(writer, version);
            }));
        }
        if self.current_leader != LeaderIdAndEpoch::default() {
            known.push(RawTaggedField::known(1, |writer| {
                self.current_leader.encode(writer, version);
            }));
        }
        if self.snapshot_id != SnapshotId::default() {
            known.push(RawTaggedField::known(2, |writer| {
                self.snapshot_id.encode(writer, version);
            }));
        }
        known
    }
}

impl Encode for EpochEndOffset {
    fn encode(&self, writer: &mut Writer, _version: i16) {
        writer.int32(self.epoch);
        writer.int64(self.end_offset);
        writer.unknown_tagged_fields(true, &self.unknown_tagged_fields);
    }
}

impl Encode for SnapshotId {
    fn encode(&self, writer: &mut Writer, _version: i16) {
        writer.int64(self.end_offset);
        writer.int32(self.epoch);
        writer.unknown_tagged_fields(true, &self.unknown_tagged_fields);
    }
}

impl Encode for AbortedTransaction {
    fn encode(&self, writer: &mut Writer, version: i16) {
        writer.int64(self.producer_id);
        writer.int64(self.first_offset);
        writer.unknown_tagged_fields(version >= FLEXIBLE_FROM, &self.unknown_tagged_fields);
    }
}
