//! Fetch sessions (KIP-227): only what changed, over any number of partitions, connections and lives.

use crate::harness::batches::{self, Record};
use crate::harness::broker::Broker;
use crate::harness::client::Connection;
use crate::harness::kafka::record_bytes;
use ottla::base::ids::Uuid;
use ottla::wire::ErrorCode;
use ottla::wire::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic, ForgottenTopic};
use std::time::{Duration, Instant};

const BY_NAME: i16 = 12;
const BY_ID: i16 = 18;

/// A client that keeps to the protocol: one topic, any partitions.
struct Fetcher {
    client: Connection,
    name: String,
    id: Uuid,
    version: i16,
    session: (i32, i32),
    wait_ms: i32,
}

impl Fetcher {
    fn new(broker: &Broker, name: &str, id: Uuid, version: i16) -> Fetcher {
        Fetcher {
            client: Connection::open(&broker.address),
            name: name.into(),
            id,
            version,
            session: (0, 0),
            wait_ms: 0,
        }
    }

    fn topic(&self) -> (String, Uuid) {
        match self.version {
            13.. => (String::new(), self.id),
            _ => (self.name.clone(), Uuid::ZERO),
        }
    }

    fn request(&self, wanted: &[(i32, i64)], forgotten: &[i32]) -> FetchRequest {
        let (topic, topic_id) = self.topic();
        let partitions = wanted.iter().map(|&(partition, offset)| FetchPartition {
            partition,
            fetch_offset: offset,
            partition_max_bytes: 1 << 20,
            ..FetchPartition::default()
        });
        let wanted = FetchTopic {
            topic: topic.clone(),
            topic_id,
            partitions: partitions.collect(),
            ..FetchTopic::default()
        };
        let forgotten = ForgottenTopic {
            topic,
            topic_id,
            partitions: forgotten.to_vec(),
            ..ForgottenTopic::default()
        };
        FetchRequest {
            max_wait_ms: self.wait_ms,
            min_bytes: 1,
            session_id: self.session.0,
            session_epoch: self.session.1,
            topics: Vec::from_iter((!wanted.partitions.is_empty()).then_some(wanted)),
            forgotten_topics_data: Vec::from_iter(
                (!forgotten.partitions.is_empty()).then_some(forgotten),
            ),
            ..FetchRequest::default()
        }
    }

    /// The partitions of the answer, or the code of a whole that failed.
    fn fetch(&mut self, wanted: &[(i32, i64)], forgotten: &[i32]) -> Result<Vec<Heard>, ErrorCode> {
        let answer = self
            .client
            .call(&self.request(wanted, forgotten), self.version);
        if answer.error_code != 0 {
            assert_eq!((answer.session_id, answer.responses.len()), (0, 0));
            self.session = (0, 0);
            return Err(ErrorCode::from_code(answer.error_code).expect("a known code"));
        }
        if answer.session_id != 0 {
            assert!(self.session.1 == 0 || self.session.0 == answer.session_id);
            self.session = (answer.session_id, self.session.1 + 1);
        }
        Ok(self.heard(&answer))
    }

    fn heard(&self, answer: &FetchResponse) -> Vec<Heard> {
        let mut heard = Vec::new();
        for topic in &answer.responses {
            assert_eq!((topic.topic.clone(), topic.topic_id), self.topic());
            for data in &topic.partitions {
                let batches = batches::read(&record_bytes(data));
                heard.push(Heard {
                    partition: data.partition_index,
                    code: data.error_code,
                    high_watermark: data.high_watermark,
                    log_start: data.log_start_offset,
                    offsets: batches.iter().map(|batch| batch.base_offset).collect(),
                });
            }
        }
        heard.sort_by_key(|heard| heard.partition);
        heard
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Heard {
    partition: i32,
    code: i16,
    high_watermark: i64,
    log_start: i64,
    offsets: Vec<i64>,
}

fn heard(partition: i32, high_watermark: i64, log_start: i64, offsets: &[i64]) -> Heard {
    Heard {
        partition,
        code: 0,
        high_watermark,
        log_start,
        offsets: offsets.to_vec(),
    }
}

#[test]
fn a_session_tells_what_changed_and_nothing_else() {
    let broker = Broker::start("sessions_changes");
    let mut admin = Connection::open(&broker.address);
    for version in [BY_NAME, 13, BY_ID] {
        let name = format!("changes-{version}");
        let id = admin.create_topic(&name, 4, &[]);
        let mut fetcher = Fetcher::new(&broker, &name, id, version);
        let all = fetcher.fetch(&[(0, 0), (1, 0), (2, 0)], &[]);
        let empty = |partition| heard(partition, 0, 0, &[]);
        assert_eq!(all, Ok(vec![empty(0), empty(1), empty(2)]));
        assert!(fetcher.session.0 > 0, "a session was granted");
        assert_eq!(fetcher.fetch(&[], &[]), Ok(vec![]));

        admin.produce_values(&name, 1, &["x"]);
        assert_eq!(fetcher.fetch(&[], &[]), Ok(vec![heard(1, 1, 0, &[0])]));
        // Until the client says that it has read it.
        assert_eq!(fetcher.fetch(&[], &[]), Ok(vec![heard(1, 1, 0, &[0])]));
        assert_eq!(fetcher.fetch(&[(1, 1)], &[]), Ok(vec![]));
        admin.delete_records(&name, 1, -1);
        assert_eq!(fetcher.fetch(&[], &[]), Ok(vec![heard(1, 1, 1, &[])]));

        // One more, one less.
        assert_eq!(fetcher.fetch(&[(3, 0)], &[1]), Ok(vec![empty(3)]));
        admin.produce_values(&name, 1, &["y"]);
        admin.produce_values(&name, 3, &["z"]);
        assert_eq!(fetcher.fetch(&[], &[]), Ok(vec![heard(3, 1, 0, &[0])]));
        assert_eq!(
            fetcher.fetch(&[(3, 1), (1, 1)], &[]),
            Ok(vec![heard(1, 2, 1, &[1])])
        );

        // An error until it is over.
        let beyond = ErrorCode::OffsetOutOfRange.code();
        for _ in 0..2 {
            let told = fetcher.fetch(&[(0, 99)], &[1]).expect("a session");
            let codes: Vec<_> = told
                .iter()
                .map(|told| (told.partition, told.code))
                .collect();
            assert_eq!(codes, [(0, beyond)]);
        }
        assert_eq!(fetcher.fetch(&[(0, 0)], &[]), Ok(vec![empty(0)]));
        assert_eq!(fetcher.fetch(&[], &[]), Ok(vec![]));
    }
}

#[test]
fn a_session_waits_for_data_of_any_of_its_partitions() {
    let broker = Broker::start("sessions_wait");
    let mut admin = Connection::open(&broker.address);
    let id = admin.create_topic("wait", 8, &[]);
    let mut fetcher = Fetcher::new(&broker, "wait", id, BY_ID);
    let all: Vec<(i32, i64)> = (0..8).map(|partition| (partition, 0)).collect();
    assert_eq!(fetcher.fetch(&all, &[]).map(|told| told.len()), Ok(8));
    fetcher.wait_ms = 60_000;
    for partition in [5, 2] {
        let request = fetcher.request(&[], &[]);
        let sent = fetcher.client.send(&request, BY_ID).expect("sent");
        let began = Instant::now();
        admin.produce_values("wait", partition, &["x"]);
        let answer = fetcher
            .client
            .receive::<FetchRequest>(BY_ID, sent)
            .expect("an answer");
        assert_eq!(answer.error_code, 0);
        assert_eq!(fetcher.heard(&answer), [heard(partition, 1, 0, &[0])]);
        assert!(began.elapsed() < Duration::from_secs(30));
        fetcher.session.1 += 1;
        fetcher.wait_ms = 0;
        assert_eq!(fetcher.fetch(&[(partition, 1)], &[]), Ok(vec![]));
        fetcher.wait_ms = 60_000;
    }
}

#[test]
fn sessions_that_do_not_fit_are_refused() {
    let broker = Broker::start("sessions_refused");
    let mut admin = Connection::open(&broker.address);
    let id = admin.create_topic("refused", 1, &[]);
    let mut fetcher = Fetcher::new(&broker, "refused", id, BY_ID);
    for (session, epoch, version, code) in [
        (0, 1, BY_ID, ErrorCode::FetchSessionIdNotFound),
        (77, 5, BY_ID, ErrorCode::FetchSessionIdNotFound),
        (-1, i32::MIN, BY_NAME, ErrorCode::FetchSessionIdNotFound),
        (1, 2, BY_ID, ErrorCode::InvalidFetchSessionEpoch),
        (1, -2, BY_ID, ErrorCode::InvalidFetchSessionEpoch),
        (1, 1, BY_NAME, ErrorCode::FetchSessionTopicIdError),
    ] {
        (fetcher.session, fetcher.version) = ((0, 0), BY_ID);
        fetcher
            .fetch(&[(0, 0)], &[])
            .expect("everything is asked for");
        // 1 stands for the session there is.
        let session = if session == 1 {
            fetcher.session.0
        } else {
            session
        };
        (fetcher.session, fetcher.version) = ((session, epoch), version);
        assert_eq!(
            fetcher.fetch(&[(0, 0)], &[]),
            Err(code),
            "{session} {epoch}"
        );
    }
    // The end of a session, and nothing after it.
    (fetcher.session, fetcher.version) = ((0, 0), BY_ID);
    fetcher
        .fetch(&[(0, 0)], &[])
        .expect("everything is asked for");
    let open = fetcher.session;
    fetcher.session.1 = -1;
    assert_eq!(fetcher.fetch(&[(0, 0)], &[]), Ok(vec![heard(0, 0, 0, &[])]));
    fetcher.session = open;
    assert_eq!(
        fetcher.fetch(&[], &[]),
        Err(ErrorCode::FetchSessionIdNotFound)
    );
}

#[test]
fn a_topic_that_goes_is_told_of_until_it_is_forgotten() {
    let broker = Broker::start("sessions_gone");
    let mut admin = Connection::open(&broker.address);
    for (version, code) in [
        (BY_NAME, ErrorCode::UnknownTopicOrPartition),
        (BY_ID, ErrorCode::UnknownTopicId),
    ] {
        let name = format!("gone-{version}");
        let id = admin.create_topic(&name, 1, &[]);
        let mut fetcher = Fetcher::new(&broker, &name, id, version);
        fetcher
            .fetch(&[(0, 0)], &[])
            .expect("everything is asked for");
        admin.delete_topic(&name);
        for _ in 0..2 {
            let told = fetcher.fetch(&[], &[]).expect("a session");
            assert_eq!((told.len(), told[0].code), (1, code.code()), "{version}");
        }
        // Another topic of its name is another topic: only a name finds it.
        admin.create_topic(&name, 1, &[]);
        let told = fetcher.fetch(&[], &[]).expect("a session");
        let expected = if version == BY_ID { code.code() } else { 0 };
        assert_eq!((told.len(), told[0].code), (1, expected), "{version}");
    }
}

/// Connections land on any shard, and only one knows the session.
#[test]
fn a_client_that_comes_back_reads_everything_once() {
    let mut broker = Broker::start("sessions_again");
    let mut admin = Connection::open(&broker.address);
    let id = admin.create_topic("again", 3, &[]);
    let mut fetcher = Fetcher::new(&broker, "again", id, BY_ID);
    let (mut next, mut begun) = ([0i64; 3], 0);
    let mut written = [0i64; 3];
    for round in 0..60 {
        match round {
            30 => {
                broker.kill();
                broker.restart();
                admin = Connection::open(&broker.address);
                fetcher.client = Connection::open(&broker.address);
            }
            _ if round % 3 == 0 => fetcher.client = Connection::open(&broker.address),
            _ => {}
        }
        let partition = round % 3;
        let batch = batches::batch(&[Record::value("x")]);
        admin.produce("again", partition as i32, batch);
        written[partition] += 1;
        while next != written {
            let all: Vec<(i32, i64)> = (0..3).map(|p| (p as i32, next[p])).collect();
            let told = match fetcher.fetch(&all, &[]) {
                Ok(told) => told,
                Err(code) => {
                    assert_eq!(code, ErrorCode::FetchSessionIdNotFound);
                    begun += 1;
                    continue;
                }
            };
            for told in told {
                let next = &mut next[told.partition as usize];
                for offset in told.offsets {
                    assert_eq!(offset, *next, "once, in order");
                    *next += 1;
                }
            }
        }
    }
    assert!(begun >= 1, "the restart ended a session");
    println!("{begun} sessions begun anew");
}

#[test]
fn without_places_for_sessions_everything_is_answered() {
    let broker = Broker::start_with("sessions_none", |start| {
        start.set("kafka.max.incremental.fetch.session.cache.slots", "0")
    });
    let mut admin = Connection::open(&broker.address);
    let id = admin.create_topic("none", 1, &[]);
    admin.produce_values("none", 0, &["x"]);
    let mut fetcher = Fetcher::new(&broker, "none", id, BY_ID);
    for _ in 0..2 {
        assert_eq!(
            fetcher.fetch(&[(0, 0)], &[]),
            Ok(vec![heard(0, 1, 0, &[0])])
        );
        assert_eq!(fetcher.session, (0, 0));
    }
}
