//! From a frame to its handler.

use super::budget::Permit;
use super::call::{Call, Peer};
use super::handlers;
use super::meter::Meter;
use super::plane::Server;
use super::reply_queue::{Dispatched, Reply};
use crate::base::limits::REQUEST_ELEMENT_BYTES;
use crate::base::time::Instant;
use crate::wire::header::{HeaderError, RequestHeader};
use crate::wire::{ApiKey, DecodeError, Reader, decode_request};
use bytes::Bytes;
use std::fmt;
use std::rc::Rc;

/// What must be over before a request may start, and what it keeps from starting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    /// Starts at once.
    Free,
    /// Starts when the answer to the fetch before it has left: record bytes of one answer a connection.
    Fetch,
    /// Starts at once, and may wait for others for minutes: its handler has copied what it needs, so it holds no memory
    /// of requests meanwhile.
    Parked,
    /// Nothing of this connection starts before it is answered: clients expect to see what they changed.
    Alone,
}

/// By the first bytes of the frame alone.
pub(super) fn order(frame: &[u8]) -> Order {
    let key = frame.first_chunk().map(|bytes| i16::from_be_bytes(*bytes));
    match key.and_then(ApiKey::from_number) {
        Some(ApiKey::Fetch) => Order::Fetch,
        Some(ApiKey::JoinGroup | ApiKey::SyncGroup) => Order::Parked,
        Some(
            ApiKey::CreateTopics
            | ApiKey::DeleteTopics
            | ApiKey::CreatePartitions
            | ApiKey::AlterConfigs
            | ApiKey::IncrementalAlterConfigs
            | ApiKey::DeleteRecords
            | ApiKey::OffsetCommit
            | ApiKey::OffsetDelete
            | ApiKey::LeaveGroup
            | ApiKey::DeleteGroups,
        ) => Order::Alone,
        _ => Order::Free,
    }
}

/// Why there is no layout to answer in; the connection is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Unanswerable {
    UnknownApi {
        api_key: i16,
        api_version: i16,
    },
    NotServed {
        api_key: ApiKey,
        api_version: i16,
    },
    Malformed {
        api_key: Option<ApiKey>,
        error: DecodeError,
    },
}

impl fmt::Display for Unanswerable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unanswerable::UnknownApi {
                api_key,
                api_version,
            } => {
                write!(f, "unknown API {api_key} version {api_version}")
            }
            Unanswerable::NotServed {
                api_key,
                api_version,
            } => {
                write!(f, "{api_key} version {api_version} is not served")
            }
            Unanswerable::Malformed {
                api_key: Some(api_key),
                error,
            } => {
                write!(f, "malformed {api_key}: {error}")
            }
            Unanswerable::Malformed {
                api_key: None,
                error,
            } => {
                write!(f, "malformed request header: {error}")
            }
        }
    }
}

/// A request that has begun.
pub(super) struct Started {
    pub(super) answer: Dispatched,
    /// Its memory, decoded; none if it could not be.
    pub(super) decoded: Option<Permit>,
    pub(super) meter: Option<Meter>,
}

/// Starts a request. Everything that must keep the order of requests has happened when this returns. `received`: when
/// its first byte came.
pub(super) fn dispatch(
    server: &Rc<Server>,
    peer: &mut Peer,
    frame: Bytes,
    received: Instant,
) -> Started {
    start(server, peer, frame, received).unwrap_or_else(|reason| {
        server.handle.stats().frames_refused.add(1);
        tracing::warn!(%reason, "connection closed");
        Started {
            answer: Dispatched::Ready(Reply::Close),
            decoded: None,
            meter: None,
        }
    })
}

fn start(
    server: &Rc<Server>,
    peer: &mut Peer,
    frame: Bytes,
    received: Instant,
) -> Result<Started, Unanswerable> {
    let mut reader = Reader::new(frame);
    let header = RequestHeader::decode(&mut reader).map_err(|error| match error {
        HeaderError::UnknownApi {
            api_key,
            api_version,
        } => Unanswerable::UnknownApi {
            api_key,
            api_version,
        },
        HeaderError::Malformed(error) => Unanswerable::Malformed {
            api_key: None,
            error,
        },
    })?;
    let (api_key, api_version) = (header.api_key, header.api_version);
    let is_served = api_key.api().is_served(api_version);
    if !is_served && api_key != ApiKey::ApiVersions {
        return Err(Unanswerable::NotServed {
            api_key,
            api_version,
        });
    }
    peer.is_called(header.client_id.as_deref());
    let meter = Meter::start(server, api_key, received);
    let call = Call {
        server: server.clone(),
        api_key,
        version: api_version,
        correlation_id: header.correlation_id,
        peer: peer.clone(),
        notes: meter.notes(),
    };
    if !is_served {
        return Ok(Started {
            answer: handlers::api_versions::unsupported(call),
            decoded: None,
            meter: Some(meter),
        });
    }
    let malformed = |error| Unanswerable::Malformed {
        api_key: Some(api_key),
        error,
    };
    let (answer, decoded) = route(call, reader.into_rest()).map_err(malformed)?;
    Ok(Started {
        answer,
        decoded: Some(decoded),
        meter: Some(meter),
    })
}

fn route(call: Call, body: Bytes) -> Result<(Dispatched, Permit), DecodeError> {
    let version = call.version;
    macro_rules! to {
        ($handler:ident) => {{
            let (request, elements) = decode_request(body, version)?;
            let decoded = call.server.decoded.charge(elements * REQUEST_ELEMENT_BYTES);
            (handlers::$handler::handle(call, request), decoded)
        }};
    }
    Ok(match call.api_key {
        ApiKey::Produce => to!(produce),
        ApiKey::Fetch => to!(fetch),
        ApiKey::ListOffsets => to!(list_offsets),
        ApiKey::Metadata => to!(metadata),
        ApiKey::ApiVersions => to!(api_versions),
        ApiKey::CreateTopics => to!(create_topics),
        ApiKey::DeleteTopics => to!(delete_topics),
        ApiKey::DeleteRecords => to!(delete_records),
        ApiKey::FindCoordinator => to!(find_coordinator),
        ApiKey::InitProducerId => to!(init_producer_id),
        ApiKey::OffsetForLeaderEpoch => to!(offset_for_leader_epoch),
        ApiKey::DescribeConfigs => to!(describe_configs),
        ApiKey::CreatePartitions => to!(create_partitions),
        ApiKey::IncrementalAlterConfigs => to!(incremental_alter_configs),
        ApiKey::AlterConfigs => to!(alter_configs),
        ApiKey::ListConfigResources => to!(list_config_resources),
        ApiKey::DescribeCluster => to!(describe_cluster),
        ApiKey::DescribeQuorum => to!(describe_quorum),
        ApiKey::DescribeLogDirs => to!(describe_log_dirs),
        ApiKey::DescribeProducers => to!(describe_producers),
        ApiKey::DescribeTopicPartitions => to!(describe_topic_partitions),
        ApiKey::ElectLeaders => to!(elect_leaders),
        ApiKey::JoinGroup => to!(join_group),
        ApiKey::SyncGroup => to!(sync_group),
        ApiKey::Heartbeat => to!(heartbeat),
        ApiKey::LeaveGroup => to!(leave_group),
        ApiKey::OffsetCommit => to!(offset_commit),
        ApiKey::OffsetFetch => to!(offset_fetch),
        ApiKey::OffsetDelete => to!(offset_delete),
        ApiKey::DescribeGroups => to!(describe_groups),
        ApiKey::ListGroups => to!(list_groups),
        ApiKey::DeleteGroups => to!(delete_groups),
        // A row of the version table says `served` and nothing serves it: a test goes through all of them.
        other => unreachable!("{other} is not served"),
    })
}
