//! Who is there, who leads what, where logs begin and end.

use super::connection::Connection;
use crate::failure::Failure;
use ottla::base::endpoint::{endpoint, with_port};
use ottla::wire::ErrorCode;
use ottla::wire::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use ottla::wire::messages::init_producer_id::InitProducerIdRequest;
use ottla::wire::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use ottla::wire::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponseTopic,
};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a topic that was just created may take to have leaders.
const LEADERS_WAIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(20);
const TOPIC_TIMEOUT_MS: i32 = 20_000;

/// Special timestamps of ListOffsets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    Latest,
    Earliest,
}

pub(crate) struct Cluster {
    bootstrap: Vec<String>,
    pub(crate) id: Option<String>,
    connections: BTreeMap<String, Connection>,
}

/// Leaders by partition, as addresses.
#[derive(Clone, Debug)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) leaders: Vec<String>,
}

impl Topic {
    pub(crate) fn partitions(&self) -> usize {
        self.leaders.len()
    }

    /// Each broker that leads something, with what it leads.
    pub(crate) fn by_leader(&self) -> BTreeMap<&str, Vec<usize>> {
        let mut brokers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (partition, leader) in self.leaders.iter().enumerate() {
            brokers.entry(leader).or_default().push(partition);
        }
        brokers
    }
}

/// A topic as a run wants it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) name: &'a str,
    pub(crate) partitions: usize,
    pub(crate) configs: &'a [(String, String)],
}

impl Cluster {
    pub(crate) fn reach(bootstrap: &str) -> Result<Cluster, Failure> {
        let addresses = bootstrap
            .split(',')
            .map(str::trim)
            .filter(|address| !address.is_empty());
        let mut cluster = Cluster {
            bootstrap: addresses.map(with_port).collect(),
            id: None,
            connections: BTreeMap::new(),
        };
        cluster.any()?;
        Ok(cluster)
    }

    /// Whichever broker answers first.
    pub(crate) fn any(&mut self) -> Result<&mut Connection, Failure> {
        let mut failure = Failure::usage("--bootstrap names no broker");
        for address in self.bootstrap.clone() {
            match self.at(&address) {
                Ok(_) => return self.at(&address),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    pub(crate) fn at(&mut self, address: &str) -> Result<&mut Connection, Failure> {
        if !self.connections.contains_key(address) {
            let connection = Connection::open(address)?;
            self.connections.insert(address.to_owned(), connection);
        }
        Ok(self.connections.get_mut(address).expect("it was opened"))
    }

    /// After a broker was away: dial again.
    pub(crate) fn forget_connections(&mut self) {
        self.connections.clear();
    }

    /// The topic, created when it is missing.
    pub(crate) fn topic(&mut self, wanted: Wanted<'_>) -> Result<Topic, Failure> {
        let deadline = Instant::now() + LEADERS_WAIT;
        loop {
            let (found, addresses) = self.metadata(wanted.name)?;
            match ErrorCode::from_code(found.error_code) {
                Some(ErrorCode::None) => {
                    if let Some(topic) = with_leaders(wanted.name, &found, &addresses) {
                        return fits(topic, wanted);
                    }
                }
                Some(ErrorCode::UnknownTopicOrPartition) => self.create(wanted)?,
                Some(ErrorCode::LeaderNotAvailable) => {}
                _ => return Err(refused(wanted.name, found.error_code, None)),
            }
            if Instant::now() >= deadline {
                let seconds = LEADERS_WAIT.as_secs();
                let why = format!("topic {} has no leaders after {seconds} s", wanted.name);
                return Err(Failure::new(why));
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn metadata(
        &mut self,
        name: &str,
    ) -> Result<(MetadataResponseTopic, BTreeMap<i32, String>), Failure> {
        let question = MetadataRequest {
            topics: Some(vec![MetadataRequestTopic {
                name: Some(name.to_owned()),
                ..MetadataRequestTopic::default()
            }]),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let answer = self.any()?.ask(&question)?;
        self.id = answer.cluster_id;
        let brokers = answer.brokers.iter();
        let addresses = brokers.map(|broker| (broker.node_id, endpoint(&broker.host, broker.port)));
        let topic = answer.topics.into_iter().next();
        let topic = topic.ok_or_else(|| Failure::new("metadata without the topic asked for"))?;
        Ok((topic, addresses.collect()))
    }

    fn create(&mut self, wanted: Wanted<'_>) -> Result<(), Failure> {
        let configs = wanted
            .configs
            .iter()
            .map(|(name, value)| CreatableTopicConfig {
                name: name.clone(),
                value: Some(value.clone()),
                ..CreatableTopicConfig::default()
            });
        let topic = CreatableTopic {
            name: wanted.name.to_owned(),
            num_partitions: i32::try_from(wanted.partitions).unwrap_or(i32::MAX),
            replication_factor: -1,
            configs: configs.collect(),
            ..CreatableTopic::default()
        };
        let question = CreateTopicsRequest {
            topics: vec![topic],
            timeout_ms: TOPIC_TIMEOUT_MS,
            ..CreateTopicsRequest::default()
        };
        let answer = self.any()?.ask(&question)?;
        for topic in answer.topics {
            let code = topic.error_code;
            if code != 0 && code != ErrorCode::TopicAlreadyExists.code() {
                return Err(refused(wanted.name, code, topic.error_message.as_deref()));
            }
        }
        Ok(())
    }

    /// Where each partition's log ends or begins.
    pub(crate) fn offsets(&mut self, topic: &Topic, end: End) -> Result<Vec<i64>, Failure> {
        patiently(|| self.offsets_now(topic, end))
    }

    fn offsets_now(&mut self, topic: &Topic, end: End) -> Result<Vec<i64>, Failure> {
        let timestamp = match end {
            End::Latest => -1,
            End::Earliest => -2,
        };
        let mut offsets = vec![0; topic.partitions()];
        for (leader, partitions) in topic.by_leader() {
            let wanted = partitions.iter().map(|&partition| ListOffsetsPartition {
                partition_index: partition as i32,
                timestamp,
                ..ListOffsetsPartition::default()
            });
            let question = ListOffsetsRequest {
                replica_id: -1,
                topics: vec![ListOffsetsTopic {
                    name: topic.name.clone(),
                    partitions: wanted.collect(),
                    ..ListOffsetsTopic::default()
                }],
                ..ListOffsetsRequest::default()
            };
            let answer = self.at(leader)?.ask(&question)?;
            for found in answer.topics.into_iter().flat_map(|topic| topic.partitions) {
                let what = format!("offsets of {}-{}", topic.name, found.partition_index);
                check(&what, found.error_code)?;
                if let Some(offset) = offsets.get_mut(found.partition_index as usize) {
                    *offset = found.offset;
                }
            }
        }
        Ok(offsets)
    }

    /// A new id and epoch for an idempotent producer.
    pub(crate) fn producer_id(&mut self) -> Result<(i64, i16), Failure> {
        patiently(|| self.producer_id_now())
    }

    fn producer_id_now(&mut self) -> Result<(i64, i16), Failure> {
        let answer = self.any()?.ask(&InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: 60_000,
            producer_id: -1,
            producer_epoch: -1,
            ..InitProducerIdRequest::default()
        })?;
        check("a producer id", answer.error_code)?;
        Ok((answer.producer_id, answer.producer_epoch))
    }
}

pub(crate) fn check(what: &str, code: i16) -> Result<(), Failure> {
    match code {
        0 => Ok(()),
        code => Err(Failure {
            is_passing: ErrorCode::from_code(code).is_some_and(is_passing),
            ..Failure::new(format!("{what}: {}", error_name(code)))
        }),
    }
}

/// What a broker says while it starts, or while a topic or a group finds its place.
fn is_passing(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::UnknownTopicOrPartition
            | ErrorCode::LeaderNotAvailable
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::NotCoordinator
    )
}

/// Again and again while it fails for now, and not for too long.
pub(crate) fn patiently<T>(mut attempt: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    let deadline = Instant::now() + LEADERS_WAIT;
    loop {
        match attempt() {
            Err(failure) if failure.is_passing && Instant::now() < deadline => {
                std::thread::sleep(PAUSE);
            }
            result => return result,
        }
    }
}

pub(crate) fn error_name(code: i16) -> String {
    ErrorCode::from_code(code)
        .map_or_else(|| format!("error {code}"), |code| code.name().to_owned())
}

fn refused(topic: &str, code: i16, message: Option<&str>) -> Failure {
    let why = message
        .map(|message| format!(": {message}"))
        .unwrap_or_default();
    Failure::new(format!("topic {topic}: {}{why}", error_name(code)))
}

fn fits(topic: Topic, wanted: Wanted<'_>) -> Result<Topic, Failure> {
    let (has, wants) = (topic.partitions(), wanted.partitions);
    if has == wants {
        return Ok(topic);
    }
    let failure = Failure::usage(format!(
        "topic {} has {has} partitions, not {wants}",
        topic.name
    ));
    Err(failure.fix(format!("--partitions {has}, or another --topic")))
}

/// None while a partition has no leader.
fn with_leaders(
    name: &str,
    found: &MetadataResponseTopic,
    addresses: &BTreeMap<i32, String>,
) -> Option<Topic> {
    let mut leaders = vec![None; found.partitions.len()];
    for partition in &found.partitions {
        let index = usize::try_from(partition.partition_index).ok()?;
        *leaders.get_mut(index)? = addresses.get(&partition.leader_id).cloned();
    }
    Some(Topic {
        name: name.to_owned(),
        leaders: leaders.into_iter().collect::<Option<_>>()?,
    })
}
