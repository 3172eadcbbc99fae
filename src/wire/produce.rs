//! Produce, by hand: record bytes go from the frame to whoever appends them as slices, never as copies.
//!
//! Versions 0-2 carried older record formats and are refused, though advertised. Version 9 is flexible, 13 names topics
//! by id.

use bytes::Bytes;
use bytestring::ByteString;

use super::data_path::{decode_topic, encode_topic, refuse_other_versions};
use super::primitive::{Decode, DecodeError, Encode, RawTaggedField, Reader, Writer};
use super::version::ApiKey;
use crate::base::few::Few;
use crate::base::ids::Uuid;

pub use super::data_path::{LeaderIdAndEpoch, NodeEndpoint};

const FLEXIBLE_FROM: i16 = 9;
const CURRENT_LEADER_FROM: i16 = 10;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProduceRequest {
    pub transactional_id: Option<String>,
    /// 0 wants no answer, 1 and -1 wait for the commit.
    pub acks: i16,
    pub timeout_ms: i32,
    pub topic_data: Few<TopicProduceData>,
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TopicProduceData {
    pub name: ByteString,
    pub topic_id: Uuid,
    pub partition_data: Few<PartitionProduceData>,
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionProduceData {
    pub index: i32,
    /// One record batch, as a slice of the frame.
    pub records: Option<Bytes>,
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

impl Default for PartitionProduceData {
    fn default() -> PartitionProduceData {
        PartitionProduceData {
            index: 0,
            records: Some(Bytes::new()),
            unknown_tagged_fields: Vec::new(),
        }
    }
}

impl Decode for ProduceRequest {
    fn decode(reader: &mut Reader, version: i16) -> Result<ProduceRequest, DecodeError> {
        refuse_other_versions(ApiKey::Produce, version)?;
        let flexible = version >= FLEXIBLE_FROM;
        Ok(ProduceRequest {
            transactional_id: reader.nullable_string(flexible)?,
            acks: reader.int16()?,
            timeout_ms: reader.int32()?,
            topic_data: reader.few(flexible, 3, |reader| Decode::decode(reader, version))?,
            unknown_tagged_fields: reader.unknown_tagged_fields(flexible)?,
        })
    }
}

impl Decode for TopicProduceData {
    fn decode(reader: &mut Reader, version: i16) -> Result<TopicProduceData, DecodeError> {
        let flexible = version >= FLEXIBLE_FROM;
        let (name, topic_id) = decode_topic(reader, flexible, version)?;
        Ok(TopicProduceData {
            name,
            topic_id,
            partition_data: reader.few(flexible, 5, |reader| Decode::decode(reader, version))?,
            unknown_tagged_fields: reader.unknown_tagged_fields(flexible)?,
        })
    }
}

impl Decode for PartitionProduceData {
    fn decode(reader: &mut Reader, version: i16) -> Result<PartitionProduceData, DecodeError> {
        let flexible = version >= FLEXIBLE_FROM;
        Ok(PartitionProduceData {
            index: reader.int32()?,
            records: reader.nullable_bytes(flexible)?,
            unknown_tagged_fields: reader.unknown_tagged_fields(flexible)?,
        })
    }
}

impl Encode for ProduceRequest {
    fn encode(&self, writer: &mut Writer, version: i16) {
        let flexible = version >= FLEXIBLE_FROM;
        writer.nullable_string(flexible, self.transactional_id.as_deref());
        writer.int16(self.acks);
        writer.int32(self.timeout_ms);
        writer.array(flexible, &self.topic_data, |writer, topic| {
            topic.encode(writer, version)
        });
        writer.unknown_tagged_fields(flexible, &self.unknown_tagged_fields);
    }
}

impl Encode for TopicProduceData {
    fn encode(&self, writer: &mut Writer, version: i16) {
        let flexible = version >= FLEXIBLE_FROM;
        encode_topic(writer, flexible, version, (&self.name, self.topic_id));
        writer.array(flexible, &self.partition_data, |writer, data| {
            data.encode(writer, version)
        });
        writer.unknown_tagged_fields(flexible, &self.unknown_tagged_fields);
    }
}

impl Encode for PartitionProduceData {
    fn encode(&self, writer: &mut Writer, version: i16) {
        let flexible = version >= FLEXIBLE_FROM;
        writer.int32(self.index);
        writer.length(flexible, self.records.as_ref().map(Bytes::len));
        writer.shared(self.records.clone().unwrap_or_default());
        writer.unknown_tagged_fields(flexible, &self.unknown_tagged_fields);
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProduceResponse {
    pub responses: Few<TopicProduceResponse>,
    pub throttle_time_ms: i32,
    /// Where the leaders named in `current_leader` are dialled.
    pub node_endpoints: Vec<NodeEndpoint>,
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TopicProduceResponse {
    pub name: ByteString,
    pub topic_id: Uuid,
    pub partition_responses: Few<PartitionProduceResponse>,
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionProduceResponse {
    pub index: i32,
    pub error_code: i16,
    pub base_offset: i64,
    /// -1 unless the topic stamps records itself.
    pub log_append_time_ms: i64,
    pub log_start_offset: i64,
    pub record_errors: Vec<BatchIndexAndErrorMessage>,
    pub error_message: Option<String>,
    pub current_leader: LeaderIdAndEpoch,
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

impl Default for PartitionProduceResponse {
    fn default() -> PartitionProduceResponse {
        PartitionProduceResponse {
            index: 0,
            error_code: 0,
            base_offset: 0,
            log_append_time_ms: -1,
            log_start_offset: -1,
            record_errors: Vec::new(),
            error_message: None,
            current_leader: LeaderIdAndEpoch::default(),
            unknown_tagged_fields: Vec::new(),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BatchIndexAndErrorMessage {
    pub batch_index: i32,
    pub batch_index_error_message: Option<String>,
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

impl Decode for ProduceResponse {
    fn decode(reader: &mut Reader, version: i16) -> Result<ProduceResponse, DecodeError> {
        refuse_other_versions(ApiKey::Produce, version)?;
        let flexible = version >= FLEXIBLE_FROM;
        let mut response = ProduceResponse {
            responses: reader.few(flexible, 3, |reader| Decode::decode(reader, version))?,
            throttle_time_ms: reader.int32()?,
            ..ProduceResponse::default()
        };
        if flexible {
            response.unknown_tagged_fields = reader.tagged_fields(|reader, tag| match tag {
                0 if version >= CURRENT_LEADER_FROM => {
                    response.node_endpoints = NodeEndpoint::decode_array(reader, version)?;
                    Ok(true)
                }
                _ => Ok(false),
            })?;
        }
        Ok(response)
    }
}

impl Decode for TopicProduceResponse {
    fn decode(reader: &mut Reader, version: i16) -> Result<TopicProduceResponse, DecodeError> {
        let flexible = version >= FLEXIBLE_FROM;
        let (name, topic_id) = decode_topic(reader, flexible, version)?;
        Ok(TopicProduceResponse {
            name,
            topic_id,
            partition_responses: reader
                .few(flexible, 22, |reader| Decode::decode(reader, version))?,
            unknown_tagged_fields: reader.unknown_tagged_fields(flexible)?,
        })
    }
}

impl Decode for PartitionProduceResponse {
    fn decode(reader: &mut Reader, version: i16) -> Result<PartitionProduceResponse, DecodeError> {
        let flexible = version >= FLEXIBLE_FROM;
        let mut response = PartitionProduceResponse {
            index: reader.int32()?,
            error_code: reader.int16()?,
            base_offset: reader.int64()?,
            log_append_time_ms: reader.int64()?,
            ..PartitionProduceResponse::default()
        };
        if version >= 5 {
            response.log_start_offset = reader.int64()?;
        }
        if version >= 8 {
            response.record_errors =
                reader.array(flexible, 5, |reader| Decode::decode(reader, version))?;
            response.error_message = reader.nullable_string(flexible)?;
        }
        if flexible {
            response.unknown_tagged_fields = reader.tagged_fields(|reader, tag| match tag {
                0 if version >= CURRENT_LEADER_FROM => {
                    response.current_leader = Decode::decode(reader, version)?;
                    Ok(true)
                }
                _ => Ok(false),
            })?;
        }
        Ok(response)
    }
}

impl Decode for BatchIndexAndErrorMessage {
    fn decode(reader: &mut Reader, version: i16) -> Result<BatchIndexAndErrorMessage, DecodeError> {
        let flexible = version >= FLEXIBLE_FROM;
        Ok(BatchIndexAndErrorMessage {
            batch_index: reader.int32()?,
            batch_index_error_message: reader.nullable_string(flexible)?,
            unknown_tagged_fields: reader.unknown_tagged_fields(flexible)?,
        })
    }
}

impl Encode for ProduceResponse {
    fn encode(&self, writer: &mut Writer, version: i16) {
        let flexible = version >= FLEXIBLE_FROM;
        writer.array(flexible, &self.responses, |writer, topic| {
            topic.encode(writer, version)
        });
        writer.int32(self.throttle_time_ms);
        if flexible {
            let mut known = Vec::new();
            if version >= CURRENT_LEADER_FROM && !self.node_endpoints.is_empty() {
                known.push(NodeEndpoint::tagged_array(0, &self.node_endpoints, version));
            }
            writer.tagged_fields(&known, &self.unknown_tagged_fields);
        }
    }
}

impl Encode for TopicProduceResponse {
    fn encode(&self, writer: &mut Writer, version: i16) {
        let flexible = version >= FLEXIBLE_FROM;
        encode_topic(writer, flexible, version, (&self.name, self.topic_id));
        writer.array(flexible, &self.partition_responses, |writer, partition| {
            partition.encode(writer, version);
        });
        writer.unknown_tagged_fields(flexible, &self.unknown_tagged_fields);
    }
}

impl Encode for PartitionProduceResponse {
    fn encode(&self, writer: &mut Writer, version: i16) {
        let flexible = version >= FLEXIBLE_FROM;
        writer.int32(self.index);
        writer.int16(self.error_code);
        writer.int64(self.base_offset);
        writer.int64(self.log_append_time_ms);
        if version >= 5 {
            writer.int64(self.log_start_offset);
        }
        if version >= 8 {
            writer.array(flexible, &self.record_errors, |writer, error| {
                error.encode(writer, version);
            });
            writer.nullable_string(flexible, self.error_message.as_deref());
        }
        if flexible {
            let mut known = Vec::new();
            if version >= CURRENT_LEADER_FROM && self.current_leader != LeaderIdAndEpoch::default()
            {
                known.push(RawTaggedField::known(0, |writer| {
                    self.current_leader.encode(writer, version);
                }));
            }
            writer.tagged_fields(&known, &self.unknown_tagged_fields);
        }
    }
}

impl Encode for BatchIndexAndErrorMessage {
    fn encode(&self, writer: &mut Writer, version: i16) {
        let flexible = version >= FLEXIBLE_FROM;
        writer.int32(self.batch_index);
        writer.nullable_string(flexible, self.batch_index_error_message.as_deref());
        writer.unknown_tagged_fields(flexible, &self.unknown_tagged_fields);
    }
}
