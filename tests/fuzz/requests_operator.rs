//! Requests of operators' tools. What could change something only validates.

use ottla::wire::messages::*;

use super::Fate::{Error, Valid};
use super::{Cases, NOWHERE, PARTITION_BEYOND, bad_names};

impl Cases<'_> {
    pub(super) fn alter_configs(&mut self) {
        use alter_configs::*;
        let request = |resource_type, resource: &str, configs: &[(&str, Option<&str>)]| {
            let configs = configs.iter().map(|&(name, value)| AlterableConfig {
                name: name.to_owned(),
                value: value.map(str::to_owned),
                ..Default::default()
            });
            let resource = AlterConfigsResource {
                resource_type,
                resource_name: resource.to_owned(),
                configs: configs.collect(),
                ..Default::default()
            };
            AlterConfigsRequest {
                resources: vec![resource],
                validate_only: true,
                ..Default::default()
            }
        };
        let known = self.world.topic.clone();
        let good = [("retention.ms", Some("1000"))];
        self.add(Valid, "set", &request(2, &known, &good));
        self.add(Valid, "unset all", &request(2, &known, &[]));
        self.add(Valid, "nothing", &AlterConfigsRequest::default());
        self.add(Error, "unknown topic", &request(2, NOWHERE, &good));
        self.add(Error, "topic without a name", &request(2, "", &good));
        self.add(
            Error,
            "a broker without a number",
            &request(4, "four", &good),
        );
        self.add(Error, "another broker", &request(4, "9999", &good));
        for resource_type in [0, 1, 8, 99, -1, i8::MIN] {
            let what = format!("type {resource_type}");
            self.add(Error, what, &request(resource_type, &known, &good));
        }
        for (what, change) in [
            ("unknown config", ("no.such.config", Some("1"))),
            ("bad value", ("retention.ms", Some("soon"))),
            ("null value", ("retention.ms", None)),
        ] {
            self.add(Error, what, &request(2, &known, &[change]));
        }
        self.add(
            Error,
            "a config twice",
            &request(2, &known, &[good[0], good[0]]),
        );
    }

    pub(super) fn describe_log_dirs(&mut self) {
        use describe_log_dirs::*;
        let request = |name: &str, partitions: &[i32]| DescribeLogDirsRequest {
            topics: Some(vec![DescribableLogDirTopic {
                topic: name.to_owned(),
                partitions: partitions.to_vec(),
                ..Default::default()
            }]),
            ..Default::default()
        };
        let known = self.world.topic.clone();
        let all = DescribeLogDirsRequest {
            topics: None,
            ..Default::default()
        };
        // What is not here is left out.
        self.add(Valid, "everything", &all);
        self.add(Valid, "nothing", &DescribeLogDirsRequest::default());
        self.add(Valid, "a topic", &request(&known, &[0, 1, 0]));
        self.add(Valid, "unknown topic", &request(NOWHERE, &[0]));
        let beyond = [-1, PARTITION_BEYOND, i32::MIN, i32::MAX];
        self.add(Valid, "partitions beyond", &request(&known, &beyond));
        for (what, name) in bad_names() {
            self.add(Valid, what, &request(&name, &[0]));
        }
    }

    pub(super) fn elect_leaders(&mut self) {
        use elect_leaders::*;
        let request = |election_type, name: &str, partition| ElectLeadersRequest {
            election_type,
            topic_partitions: Some(vec![TopicPartitions {
                topic: name.to_owned(),
                partitions: vec![partition],
                ..Default::default()
            }]),
            ..Default::default()
        };
        let known = self.world.topic.clone();
        let all = ElectLeadersRequest {
            topic_partitions: None,
            ..Default::default()
        };
        self.add(Valid, "everywhere", &all);
        self.add(Valid, "nowhere", &ElectLeadersRequest::default());
        self.add(Error, "not needed", &request(0, &known, 0));
        self.add(Error, "unknown topic", &request(0, NOWHERE, 0));
        for partition in [-1, PARTITION_BEYOND, i32::MIN] {
            let what = format!("partition {partition}");
            self.add(Error, what, &request(0, &known, partition));
        }
        if self.version >= 1 {
            self.add(Error, "an unclean one", &request(1, &known, 0));
            for election_type in [2, -1, i8::MAX, i8::MIN] {
                let what = format!("election type {election_type}");
                self.add(Error, what, &request(election_type, &known, 0));
            }
        }
    }

    pub(super) fn describe_producers(&mut self) {
        use describe_producers::*;
        let request = |name: &str, partition_indexes: &[i32]| DescribeProducersRequest {
            topics: vec![TopicRequest {
                name: name.to_owned(),
                partition_indexes: partition_indexes.to_vec(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let known = self.world.topic.clone();
        self.add(Valid, "a partition", &request(&known, &[0]));
        self.add(Valid, "a partition twice", &request(&known, &[0, 0]));
        self.add(Valid, "nothing", &DescribeProducersRequest::default());
        self.add(Error, "unknown topic", &request(NOWHERE, &[0]));
        for partition in [-1, PARTITION_BEYOND, i32::MIN, i32::MAX] {
            let what = format!("partition {partition}");
            self.add(Error, what, &request(&known, &[partition]));
        }
        for (what, name) in bad_names() {
            self.add(Error, what, &request(&name, &[0]));
        }
    }

    pub(super) fn describe_quorum(&mut self) {
        use describe_quorum::*;
        let partition = |partition_index| RequestPartitionData {
            partition_index,
            ..Default::default()
        };
        let request = |topic_name: &str, partitions: &[i32]| DescribeQuorumRequest {
            topics: vec![RequestTopicData {
                topic_name: topic_name.to_owned(),
                partitions: partitions.iter().copied().map(partition).collect(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let metadata = "__cluster_metadata";
        self.add(Valid, "the quorum", &request(metadata, &[0]));
        self.add(Valid, "nothing", &DescribeQuorumRequest::default());
        for partition in [-1, 1, i32::MIN, i32::MAX] {
            let what = format!("partition {partition}");
            self.add(Error, what, &request(metadata, &[partition]));
        }
        self.add(Error, "twice", &request(metadata, &[0, 0]));
        for (what, name) in bad_names() {
            self.add(Error, what, &request(&name, &[0]));
        }
    }

    pub(super) fn list_config_resources(&mut self) {
        use list_config_resources::*;
        let request = |types: &[i8]| ListConfigResourcesRequest {
            resource_types: types.to_vec(),
            ..Default::default()
        };
        self.add(Valid, "everything", &request(&[]));
        if self.version >= 1 {
            self.add(Valid, "each type", &request(&[2, 4, 8, 16, 32, 2]));
            for kind in [0, 1, 3, 64, -1, i8::MIN] {
                self.add(Error, format!("type {kind}"), &request(&[2, kind]));
            }
        }
    }

    pub(super) fn describe_topic_partitions(&mut self) {
        use describe_topic_partitions::*;
        let request = |name: &str, cursor: Option<(&str, i32)>| DescribeTopicPartitionsRequest {
            topics: vec![TopicRequest {
                name: name.to_owned(),
                ..Default::default()
            }],
            cursor: cursor.map(|(name, partition_index)| Cursor {
                topic_name: name.to_owned(),
                partition_index,
                ..Default::default()
            }),
            ..Default::default()
        };
        let known = self.world.topic.clone();
        self.add(
            Valid,
            "everything",
            &DescribeTopicPartitionsRequest::default(),
        );
        let good = request(&known, None);
        self.add(Valid, "a topic", &good);
        for limit in [0, -1, 1, i32::MIN, i32::MAX] {
            self.changed(Valid, format!("limit {limit}"), &good, |request| {
                request.response_partition_limit = limit;
            });
        }
        for index in [0, 1, PARTITION_BEYOND, i32::MAX] {
            let what = format!("from partition {index}");
            self.add(Valid, what, &request(&known, Some((&known, index))));
        }
        for index in [-1, i32::MIN] {
            let what = format!("from partition {index}");
            self.add(Error, what, &request(&known, Some((&known, index))));
        }
        self.add(Error, "from elsewhere", &request(&known, Some(("", 0))));
        self.add(Error, "unknown topic", &request(NOWHERE, None));
        for (what, name) in bad_names() {
            self.add(Error, what, &request(&name, None));
        }
    }
}
