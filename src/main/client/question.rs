//! The questions this tool asks, in which versions, and what answers them.

use ottla::wire::fetch::{FetchRequest, FetchResponse};
use ottla::wire::messages as m;
use ottla::wire::produce::{ProduceRequest, ProduceResponse};
use ottla::wire::version::VersionRange;
use ottla::wire::{ApiKey, Decode, Encode};

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

// Topics are named by name throughout, so versions that name them by id are left out.
impl Question for ProduceRequest {
    const KEY: ApiKey = ApiKey::Produce;
    const VERSIONS: VersionRange = VersionRange { first: 7, last: 12 };
    type Answer = ProduceResponse;
}

impl Question for FetchRequest {
    const KEY: ApiKey = ApiKey::Fetch;
    const VERSIONS: VersionRange = VersionRange {
        first: 10,
        last: 12,
    };
    type Answer = FetchResponse;
}

questions! {
    api_versions ApiVersionsRequest 0-4 ApiVersions ApiVersionsResponse
    metadata MetadataRequest 4-13 Metadata MetadataResponse
    describe_cluster DescribeClusterRequest 0-2 DescribeCluster DescribeClusterResponse
    describe_quorum DescribeQuorumRequest 0-2 DescribeQuorum DescribeQuorumResponse
    list_offsets ListOffsetsRequest 1-10 ListOffsets ListOffsetsResponse
    create_topics CreateTopicsRequest 4-7 CreateTopics CreateTopicsResponse
    delete_topics DeleteTopicsRequest 1-5 DeleteTopics DeleteTopicsResponse
    create_partitions CreatePartitionsRequest 0-3 CreatePartitions CreatePartitionsResponse
    delete_records DeleteRecordsRequest 0-2 DeleteRecords DeleteRecordsResponse
    describe_configs DescribeConfigsRequest 1-4 DescribeConfigs DescribeConfigsResponse
    incremental_alter_configs IncrementalAlterConfigsRequest 0-1 IncrementalAlterConfigs
        IncrementalAlterConfigsResponse
    init_producer_id InitProducerIdRequest 0-5 InitProducerId InitProducerIdResponse
    find_coordinator FindCoordinatorRequest 4-6 FindCoordinator FindCoordinatorResponse
    join_group JoinGroupRequest 4-9 JoinGroup JoinGroupResponse
    sync_group SyncGroupRequest 0-5 SyncGroup SyncGroupResponse
    heartbeat HeartbeatRequest 0-4 Heartbeat HeartbeatResponse
    leave_group LeaveGroupRequest 3-5 LeaveGroup LeaveGroupResponse
    offset_commit OffsetCommitRequest 2-9 OffsetCommit OffsetCommitResponse
    offset_fetch OffsetFetchRequest 8-9 OffsetFetch OffsetFetchResponse
    list_groups ListGroupsRequest 0-5 ListGroups ListGroupsResponse
    describe_groups DescribeGroupsRequest 0-6 DescribeGroups DescribeGroupsResponse
    delete_groups DeleteGroupsRequest 0-2 DeleteGroups DeleteGroupsResponse
}
