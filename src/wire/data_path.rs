//! What Produce and Fetch, both written by hand, have in common.

use super::primitive::{Decode, DecodeError, Encode, RawTaggedField, Reader, Writer};
use super::version::ApiKey;
use crate::base::ids::Uuid;
use bytestring::ByteString;

pub(super) fn refuse_other_versions(api_key: ApiKey, version: i16) -> Result<(), DecodeError> {
    if api_key.api().decodable.contains(version) {
        Ok(())
    } else {
        Err(DecodeError::UnsupportedVersion { version })
    }
}

/// A topic is named by its name or its id, never by both (KIP-516). In Produce and Fetch alike that changed at 13.
const TOPIC_IDS_FROM: i16 = 13;

/// The name as the message keeps it: a slice of the frame, or a copy that does not hold the frame.
pub(super) fn decode_topic<Name: From<ByteString>>(
    reader: &mut Reader,
    flexible: bool,
    version: i16,
) -> Result<(Name, Uuid), DecodeError> {
    if version >= TOPIC_IDS_FROM {
        Ok((ByteString::new().into(), reader.uuid()?))
    } else {
        Ok((reader.text(flexible)?.into(), Uuid::ZERO))
    }
}

pub(super) fn encode_topic(
    writer: &mut Writer,
    flexible: bool,
    version: i16,
    (name, topic_id): (&str, Uuid),
) {
    if version >= TOPIC_IDS_FROM {
        writer.uuid(topic_id);
    } else {
        writer.string(flexible, name);
    }
}

/// Where a partition's leader is now, sent with a refusal (KIP-951).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeaderIdAndEpoch {
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

impl Default for LeaderIdAndEpoch {
    fn default() -> LeaderIdAndEpoch {
        LeaderIdAndEpoch {
            leader_id: -1,
            leader_epoch: -1,
            unknown_tagged_fields: Vec::new(),
        }
    }
}

impl Decode for LeaderIdAndEpoch {
    fn decode(reader: &mut Reader, _version: i16) -> Result<LeaderIdAndEpoch, DecodeError> {
        Ok(LeaderIdAndEpoch {
            leader_id: reader.int32()?,
            leader_epoch: reader.int32()?,
            unknown_tagged_fields: reader.unknown_tagged_fields(true)?,
        })
    }
}

impl Encode for LeaderIdAndEpoch {
    fn encode(&self, writer: &mut Writer, _version: i16) {
        writer.int32(self.leader_id);
        writer.int32(self.leader_epoch);
        writer.unknown_tagged_fields(true, &self.unknown_tagged_fields);
    }
}

/// Where a broker is dialled.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NodeEndpoint {
    pub node_id: i32,
    pub host: String,
    pub port: i32,
    pub rack: Option<String>,
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

impl NodeEndpoint {
    pub(super) fn decode_array(
        reader: &mut Reader,
        version: i16,
    ) -> Result<Vec<NodeEndpoint>, DecodeError> {
        reader.array(true, 11, |reader| NodeEndpoint::decode(reader, version))
    }

    pub(super) fn tagged_array(tag: u32, nodes: &[NodeEndpoint], version: i16) -> RawTaggedField {
        RawTaggedField::known(tag, |writer| {
            writer.array(true, nodes, |writer, node| node.encode(writer, version));
        })
    }
}

impl Decode for NodeEndpoint {
    fn decode(reader: &mut Reader, _version: i16) -> Result<NodeEndpoint, DecodeError> {
        Ok(NodeEndpoint {
            node_id: reader.int32()?,
            host: reader.string(true)?,
            port: reader.int32()?,
            rack: reader.nullable_string(true)?,
            unknown_tagged_fields: reader.unknown_tagged_fields(true)?,
        })
    }
}

impl Encode for NodeEndpoint {
    fn encode(&self, writer: &mut Writer, _version: i16) {
        writer.int32(self.node_id);
        writer.string(true, &self.host);
        writer.int32(self.port);
        writer.nullable_string(true, self.rack.as_deref());
        writer.unknown_tagged_fields(true, &self.unknown_tagged_fields);
    }
}
