//! A small blocking Kafka client over the broker's own codec: who is there, who leads what, who coordinates what.

pub(crate) mod connection;
mod offsets;
pub(crate) mod question;

use crate::failure::Failure;
use crate::output::Output;
use clap::Args;
use connection::Connection;
use ottla::base::endpoint::{endpoint, with_port};
use ottla::base::limits::TOOL_RETRY_PAUSE_MS;
use ottla::wire::ErrorCode;
use ottla::wire::messages::find_coordinator::FindCoordinatorRequest;
use ottla::wire::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseTopic,
};
use question::Question;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

pub(crate) use offsets::{EARLIEST, Found, LATEST, Wanted};

/// Which cluster.
#[derive(Args, Clone)]
pub(crate) struct Remote {
    /// Brokers of the cluster; the first that can be reached is asked.
    #[arg(
        short,
        long,
        value_name = "HOST:PORT[,...]",
        default_value = "localhost:9092",
        env = "OTTLA_BOOTSTRAP",
        global = true
    )]
    pub(crate) bootstrap: String,
    /// How long an answer, or something that fails only for now, is waited for.
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = seconds, global = true)]
    pub(crate) timeout: f64,
}

/// Which cluster is asked, and how its answers are told.
#[derive(Args, Clone)]
pub(crate) struct Contact {
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    pub(crate) output: Output,
}

impl Contact {
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.remote, self.output.verbose)
    }
}

pub(crate) struct Client {
    bootstrap: Vec<String>,
    pub(crate) timeout: Duration,
    pub(crate) verbose: bool,
    /// By address; an advertised one that equals the bootstrap address is not dialled again.
    connections: BTreeMap<String, Connection>,
    /// Addresses by node id, as of the last metadata.
    brokers: BTreeMap<i32, String>,
    controller: i32,
}

/// One partition of one topic.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    pub(crate) topic: String,
    pub(crate) partition: i32,
}

impl Place {
    pub(crate) fn new(topic: &str, partition: i32) -> Place {
        Place {
            topic: topic.to_owned(),
            partition,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

impl Client {
    pub(crate) fn new(remote: &Remote, verbose: bool) -> Client {
        let bootstrap = remote.bootstrap.split(',').map(str::trim);
        Client {
            bootstrap: bootstrap
                .filter(|address| !address.is_empty())
                .map(with_port)
                .collect(),
            timeout: Duration::from_secs_f64(remote.timeout),
            verbose,
            connections: BTreeMap::new(),
            brokers: BTreeMap::new(),
            controller: -1,
        }
    }

    /// What the wire's `timeout_ms` is to be: a broker that is out of time says so before it is given up.
    pub(crate) fn timeout_ms(&self) -> i32 {
        i32::try_from(self.timeout.as_millis() * 9 / 10).unwrap_or(i32::MAX)
    }

    /// Asks whichever broker there is.
    pub(crate) fn ask_any<Q: Question>(&mut self, question: &Q) -> Result<Q::Answer, Failure> {
        let address = self.any()?;
        self.ask_at(&address, question)
    }

    pub(crate) fn ask<Q: Question>(
        &mut self,
        node: i32,
        question: &Q,
    ) -> Result<Q::Answer, Failure> {
        let address = self.address_of(node)?;
        self.connection(&address)?;
        self.ask_at(&address, question)
    }

    pub(crate) fn ask_controller<Q: Question>(
        &mut self,
        question: &Q,
    ) -> Result<Q::Answer, Failure> {
        if self.controller < 0 {
            self.metadata(Some(&[]))?;
        }
        match self.controller {
            0.. => self.ask(self.controller, question),
            _ => self.ask_any(question),
        }
    }

    fn ask_at<Q: Question>(&mut self, address: &str, question: &Q) -> Result<Q::Answer, Failure> {
        let connection = self.connections.get_mut(address).expect("it was opened");
        let answer = connection.ask(question);
        if answer.is_err() {
            self.connections.remove(address);
        }
        answer
    }

    /// A connection that the caller owns, for questions whose answers are waited for later.
    pub(crate) fn connect(&mut self, node: i32) -> Result<Connection, Failure> {
        let address = self.address_of(node)?;
        match self.connections.remove(&address) {
            Some(connection) => Ok(connection),
            None => Connection::open(&address, self.timeout, self.verbose),
        }
    }

    /// The same, when the broker may take that much longer for an answer.
    pub(crate) fn connect_for(
        &mut self,
        node: i32,
        longer: Duration,
    ) -> Result<Connection, Failure> {
        let address = self.address_of(node)?;
        Connection::open(&address, self.timeout + longer, self.verbose)
    }

    /// Any connection's broker; for what it said about itself.
    pub(crate) fn any_connection(&mut self) -> Result<&Connection, Failure> {
        let address = self.any()?;
        Ok(&self.connections[&address])
    }

    fn any(&mut self) -> Result<String, Failure> {
        if let Some(address) = self.connections.keys().next() {
            return Ok(address.clone());
        }
        let known = self.brokers.values().cloned();
        let addresses: Vec<String> = self.bootstrap.iter().cloned().chain(known).collect();
        let mut failure = Failure::usage("--bootstrap names no broker");
        for address in addresses {
            match self.connection(&address) {
                Ok(_) => return Ok(address),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn connection(&mut self, address: &str) -> Result<&mut Connection, Failure> {
        if !self.connections.contains_key(address) {
            let connection = Connection::open(address, self.timeout, self.verbose)?;
            self.connections.insert(address.to_owned(), connection);
        }
        Ok(self.connections.get_mut(address).expect("it is there"))
    }

    fn address_of(&mut self, node: i32) -> Result<String, Failure> {
        if !self.brokers.contains_key(&node) {
            self.metadata(Some(&[]))?;
        }
        let address = self.brokers.get(&node).cloned();
        address.ok_or_else(|| {
            let failure = Failure::connection(format!("broker {node} is not in the cluster"));
            failure.fix("ottla cluster nodes lists them")
        })
    }

    /// Brokers, and the topics named, or all. Never creates one.
    pub(crate) fn metadata(
        &mut self,
        topics: Option<&[&str]>,
    ) -> Result<MetadataResponse, Failure> {
        let topics = topics.map(|names| {
            let topics = names.iter().map(|name| MetadataRequestTopic {
                name: Some(name.to_string()),
                ..MetadataRequestTopic::default()
            });
            topics.collect()
        });
        let question = MetadataRequest {
            topics,
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let answer = self.ask_any(&question)?;
        let brokers = answer.brokers.iter();
        let brokers = brokers.map(|broker| (broker.node_id, endpoint(&broker.host, broker.port)));
        self.brokers = brokers.collect();
        self.controller = answer.controller_id;
        Ok(answer)
    }

    /// The topics named, in that order, with all their partitions; fails when one is missing.
    pub(crate) fn topics(&mut self, names: &[&str]) -> Result<Vec<MetadataResponseTopic>, Failure> {
        let mut topics = self.metadata(Some(names))?.topics;
        for topic in &mut topics {
            let name = topic.name.as_deref().unwrap_or_default();
            Failure::check(&format!("topic {name}"), topic.error_code, None)?;
            topic
                .partitions
                .sort_by_key(|partition| partition.partition_index);
        }
        let position = |topic: &MetadataResponseTopic| {
            let name = topic.name.as_deref();
            names.iter().position(|wanted| Some(*wanted) == name)
        };
        topics.sort_by_key(position);
        Ok(topics)
    }

    /// Those of the places that there are.
    pub(crate) fn existing(&mut self, places: &[Place]) -> Result<Vec<Place>, Failure> {
        let names: Vec<&str> = names(places).collect();
        let topics = self.metadata(Some(&names))?.topics;
        let exists = |place: &&Place| {
            let mut topics = topics.iter();
            let topic = topics.find(|topic| topic.name.as_deref() == Some(&place.topic));
            topic.is_some_and(|topic| {
                let mut partitions = topic.partitions.iter();
                partitions.any(|partition| partition.partition_index == place.partition)
            })
        };
        Ok(places.iter().filter(exists).cloned().collect())
    }

    /// Who leads each place. Fails when one has no leader, or does not exist.
    pub(crate) fn leaders(&mut self, places: &[Place]) -> Result<BTreeMap<Place, i32>, Failure> {
        let names: Vec<&str> = names(places).collect();
        let topics = self.topics(&names)?;
        let mut leaders = BTreeMap::new();
        for place in places {
            let topic = topics.iter();
            let mut topic = topic.filter(|topic| topic.name.as_deref() == Some(&place.topic));
            let mut partitions = topic.next().into_iter().flat_map(|topic| &topic.partitions);
            let found = partitions.find(|partition| partition.partition_index == place.partition);
            let (code, leader) = match found {
                None => (ErrorCode::UnknownTopicOrPartition, -1),
                Some(partition) if partition.leader_id < 0 => (ErrorCode::LeaderNotAvailable, -1),
                Some(partition) => (ErrorCode::None, partition.leader_id),
            };
            Failure::check(&format!("partition {place}"), code.code(), None)?;
            leaders.insert(place.clone(), leader);
        }
        Ok(leaders)
    }

    /// Asks again while the failure is one that passes, as long as the timeout allows.
    pub(crate) fn patiently<T>(
        &mut self,
        mut attempt: impl FnMut(&mut Client) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + self.timeout;
        loop {
            match attempt(self) {
                Err(failure) if failure.is_passing() && Instant::now() < deadline => pause(),
                result => return result,
            }
        }
    }

    /// The broker that coordinates a group.
    pub(crate) fn coordinator(&mut self, group: &str) -> Result<i32, Failure> {
        let question = FindCoordinatorRequest {
            coordinator_keys: vec![group.to_owned()],
            ..FindCoordinatorRequest::default()
        };
        self.patiently(|client| {
            let answer = client.ask_any(&question)?;
            let found = answer.coordinators.into_iter().next();
            let found =
                found.ok_or_else(|| Failure::new(format!("group {group} has no coordinator")))?;
            let message = found.error_message.as_deref();
            Failure::check(&format!("group {group}"), found.error_code, message)?;
            let address = endpoint(&found.host, found.port);
            client.brokers.insert(found.node_id, address);
            Ok(found.node_id)
        })
    }
}

/// Their topics, each once.
fn names(places: &[Place]) -> impl Iterator<Item = &str> {
    let names: BTreeSet<&str> = places.iter().map(|place| place.topic.as_str()).collect();
    names.into_iter()
}

pub(crate) fn pause() {
    std::thread::sleep(Duration::from_millis(TOOL_RETRY_PAUSE_MS));
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text
        .parse()
        .ok()
        .filter(|seconds| (0.001..=86_400.0).contains(seconds));
    seconds.ok_or_else(|| "write seconds, from 0.001 to 86400".into())
}
