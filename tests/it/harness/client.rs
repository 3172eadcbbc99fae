//! A blocking Kafka connection over the product's codec, one question at a time or pipelined.

use super::wait::PATIENCE;
use bytes::Bytes;
use ottla::wire::fetch::{FetchRequest, FetchResponse};
use ottla::wire::frame::request_frame;
use ottla::wire::header::{RequestHeader, ResponseHeader};
use ottla::wire::messages as m;
use ottla::wire::produce::{ProduceRequest, ProduceResponse};
use ottla::wire::{ApiKey, Decode, Encode, Reader};
use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::net::TcpStream;

/// A request and what answers it.
pub trait Question: Encode + Debug {
    const KEY: ApiKey;
    type Answer: Decode + Debug;
}

macro_rules! questions {
    ($($request:ty, $key:ident, $answer:ty;)*) => {
        $(impl Question for $request {
            const KEY: ApiKey = ApiKey::$key;
            type Answer = $answer;
        })*
    };
}

questions! {
    ProduceRequest, Produce, ProduceResponse;
    FetchRequest, Fetch, FetchResponse;
    m::find_coordinator::FindCoordinatorRequest, FindCoordinator, m::find_coordinator::FindCoordinatorResponse;
    m::join_group::JoinGroupRequest, JoinGroup, m::join_group::JoinGroupResponse;
    m::sync_group::SyncGroupRequest, SyncGroup, m::sync_group::SyncGroupResponse;
    m::heartbeat::HeartbeatRequest, Heartbeat, m::heartbeat::HeartbeatResponse;
    m::leave_group::LeaveGroupRequest, LeaveGroup, m::leave_group::LeaveGroupResponse;
    m::offset_commit::OffsetCommitRequest, OffsetCommit, m::offset_commit::OffsetCommitResponse;
    m::offset_fetch::OffsetFetchRequest, OffsetFetch, m::offset_fetch::OffsetFetchResponse;
    m::offset_delete::OffsetDeleteRequest, OffsetDelete, m::offset_delete::OffsetDeleteResponse;
    m::describe_groups::DescribeGroupsRequest, DescribeGroups, m::describe_groups::DescribeGroupsResponse;
    m::list_groups::ListGroupsRequest, ListGroups, m::list_groups::ListGroupsResponse;
    m::delete_groups::DeleteGroupsRequest, DeleteGroups, m::delete_groups::DeleteGroupsResponse;
    m::list_offsets::ListOffsetsRequest, ListOffsets, m::list_offsets::ListOffsetsResponse;
    m::metadata::MetadataRequest, Metadata, m::metadata::MetadataResponse;
    m::api_versions::ApiVersionsRequest, ApiVersions, m::api_versions::ApiVersionsResponse;
    m::create_topics::CreateTopicsRequest, CreateTopics, m::create_topics::CreateTopicsResponse;
    m::delete_topics::DeleteTopicsRequest, DeleteTopics, m::delete_topics::DeleteTopicsResponse;
    m::delete_records::DeleteRecordsRequest, DeleteRecords, m::delete_records::DeleteRecordsResponse;
    m::init_producer_id::InitProducerIdRequest, InitProducerId, m::init_producer_id::InitProducerIdResponse;
    m::offset_for_leader_epoch::OffsetForLeaderEpochRequest, OffsetForLeaderEpoch,
        m::offset_for_leader_epoch::OffsetForLeaderEpochResponse;
    m::describe_configs::DescribeConfigsRequest, DescribeConfigs, m::describe_configs::DescribeConfigsResponse;
    m::create_partitions::CreatePartitionsRequest, CreatePartitions, m::create_partitions::CreatePartitionsResponse;
    m::incremental_alter_configs::IncrementalAlterConfigsRequest, IncrementalAlterConfigs,
        m::incremental_alter_configs::IncrementalAlterConfigsResponse;
    m::describe_cluster::DescribeClusterRequest, DescribeCluster, m::describe_cluster::DescribeClusterResponse;
    m::alter_configs::AlterConfigsRequest, AlterConfigs, m::alter_configs::AlterConfigsResponse;
    m::describe_log_dirs::DescribeLogDirsRequest, DescribeLogDirs, m::describe_log_dirs::DescribeLogDirsResponse;
    m::elect_leaders::ElectLeadersRequest, ElectLeaders, m::elect_leaders::ElectLeadersResponse;
    m::describe_quorum::DescribeQuorumRequest, DescribeQuorum, m::describe_quorum::DescribeQuorumResponse;
    m::describe_producers::DescribeProducersRequest, DescribeProducers,
        m::describe_producers::DescribeProducersResponse;
    m::list_config_resources::ListConfigResourcesRequest, ListConfigResources,
        m::list_config_resources::ListConfigResourcesResponse;
    m::describe_topic_partitions::DescribeTopicPartitionsRequest, DescribeTopicPartitions,
        m::describe_topic_partitions::DescribeTopicPartitionsResponse;
}

pub struct Connection {
    pub stream: TcpStream,
    correlation: i32,
    /// Bytes through this value of the socket.
    pub sent: usize,
    pub received: usize,
}

impl Connection {
    pub fn open(address: &str) -> Connection {
        Connection::try_open(address).expect("the broker accepts connections")
    }

    pub fn try_open(address: &str) -> io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection {
            stream,
            correlation: 0,
            sent: 0,
            received: 0,
        })
    }

    /// The same socket for another thread, which reads while this one writes.
    pub fn try_clone(&self) -> Connection {
        Connection {
            stream: self.stream.try_clone().expect("a descriptor"),
            correlation: self.correlation,
            sent: 0,
            received: 0,
        }
    }

    pub fn call<Q: Question>(&mut self, question: &Q, version: i16) -> Q::Answer {
        self.try_call(question, version)
            .unwrap_or_else(|error| panic!("{} {version}: {error}: {question:?}", Q::KEY))
    }

    pub fn try_call<Q: Question>(&mut self, question: &Q, version: i16) -> io::Result<Q::Answer> {
        let correlation = self.send(question, version)?;
        self.receive::<Q>(version, correlation)
    }

    /// Sends without waiting; returns the correlation id to receive by.
    pub fn send<Q: Question>(&mut self, question: &Q, version: i16) -> io::Result<i32> {
        self.correlation += 1;
        let header = RequestHeader {
            api_key: Q::KEY,
            api_version: version,
            correlation_id: self.correlation,
            client_id: Some("it".into()),
            unknown_tagged_fields: Vec::new(),
        };
        let frame = request_frame(&header, question);
        self.stream.write_all(&frame)?;
        self.sent += frame.len();
        Ok(self.correlation)
    }

    /// The next answer, which must be the one to this correlation id, whole.
    pub fn receive<Q: Question>(
        &mut self,
        version: i16,
        correlation: i32,
    ) -> io::Result<Q::Answer> {
        let mut reader = Reader::new(self.receive_frame()?);
        let malformed = |error| io::Error::other(format!("malformed answer: {error:?}"));
        let header = ResponseHeader::decode(&mut reader, ResponseHeader::version(Q::KEY, version))
            .map_err(malformed)?;
        assert_eq!(header.correlation_id, correlation, "answers come in order");
        let answer = Q::Answer::decode(&mut reader, version).map_err(malformed)?;
        reader.finish().map_err(malformed)?;
        Ok(answer)
    }

    pub fn receive_frame(&mut self) -> io::Result<Bytes> {
        let mut prefix = [0; 4];
        self.stream.read_exact(&mut prefix)?;
        let mut frame = vec![0; u32::from_be_bytes(prefix) as usize];
        self.stream.read_exact(&mut frame)?;
        self.received += prefix.len() + frame.len();
        Ok(frame.into())
    }

    /// True when the broker closes without another byte.
    pub fn is_closed_by_peer(&mut self) -> bool {
        match self.stream.read(&mut [0; 1]) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}
