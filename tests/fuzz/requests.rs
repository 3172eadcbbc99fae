//! What a client may ask of a broker that has one scratch topic, and what it may ask wrongly: bodies that decode, each
//! with the fate that Kafka gives it.

use ottla::base::ids::Uuid;
use ottla::wire::messages::*;
use ottla::wire::{ApiKey, Encode, Writer};

use super::Fate::{self, Error, Valid};
use super::World;

#[path = "requests_admin.rs"]
mod admin;
#[path = "requests_groups.rs"]
mod groups;
#[path = "requests_operator.rs"]
mod operator;
#[path = "requests_produce.rs"]
mod produce;
#[path = "requests_read.rs"]
mod read;

/// A body, and why it ends as it does.
pub(crate) struct Case {
    pub(crate) fate: Fate,
    pub(crate) what: String,
    pub(crate) body: Vec<u8>,
}

/// Names and ids that no broker under test has.
const NOWHERE: &str = "hostile-nowhere";
const NOWHERE_ID: Uuid = Uuid([0xee; 16]);
/// Never created: requests for it are only validated.
const IMAGINED: &str = "hostile-imagined";
const PARTITION_BEYOND: i32 = 1_000_000;
const EPOCH_BEYOND: i32 = 1_000_000;

/// The bodies for an API that is served.
pub(crate) fn cases(api: ApiKey, version: i16, world: &World) -> Vec<Case> {
    let mut cases = Cases {
        version,
        world,
        cases: Vec::new(),
    };
    match api {
        ApiKey::Produce => cases.produce(),
        ApiKey::Fetch => cases.fetch(),
        ApiKey::ListOffsets => cases.list_offsets(),
        ApiKey::Metadata => cases.metadata(),
        ApiKey::FindCoordinator => cases.find_coordinator(),
        ApiKey::OffsetCommit => cases.offset_commit(),
        ApiKey::OffsetFetch => cases.offset_fetch(),
        ApiKey::JoinGroup => cases.join_group(),
        ApiKey::Heartbeat => cases.heartbeat(),
        ApiKey::LeaveGroup => cases.leave_group(),
        ApiKey::SyncGroup => cases.sync_group(),
        ApiKey::DescribeGroups => cases.describe_groups(),
        ApiKey::ListGroups => cases.list_groups(),
        ApiKey::DeleteGroups => cases.delete_groups(),
        ApiKey::OffsetDelete => cases.offset_delete(),
        ApiKey::ApiVersions => cases.api_versions(),
        ApiKey::CreateTopics => cases.create_topics(),
        ApiKey::DeleteTopics => cases.delete_topics(),
        ApiKey::DeleteRecords => cases.delete_records(),
        ApiKey::InitProducerId => cases.init_producer_id(),
        ApiKey::OffsetForLeaderEpoch => cases.offset_for_leader_epoch(),
        ApiKey::DescribeConfigs => cases.describe_configs(),
        ApiKey::CreatePartitions => cases.create_partitions(),
        ApiKey::IncrementalAlterConfigs => cases.incremental_alter_configs(),
        ApiKey::DescribeCluster => cases.describe_cluster(),
        ApiKey::AlterConfigs => cases.alter_configs(),
        ApiKey::DescribeLogDirs => cases.describe_log_dirs(),
        ApiKey::ElectLeaders => cases.elect_leaders(),
        ApiKey::DescribeQuorum => cases.describe_quorum(),
        ApiKey::DescribeProducers => cases.describe_producers(),
        ApiKey::ListConfigResources => cases.list_config_resources(),
        ApiKey::DescribeTopicPartitions => cases.describe_topic_partitions(),
        other => panic!("{other} is served: it needs its hostile requests here"),
    }
    cases.cases
}

struct Cases<'a> {
    version: i16,
    world: &'a World,
    cases: Vec<Case>,
}

impl Cases<'_> {
    fn add(&mut self, fate: Fate, what: impl Into<String>, message: &impl Encode) {
        let mut writer = Writer::new();
        message.encode(&mut writer, self.version);
        let body = writer.into_bytes().to_vec();
        self.cases.push(Case {
            fate,
            what: what.into(),
            body,
        });
    }

    /// `honest` after a change.
    fn changed<M: Encode + Clone>(
        &mut self,
        fate: Fate,
        what: impl Into<String>,
        honest: &M,
        change: impl FnOnce(&mut M),
    ) {
        let mut message = honest.clone();
        change(&mut message);
        self.add(fate, what, &message);
    }

    /// The scratch topic, then one that is not there, as versions before and from `ids_from` name them.
    fn topics(&self, ids_from: i16) -> [(String, Uuid); 2] {
        if self.version >= ids_from {
            [
                (String::new(), self.world.topic_id),
                (String::new(), NOWHERE_ID),
            ]
        } else {
            [
                (self.world.topic.clone(), Uuid::ZERO),
                (NOWHERE.to_owned(), Uuid::ZERO),
            ]
        }
    }

    fn api_versions(&mut self) {
        use api_versions::*;
        let request = |name: &str, version: &str| ApiVersionsRequest {
            client_software_name: name.to_owned(),
            client_software_version: version.to_owned(),
            ..Default::default()
        };
        self.add(Valid, "a client", &request("librdkafka", "2.12.1"));
        if self.version >= 3 {
            self.add(Error, "no name", &request("", "1"));
            self.add(Error, "no version", &request("a", ""));
            self.add(Error, "a name to forge logs with", &request("a\nb", "1"));
            self.add(Error, "a name of spaces", &request("   ", "1"));
        }
    }

    fn init_producer_id(&mut self) {
        use init_producer_id::*;
        let request = |transactional_id: Option<&str>| InitProducerIdRequest {
            transactional_id: transactional_id.map(str::to_owned),
            transaction_timeout_ms: 60_000,
            ..Default::default()
        };
        self.add(Valid, "an id", &request(None));
        self.add(Error, "an empty transactional id", &request(Some("")));
        self.add(Error, "a transactional id", &request(Some("hostile")));
        if self.version >= 3 {
            let known = |producer_id, producer_epoch| InitProducerIdRequest {
                producer_id,
                producer_epoch,
                ..request(None)
            };
            self.add(Valid, "another id for an old one", &known(7, 3));
            self.add(Error, "an id without epoch", &known(7, -1));
            self.add(Error, "an epoch without id", &known(-1, 3));
        }
    }

    fn describe_cluster(&mut self) {
        use describe_cluster::*;
        self.add(Valid, "the brokers", &DescribeClusterRequest::default());
        let include_cluster_authorized_operations = true;
        let request = DescribeClusterRequest {
            include_cluster_authorized_operations,
            ..Default::default()
        };
        self.add(Valid, "operations", &request);
        if self.version >= 1 {
            for endpoint_type in [0, 2, 3, -1, i8::MAX] {
                let request = DescribeClusterRequest {
                    endpoint_type,
                    ..Default::default()
                };
                self.add(Error, format!("endpoint type {endpoint_type}"), &request);
            }
        }
    }
}

fn bad_names() -> [(String, String); 6] {
    ["", ".", "..", "no space", "no/slash", &"n".repeat(250)]
        .map(|name| (format!("name of {} bytes", name.len()), name.to_owned()))
}
