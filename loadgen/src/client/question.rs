//! The questions that are asked, in which versions, and what answers them.

use ottla::wire::fetch::{FetchRequest, FetchResponse};
use ottla::wire::messages as m;
use ottla::wire::version::VersionRange;
use ottla::wire::{ApiKey, Decode, Encode};

/// Topics are named by name throughout: versions that name them by id are left out.
pub(crate) const PRODUCE_VERSIONS: VersionRange = VersionRange { first: 3, last: 12 };

pub(crate) trait Question: Encode {
    const KEY: ApiKey;
    /// Where what is filled in and read means the same.
    const VERSIONS: VersionRange;
    type Answer: Decode;
}

macro_rules! questions {
    ($($module:ident $request:ident $first:literal - $last:literal $key:ident $answer:ident)*) => {
        $(impl Question for m::$module::$request {
            const KEY: ApiKey = ApiKey::$key;
            const VERSIONS: VersionRange = VersionRange { first: $first, last: $last };
            type Answer = m::$module::$answer;
        })*
    };
}

impl Question for FetchRequest {
    const KEY: ApiKey = ApiKey::Fetch;
    const VERSIONS: VersionRange = VersionRange { first: 4, last: 12 };
    type Answer = FetchResponse;
}

questions! {
    api_versions ApiVersionsRequest 0-3 ApiVersions ApiVersionsResponse
    metadata MetadataRequest 4-12 Metadata MetadataResponse
    list_offsets ListOffsetsRequest 1-8 ListOffsets ListOffsetsResponse
    create_topics CreateTopicsRequest 4-7 CreateTopics CreateTopicsResponse
    init_producer_id InitProducerIdRequest 0-4 InitProducerId InitProducerIdResponse
    find_coordinator FindCoordinatorRequest 4-6 FindCoordinator FindCoordinatorResponse
    join_group JoinGroupRequest 4-9 JoinGroup JoinGroupResponse
    sync_group SyncGroupRequest 0-5 SyncGroup SyncGroupResponse
    heartbeat HeartbeatRequest 0-4 Heartbeat HeartbeatResponse
    leave_group LeaveGroupRequest 3-5 LeaveGroup LeaveGroupResponse
    offset_commit OffsetCommitRequest 2-9 OffsetCommit OffsetCommitResponse
}
