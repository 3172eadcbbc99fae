//! Every API's message types, for tests that treat all alike.

/// Calls `$callback!` with rows `ApiKey module Request Response`.
macro_rules! with_apis {
    ($callback:ident) => {
        $callback! {
            Produce produce ProduceRequest ProduceResponse
            Fetch fetch FetchRequest FetchResponse
            ListOffsets list_offsets ListOffsetsRequest ListOffsetsResponse
            Metadata metadata MetadataRequest MetadataResponse
            OffsetCommit offset_commit OffsetCommitRequest OffsetCommitResponse
            OffsetFetch offset_fetch OffsetFetchRequest OffsetFetchResponse
            FindCoordinator find_coordinator FindCoordinatorRequest FindCoordinatorResponse
            JoinGroup join_group JoinGroupRequest JoinGroupResponse
            Heartbeat heartbeat HeartbeatRequest HeartbeatResponse
            LeaveGroup leave_group LeaveGroupRequest LeaveGroupResponse
            SyncGroup sync_group SyncGroupRequest SyncGroupResponse
            DescribeGroups describe_groups DescribeGroupsRequest DescribeGroupsResponse
            ListGroups list_groups ListGroupsRequest ListGroupsResponse
            SaslHandshake sasl_handshake SaslHandshakeRequest SaslHandshakeResponse
            ApiVersions api_versions ApiVersionsRequest ApiVersionsResponse
            CreateTopics create_topics CreateTopicsRequest CreateTopicsResponse
            DeleteTopics delete_topics DeleteTopicsRequest DeleteTopicsResponse
            DeleteRecords delete_records DeleteRecordsRequest DeleteRecordsResponse
            InitProducerId init_producer_id InitProducerIdRequest InitProducerIdResponse
            OffsetForLeaderEpoch offset_for_leader_epoch
                OffsetForLeaderEpochRequest OffsetForLeaderEpochResponse
            DescribeConfigs describe_configs DescribeConfigsRequest DescribeConfigsResponse
            AlterConfigs alter_configs AlterConfigsRequest AlterConfigsResponse
            DescribeLogDirs describe_log_dirs DescribeLogDirsRequest DescribeLogDirsResponse
            SaslAuthenticate sasl_authenticate SaslAuthenticateRequest SaslAuthenticateResponse
            CreatePartitions create_partitions CreatePartitionsRequest CreatePartitionsResponse
            DeleteGroups delete_groups DeleteGroupsRequest DeleteGroupsResponse
            ElectLeaders elect_leaders ElectLeadersRequest ElectLeadersResponse
            IncrementalAlterConfigs incremental_alter_configs
                IncrementalAlterConfigsRequest IncrementalAlterConfigsResponse
            OffsetDelete offset_delete OffsetDeleteRequest OffsetDeleteResponse
            DescribeQuorum describe_quorum DescribeQuorumRequest DescribeQuorumResponse
            DescribeCluster describe_cluster DescribeClusterRequest DescribeClusterResponse
            DescribeProducers describe_producers DescribeProducersRequest DescribeProducersResponse
            ListConfigResources list_config_resources
                ListConfigResourcesRequest ListConfigResourcesResponse
            DescribeTopicPartitions describe_topic_partitions
                DescribeTopicPartitionsRequest DescribeTopicPartitionsResponse
        }
    };
}
pub(crate) use with_apis;
