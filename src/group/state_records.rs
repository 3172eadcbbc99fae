//! What a coordinator remembers, as records of `__consumer_offsets`, in the formats Kafka's tools read.
//!
//! ```text
//! key  1  group string, topic string, partition i32          value  offset i64, [3: leader epoch i32], metadata string,
//!                                                                   commit time i64, [1: expire time i64]
//! key  2  group string                                       value  protocol type string, generation i32,
//!                                                                   protocol string?, leader string?,
//!                                                                   [2+: state time i64], members[] of member id,
//!                                                                   [3: instance id string?], client id, client host,
//!                                                                   [1+: rebalance ms i32], session ms i32,
//!                                                                   subscription bytes, assignment bytes
//! ```
//! Each begins with its version, an i16. Offsets are written in version 3, or 1 when they bring their own expiry; groups
//! in version 3. All versions below 4 are read. A record without a value deletes its key.

use super::action::GroupId;
use super::offsets::Committed;
use super::state_codec::{Put, Take};
use crate::base::time::Timestamp;
use bytes::Bytes;
use std::sync::Arc;

const OFFSET_KEY: i16 = 1;
const GROUP_KEY: i16 = 2;
const VALUE: i16 = 3;
const VALUE_WITH_EXPIRY: i16 = 1;
const VALUE_MAX: i16 = 3;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum StateRecord {
    Offset {
        group: GroupId,
        topic: Arc<str>,
        partition: i32,
        /// None: deleted.
        value: Option<Committed>,
    },
    Group {
        group: GroupId,
        /// None: deleted.
        value: Option<Arc<GroupValue>>,
    },
}

/// A group between two rebalances.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct GroupValue {
    /// Empty: none yet.
    pub(super) protocol_type: String,
    pub(super) generation: i32,
    pub(super) protocol: Option<String>,
    pub(super) leader: Option<String>,
    pub(super) state_since: Timestamp,
    pub(super) members: Vec<MemberValue>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct MemberValue {
    pub(super) member: String,
    pub(super) instance: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) session_timeout_ms: i32,
    pub(super) subscription: Bytes,
    pub(super) assignment: Bytes,
}

impl StateRecord {
    pub(super) fn group(&self) -> &GroupId {
        match self {
            StateRecord::Offset { group, .. } | StateRecord::Group { group, .. } => group,
        }
    }

    pub(super) fn encode(&self) -> (Bytes, Option<Bytes>) {
        match self {
            StateRecord::Offset {
                group,
                topic,
                partition,
                value,
            } => {
                let key = Put::default().int16(OFFSET_KEY).string(group).string(topic);
                let value = value.as_ref().map(encode_offset);
                (key.int32(*partition).done(), value)
            }
            StateRecord::Group { group, value } => {
                let key = Put::default().int16(GROUP_KEY).string(group).done();
                (key, value.as_deref().map(encode_group))
            }
        }
    }

    /// `None`: not a record of this release.
    pub(super) fn decode(key: &[u8], value: Option<&[u8]>) -> Option<StateRecord> {
        let mut take = Take(key);
        match take.int16()? {
            // Versions 0 and 1 of the key are the same.
            0 | OFFSET_KEY => Some(StateRecord::Offset {
                group: take.string()?.into(),
                topic: take.string()?.into(),
                partition: take.int32()?,
                value: match value {
                    Some(value) => Some(decode_offset(value)?),
                    None => None,
                },
            }),
            GROUP_KEY => Some(StateRecord::Group {
                group: take.string()?.into(),
                value: match value {
                    Some(value) => Some(Arc::new(decode_group(value)?)),
                    None => None,
                },
            }),
            _ => None,
        }
    }
}

fn encode_offset(value: &Committed) -> Bytes {
    let put = Put::default();
    match value.expires {
        None => put
            .int16(VALUE)
            .int64(value.offset)
            .int32(value.leader_epoch)
            .string(&value.metadata)
            .int64(value.committed_at.0),
        Some(expires) => put
            .int16(VALUE_WITH_EXPIRY)
            .int64(value.offset)
            .string(&value.metadata)
            .int64(value.committed_at.0)
            .int64(expires.0),
    }
    .done()
}

fn decode_offset(value: &[u8]) -> Option<Committed> {
    let mut take = Take(value);
    let version = take
        .int16()
        .filter(|version| (0..=VALUE_MAX).contains(version))?;
    let offset = take.int64()?;
    let leader_epoch = if version >= 3 { take.int32()? } else { -1 };
    let metadata = take.string()?.into();
    let committed_at = Timestamp(take.int64()?);
    let expires = match version {
        VALUE_WITH_EXPIRY => Some(Timestamp(take.int64()?)).filter(|at| *at != Timestamp::NONE),
        _ => None,
    };
    Some(Committed {
        offset,
        leader_epoch,
        metadata,
        committed_at,
        expires,
    })
}

fn encode_group(value: &GroupValue) -> Bytes {
    let count = i32::try_from(value.members.len()).expect("a group is bounded");
    let mut put = Put::default()
        .int16(VALUE)
        .string(&value.protocol_type)
        .int32(value.generation)
        .nullable_string(value.protocol.as_deref())
        .nullable_string(value.leader.as_deref())
        .int64(value.state_since.0)
        .int32(count);
    for member in &value.members {
        put = put
            .string(&member.member)
            .nullable_string(member.instance.as_deref())
            .string(&member.client_id)
            .string(&member.client_host)
            .int32(member.rebalance_timeout_ms)
            .int32(member.session_timeout_ms)
            .bytes(&member.subscription)
            .bytes(&member.assignment);
    }
    put.done()
}

fn decode_group(value: &[u8]) -> Option<GroupValue> {
    let mut take = Take(value);
    let version = take
        .int16()
        .filter(|version| (0..=VALUE_MAX).contains(version))?;
    let mut group = GroupValue {
        protocol_type: take.string()?,
        generation: take.int32()?,
        protocol: take.nullable_string()?,
        leader: take.nullable_string()?,
        state_since: if version >= 2 {
            Timestamp(take.int64()?)
        } else {
            Timestamp::NONE
        },
        members: Vec::new(),
    };
    for _ in 0..take.int32()? {
        group.members.push(decode_member(&mut take, version)?);
    }
    Some(group)
}

fn decode_member(take: &mut Take<'_>, version: i16) -> Option<MemberValue> {
    let member = take.string()?;
    let instance = if version >= 3 {
        take.nullable_string()?
    } else {
        None
    };
    let (client_id, client_host) = (take.string()?, take.string()?);
    let rebalance_timeout_ms = if version >= 1 { take.int32()? } else { -1 };
    let session_timeout_ms = take.int32()?;
    Some(MemberValue {
        member,
        instance,
        client_id,
        client_host,
        // Before version 1 members gave one timeout for both.
        rebalance_timeout_ms: match rebalance_timeout_ms {
            -1 => session_timeout_ms,
            given => given,
        },
        session_timeout_ms,
        subscription: take.bytes()?,
        assignment: take.bytes()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn offset(value: Option<Committed>) -> StateRecord {
        StateRecord::Offset {
            group: "g".into(),
            topic: "t".into(),
            partition: 7,
            value,
        }
    }

    /// Written by hand from Kafka's schemas.
    #[test]
    fn records_have_the_bytes_that_kafka_gives_them() {
        let committed = Committed {
            offset: 5,
            leader_epoch: 2,
            metadata: "m".into(),
            committed_at: Timestamp(1),
            expires: None,
        };
        let (key, value) = offset(Some(committed.clone())).encode();
        assert_eq!(
            hex(&key),
            "0001".to_owned() + "000167" + "000174" + "00000007"
        );
        let expected =
            "0003".to_owned() + "0000000000000005" + "00000002" + "00016d" + "0000000000000001";
        assert_eq!(hex(&value.expect("a value")), expected);
        let with_expiry = Committed {
            expires: Some(Timestamp(9)),
            ..committed
        };
        let (_, value) = offset(Some(with_expiry)).encode();
        let expected = "0001".to_owned()
            + "0000000000000005"
            + "00016d"
            + "0000000000000001"
            + "0000000000000009";
        assert_eq!(hex(&value.expect("a value")), expected);
        let (key, value) = group(Some(GroupValue {
            protocol_type: "c".into(),
            generation: 3,
            protocol: None,
            leader: Some("l".into()),
            state_since: Timestamp(4),
            members: Vec::new(),
        }))
        .encode();
        assert_eq!(hex(&key), "0002000167");
        let expected = "0003".to_owned()
            + "000163"
            + "00000003"
            + "ffff"
            + "00016c"
            + "0000000000000004"
            + "00000000";
        assert_eq!(hex(&value.expect("a value")), expected);
    }

    fn group(value: Option<GroupValue>) -> StateRecord {
        StateRecord::Group {
            group: "g".into(),
            value: value.map(Arc::new),
        }
    }

    #[test]
    fn records_read_back_what_they_wrote() {
        let member = MemberValue {
            member: "m".into(),
            instance: Some("i".into()),
            client_id: "c".into(),
            client_host: "/127.0.0.1".into(),
            rebalance_timeout_ms: 9,
            session_timeout_ms: 8,
            subscription: Bytes::from_static(b"\x00\x01"),
            assignment: Bytes::new(),
        };
        let value = GroupValue {
            protocol_type: "consumer".into(),
            generation: 3,
            protocol: Some("range".into()),
            leader: None,
            state_since: Timestamp(4),
            members: vec![
                member.clone(),
                MemberValue {
                    instance: None,
                    ..member
                },
            ],
        };
        let committed = Committed {
            offset: 5,
            leader_epoch: -1,
            metadata: "".into(),
            committed_at: Timestamp(1),
            expires: Some(Timestamp(2)),
        };
        for record in [
            offset(None),
            offset(Some(committed)),
            group(None),
            group(Some(value)),
        ] {
            let (key, value) = record.encode();
            assert_eq!(StateRecord::decode(&key, value.as_deref()), Some(record));
        }
    }

    #[test]
    fn what_is_cut_short_or_of_another_release_is_no_record() {
        let (key, value) = offset(Some(Committed {
            offset: 5,
            leader_epoch: -1,
            metadata: "text".into(),
            committed_at: Timestamp(1),
            expires: None,
        }))
        .encode();
        let value = value.expect("a value");
        for len in 0..value.len() {
            assert_eq!(
                StateRecord::decode(&key, Some(&value[..len])),
                None,
                "{len}"
            );
        }
        for len in 0..key.len() {
            assert_eq!(StateRecord::decode(&key[..len], None), None, "{len}");
        }
        assert_eq!(StateRecord::decode(b"\x00\x03\x00\x01g", None), None);
        let negative = b"\x00\x02\xff\xfe";
        assert_eq!(StateRecord::decode(negative, None), None);
    }
}
