//! One story told to one broker, and the transcript of it.

use std::cell::RefCell;
use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ottla::base::ids::Uuid;
use ottla::base::prng::Prng;
use ottla::wire::frame::request_frame;
use ottla::wire::header::{RequestHeader, ResponseHeader};
use ottla::wire::messages::describe_configs::*;
use ottla::wire::messages::list_offsets::*;
use ottla::wire::messages::metadata::*;
use ottla::wire::{ApiKey, Decode, Reader, decode_body};

use crate::answer::{Question, tree};
use crate::debug_text::Value;
use crate::versions::Versions;

/// Longer than any broker under test takes; a broker that says nothing for so long differs from one that does.
const SILENCE: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(30);
const GLANCE: Duration = Duration::from_millis(5);
const CLIENT: &str = "differential";

/// A broker under comparison.
pub(crate) struct Broker {
    pub(crate) name: &'static str,
    pub(crate) address: String,
    /// Its folder on disk, which shows in configs.
    pub(crate) folder: String,
}

/// How a question ended.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Outcome {
    Answer(Value),
    /// Bytes that are no answer in this version.
    Unreadable(String),
    Closed,
    Silence,
    /// No answer was wanted, and the connection still serves.
    Sent,
}

pub(crate) struct Exchange {
    pub(crate) what: String,
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    pub(crate) question: String,
    pub(crate) outcome: Outcome,
}

/// A story on a broker. Names carry the story and its round, so that each finds the broker as new.
pub(crate) struct Session<'a> {
    pub(crate) broker: &'a Broker,
    pub(crate) versions: &'a Versions,
    pub(crate) suffix: String,
    seed: u64,
    transcript: RefCell<Vec<Exchange>>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(
        broker: &'a Broker,
        versions: &'a Versions,
        suffix: String,
        seed: u64,
    ) -> Self {
        let transcript = RefCell::default();
        Session {
            broker,
            versions,
            suffix,
            seed,
            transcript,
        }
    }

    pub(crate) fn into_transcript(self) -> Vec<Exchange> {
        self.transcript.into_inner()
    }

    /// A name of this session's own; the suffix is taken off again before answers are compared.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{name}{}", self.suffix)
    }

    /// The same draws for both brokers.
    pub(crate) fn prng(&self) -> Prng {
        Prng::new(self.seed)
    }

    pub(crate) fn client(&self) -> Client<'_> {
        Client {
            session: self,
            stream: None,
            correlation: 0,
        }
    }

    fn note(&self, exchange: Exchange) {
        self.transcript.borrow_mut().push(exchange);
    }
}

/// One connection, opened again when the broker closes it.
pub(crate) struct Client<'a> {
    pub(crate) session: &'a Session<'a>,
    stream: Option<TcpStream>,
    correlation: i32,
}

/// A question under way.
pub(crate) struct Asked {
    what: String,
    version: i16,
    question: String,
}

impl Client<'_> {
    pub(crate) fn name(&self, name: &str) -> String {
        self.session.name(name)
    }

    pub(crate) fn version(&self, api: ApiKey) -> i16 {
        self.session.versions.of(api)
    }

    /// Asks in this round's version and notes the answer.
    pub(crate) fn ask<Q: Question>(&mut self, what: &str, question: &Q) -> Option<Q::Answer> {
        let asked = self.send(what, question);
        self.receive::<Q>(asked)
    }

    pub(crate) fn send<Q: Question>(&mut self, what: &str, question: &Q) -> Asked {
        let version = self.version(Q::KEY);
        // What cannot be sent has no answer either: `receive` finds out.
        let _ = self.write(Q::KEY, version, |header| request_frame(header, question));
        let question = format!("{question:?}");
        Asked {
            what: what.to_owned(),
            version,
            question,
        }
    }

    pub(crate) fn receive<Q: Question>(&mut self, asked: Asked) -> Option<Q::Answer> {
        let Asked {
            what,
            version,
            question,
        } = asked;
        let (outcome, body) = self.outcome(Q::KEY, version);
        self.session.note(Exchange {
            what,
            api: Q::KEY,
            version,
            question,
            outcome,
        });
        decode_body(body?, version).ok()
    }

    /// For a question without an answer: whether the connection still serves is what is noted.
    pub(crate) fn tell<Q: Question>(&mut self, what: &str, question: &Q) {
        let Asked {
            what,
            version,
            question,
        } = self.send(what, question);
        let probe = MetadataRequest {
            topics: Some(Vec::new()),
            ..Default::default()
        };
        let alive = self.quietly(&probe, 1).is_some();
        let outcome = if alive {
            Outcome::Sent
        } else {
            Outcome::Closed
        };
        self.session.note(Exchange {
            what,
            api: Q::KEY,
            version,
            question,
            outcome,
        });
    }

    /// A frame's body as it stands.
    pub(crate) fn ask_raw(
        &mut self,
        what: &str,
        api: ApiKey,
        version: i16,
        body: &[u8],
        answered: bool,
    ) {
        let sent = self.write(api, version, |header| raw_frame(header, body));
        let outcome = match (sent, answered) {
            (Ok(()), true) => self.outcome(api, version).0,
            _ => {
                let probe = MetadataRequest {
                    topics: Some(Vec::new()),
                    ..Default::default()
                };
                match self.quietly(&probe, 1) {
                    Some(_) => Outcome::Sent,
                    None => Outcome::Closed,
                }
            }
        };
        let question = format!("{} bytes", body.len());
        self.session.note(Exchange {
            what: what.to_owned(),
            api,
            version,
            question,
            outcome,
        });
    }

    /// Asks without a note.
    pub(crate) fn quietly<Q: Question>(&mut self, question: &Q, version: i16) -> Option<Q::Answer> {
        self.write(Q::KEY, version, |header| request_frame(header, question))
            .ok()?;
        let (_, body) = self.outcome(Q::KEY, version);
        decode_body(body?, version).ok()
    }

    fn write(
        &mut self,
        api: ApiKey,
        version: i16,
        frame: impl FnOnce(&RequestHeader) -> Bytes,
    ) -> io::Result<()> {
        self.correlation += 1;
        let header = RequestHeader {
            api_key: api,
            api_version: version,
            correlation_id: self.correlation,
            client_id: Some(CLIENT.into()),
            unknown_tagged_fields: Vec::new(),
        };
        let frame = frame(&header);
        self.stream()?.write_all(&frame)
    }

    fn stream(&mut self) -> io::Result<&mut TcpStream> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(&self.session.broker.address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(SILENCE))?;
            stream.set_write_timeout(Some(SILENCE))?;
            self.stream = Some(stream);
        }
        Ok(self.stream.as_mut().expect("just opened"))
    }

    fn outcome(&mut self, api: ApiKey, version: i16) -> (Outcome, Option<Bytes>) {
        let frame = match self.read_frame() {
            Ok(frame) => frame,
            Err(error) => {
                self.stream = None;
                let silent = matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                );
                return (
                    if silent {
                        Outcome::Silence
                    } else {
                        Outcome::Closed
                    },
                    None,
                );
            }
        };
        let mut reader = Reader::new(frame);
        let header = ResponseHeader::decode(&mut reader, ResponseHeader::version(api, version));
        match header {
            Ok(header) if header.correlation_id == self.correlation => {}
            other => return (Outcome::Unreadable(format!("{other:?}")), None),
        }
        let body = reader.into_rest();
        match tree(api, version, body.clone()) {
            Ok(tree) => (Outcome::Answer(tree), Some(body)),
            Err(error) => (Outcome::Unreadable(error), None),
        }
    }

    fn read_frame(&mut self) -> io::Result<Bytes> {
        let stream = self.stream()?;
        let mut prefix = [0; 4];
        stream.read_exact(&mut prefix)?;
        let mut frame = vec![0; u32::from_be_bytes(prefix) as usize];
        stream.read_exact(&mut frame)?;
        Ok(frame.into())
    }

    /// Glances until `ready`; what never comes is seen by the questions that follow.
    pub(crate) fn settle(&mut self, mut ready: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !ready(self) && Instant::now() < deadline {
            thread::sleep(GLANCE);
        }
    }

    pub(crate) fn look_up(&mut self, topic: &str) -> Option<MetadataResponseTopic> {
        let topics = Some(vec![MetadataRequestTopic {
            name: Some(topic.to_owned()),
            ..Default::default()
        }]);
        let request = MetadataRequest {
            topics,
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        self.quietly(&request, 12)?.topics.pop()
    }

    /// Until the broker serves all partitions of the topic; its id. Kafka names a leader before it leads.
    pub(crate) fn settle_topic(&mut self, topic: &str, partitions: usize) -> Uuid {
        let partition = |partition_index| ListOffsetsPartition {
            partition_index,
            timestamp: -1,
            ..Default::default()
        };
        let request = ListOffsetsRequest {
            replica_id: -1,
            topics: vec![ListOffsetsTopic {
                name: topic.to_owned(),
                partitions: (0..partitions as i32).map(partition).collect(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let mut id = Uuid::ZERO;
        self.settle(|client| {
            let found = client.look_up(topic).filter(|found| found.error_code == 0);
            id = found.map_or(Uuid::ZERO, |found| found.topic_id);
            let answer = client.quietly(&request, 1);
            let is_served = answer.is_some_and(|answer| {
                let mut partitions = answer.topics[0].partitions.iter();
                partitions.all(|found| found.error_code == 0)
            });
            id != Uuid::ZERO && is_served
        });
        id
    }

    pub(crate) fn settle_gone(&mut self, topic: &str) {
        self.settle(|client| {
            client
                .look_up(topic)
                .is_some_and(|found| found.error_code != 0)
        });
    }

    /// Until the config of a resource reads so.
    pub(crate) fn settle_config(
        &mut self,
        resource_type: i8,
        name: &str,
        key: &str,
        value: Option<&str>,
    ) {
        let resource = DescribeConfigsResource {
            resource_type,
            resource_name: name.to_owned(),
            configuration_keys: Some(vec![key.to_owned()]),
            ..Default::default()
        };
        let request = DescribeConfigsRequest {
            resources: vec![resource],
            ..Default::default()
        };
        self.settle(|client| {
            let Some(answer) = client.quietly(&request, 4) else {
                return false;
            };
            let configs = answer.results.iter().flat_map(|result| &result.configs);
            let found = configs.filter(|config| config.name == key);
            found.map(|config| config.value.as_deref()).next().flatten() == value
        });
    }
}

fn raw_frame(header: &RequestHeader, body: &[u8]) -> Bytes {
    let mut writer = ottla::wire::Writer::new();
    header.encode(&mut writer);
    let header = writer.into_bytes();
    let length = (header.len() + body.len()) as u32;
    [&length.to_be_bytes()[..], &header, body].concat().into()
}
