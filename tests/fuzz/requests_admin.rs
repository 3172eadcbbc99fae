//! Requests that change or describe topics and configs. What could succeed only validates.

use ottla::base::ids::Uuid;
use ottla::wire::messages::*;

use super::Fate::{Error, Valid};
use super::{Cases, IMAGINED, NOWHERE, NOWHERE_ID, PARTITION_BEYOND, bad_names};

impl Cases<'_> {
    pub(super) fn create_topics(&mut self) {
        use create_topics::*;
        let topic = CreatableTopic {
            name: IMAGINED.to_owned(),
            num_partitions: 3,
            replication_factor: 1,
            ..Default::default()
        };
        let nothing = CreateTopicsRequest {
            timeout_ms: 5000,
            validate_only: true,
            ..Default::default()
        };
        let good = CreateTopicsRequest {
            topics: vec![topic.clone()],
            ..nothing.clone()
        };
        self.add(Valid, "a topic", &good);
        self.add(Valid, "nothing", &nothing);
        if self.version >= 4 {
            self.changed(Valid, "defaults", &good, |request| {
                request.topics[0].num_partitions = -1;
                request.topics[0].replication_factor = -1;
            });
        }
        self.changed(Error, "twice", &good, |request| request.topics.push(topic));
        let known = ("it exists".to_owned(), self.world.topic.clone());
        for (what, name) in bad_names().into_iter().chain([known]) {
            self.changed(Error, what, &good, |request| request.topics[0].name = name);
        }
        for count in [0, -2, i32::MIN, i32::MAX] {
            let what = format!("{count} partitions");
            self.changed(Error, what, &good, |request| {
                request.topics[0].num_partitions = count
            });
        }
        for count in [0, -2, 3, i16::MAX] {
            let what = format!("{count} replicas");
            self.changed(Error, what, &good, |request| {
                request.topics[0].replication_factor = count
            });
        }
        for (fate, name, value) in [
            (Valid, "retention.ms", Some("1000")),
            (Error, "retention.ms", Some("soon")),
            (Error, "retention.ms", None),
            (Error, "no.such.config", Some("1")),
        ] {
            let what = format!("config {name} {value:?}");
            self.changed(fate, what, &good, |request| {
                request.topics[0].configs.push(CreatableTopicConfig {
                    name: name.to_owned(),
                    value: value.map(str::to_owned),
                    ..Default::default()
                });
            });
        }
        self.create_assigned_topics(&good);
    }

    fn create_assigned_topics(&mut self, good: &create_topics::CreateTopicsRequest) {
        for (what, partition_index, broker_ids) in [
            ("assigned to nobody", 0, vec![]),
            ("assigned to a stranger", 0, vec![9_999]),
            ("assigned from partition 5", 5, vec![0]),
            ("assigned and counted", 0, vec![0]),
        ] {
            self.changed(Error, what, good, |request| {
                let topic = &mut request.topics[0];
                if what != "assigned and counted" {
                    (topic.num_partitions, topic.replication_factor) = (-1, -1);
                }
                topic
                    .assignments
                    .push(create_topics::CreatableReplicaAssignment {
                        partition_index,
                        broker_ids,
                        ..Default::default()
                    });
            });
        }
    }

    pub(super) fn delete_topics(&mut self) {
        use delete_topics::*;
        let request = |name: Option<&str>, topic_id| DeleteTopicsRequest {
            topics: vec![DeleteTopicState {
                name: name.map(str::to_owned),
                topic_id,
                ..Default::default()
            }],
            topic_names: name.into_iter().map(str::to_owned).collect(),
            timeout_ms: 5000,
            ..Default::default()
        };
        self.add(Valid, "nothing", &DeleteTopicsRequest::default());
        self.add(Error, "unknown topic", &request(Some(NOWHERE), Uuid::ZERO));
        for (what, name) in bad_names() {
            self.add(Error, what, &request(Some(&name), Uuid::ZERO));
        }
        if self.version >= 6 {
            self.add(Error, "an id of nobody", &request(None, NOWHERE_ID));
            self.add(Error, "neither name nor id", &request(None, Uuid::ZERO));
            self.add(Error, "name and id", &request(Some(NOWHERE), NOWHERE_ID));
        }
    }

    pub(super) fn delete_records(&mut self) {
        use delete_records::*;
        let request = |name: &str, partition_index, offset| DeleteRecordsRequest {
            topics: vec![DeleteRecordsTopic {
                name: name.to_owned(),
                partitions: vec![DeleteRecordsPartition {
                    partition_index,
                    offset,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            timeout_ms: 5000,
            ..Default::default()
        };
        let known = self.world.topic.clone();
        self.add(Valid, "to the start", &request(&known, 0, 0));
        self.add(Valid, "nothing", &DeleteRecordsRequest::default());
        self.add(Error, "unknown topic", &request(NOWHERE, 0, 0));
        self.add(Error, "topic without a name", &request("", 0, 0));
        for partition in [-1, PARTITION_BEYOND, i32::MIN] {
            self.add(
                Error,
                format!("partition {partition}"),
                &request(&known, partition, 0),
            );
        }
        for offset in [-2, i64::MIN, i64::MAX, 1 << 50] {
            self.add(
                Error,
                format!("offset {offset}"),
                &request(&known, 0, offset),
            );
        }
    }

    pub(super) fn describe_configs(&mut self) {
        use describe_configs::*;
        let request = |resource_type, name: &str, keys: Option<&[&str]>| DescribeConfigsRequest {
            resources: vec![DescribeConfigsResource {
                resource_type,
                resource_name: name.to_owned(),
                configuration_keys: keys
                    .map(|keys| keys.iter().map(|&key| key.to_owned()).collect()),
                ..Default::default()
            }],
            include_synonyms: true,
            include_documentation: true,
            ..Default::default()
        };
        let known = self.world.topic.clone();
        self.add(Valid, "a topic", &request(2, &known, None));
        self.add(
            Valid,
            "one key",
            &request(2, &known, Some(&["retention.ms"])),
        );
        self.add(
            Valid,
            "a key of nobody",
            &request(2, &known, Some(&["no.such.config"])),
        );
        self.add(Valid, "nothing", &DescribeConfigsRequest::default());
        self.add(Error, "unknown topic", &request(2, NOWHERE, None));
        self.add(Error, "topic without a name", &request(2, "", None));
        self.add(
            Error,
            "a broker without a number",
            &request(4, "four", None),
        );
        self.add(Error, "another broker", &request(4, "9999", None));
        for resource_type in [0, 1, 99, -1, i8::MIN] {
            self.add(
                Error,
                format!("type {resource_type}"),
                &request(resource_type, &known, None),
            );
        }
    }

    pub(super) fn create_partitions(&mut self) {
        use create_partitions::*;
        let topic = |name: &str, count| CreatePartitionsTopic {
            name: name.to_owned(),
            count,
            assignments: None,
            ..Default::default()
        };
        let request = |topics: Vec<CreatePartitionsTopic>| CreatePartitionsRequest {
            topics,
            timeout_ms: 5000,
            validate_only: true,
            ..Default::default()
        };
        let (known, now) = (self.world.topic.clone(), self.world.partitions);
        self.add(Valid, "one more", &request(vec![topic(&known, now + 1)]));
        self.add(Valid, "nothing", &request(Vec::new()));
        self.add(Error, "unknown topic", &request(vec![topic(NOWHERE, 9)]));
        for (what, name) in bad_names() {
            self.add(Error, what, &request(vec![topic(&name, 9)]));
        }
        for count in [now, 0, -1, i32::MIN, i32::MAX] {
            self.add(
                Error,
                format!("{count} partitions"),
                &request(vec![topic(&known, count)]),
            );
        }
        for (what, brokers) in [("nobody", vec![]), ("a stranger", vec![9_999])] {
            let assignment = CreatePartitionsAssignment {
                broker_ids: brokers,
                ..Default::default()
            };
            let assignments = Some(vec![assignment]);
            let assigned = CreatePartitionsTopic {
                assignments,
                ..topic(&known, now + 1)
            };
            self.add(
                Error,
                format!("assigned to {what}"),
                &request(vec![assigned]),
            );
        }
    }

    pub(super) fn incremental_alter_configs(&mut self) {
        use incremental_alter_configs::*;
        let request = |resource_type, resource: &str, configs: &[(&str, i8, Option<&str>)]| {
            let configs = configs
                .iter()
                .map(|&(name, config_operation, value)| AlterableConfig {
                    name: name.to_owned(),
                    config_operation,
                    value: value.map(str::to_owned),
                    ..Default::default()
                });
            let resource = AlterConfigsResource {
                resource_type,
                resource_name: resource.to_owned(),
                configs: configs.collect(),
                ..Default::default()
            };
            IncrementalAlterConfigsRequest {
                resources: vec![resource],
                validate_only: true,
                ..Default::default()
            }
        };
        let known = self.world.topic.clone();
        let good = [("retention.ms", 0, Some("1000"))];
        self.add(Valid, "set", &request(2, &known, &good));
        self.add(
            Valid,
            "unset",
            &request(2, &known, &[("retention.ms", 1, None)]),
        );
        self.add(Valid, "no change", &request(2, &known, &[]));
        self.add(Valid, "nothing", &IncrementalAlterConfigsRequest::default());
        self.add(Error, "unknown topic", &request(2, NOWHERE, &good));
        self.add(Error, "topic without a name", &request(2, "", &good));
        self.add(
            Error,
            "a broker without a number",
            &request(4, "four", &good),
        );
        self.add(Error, "another broker", &request(4, "9999", &good));
        for resource_type in [0, 1, 99, -1, i8::MIN] {
            self.add(
                Error,
                format!("type {resource_type}"),
                &request(resource_type, &known, &good),
            );
        }
        for (what, change) in [
            ("unknown config", ("no.such.config", 0, Some("1"))),
            ("bad value", ("retention.ms", 0, Some("soon"))),
            ("null value", ("retention.ms", 0, None)),
            ("append to what is no list", ("retention.ms", 2, Some("1"))),
            (
                "subtract from what is no list",
                ("retention.ms", 3, Some("1")),
            ),
            ("operation 4", ("retention.ms", 4, Some("1"))),
            ("operation -1", ("retention.ms", -1, Some("1"))),
        ] {
            self.add(Error, what, &request(2, &known, &[change]));
        }
        self.add(
            Error,
            "a config twice",
            &request(2, &known, &[good[0], good[0]]),
        );
    }
}
