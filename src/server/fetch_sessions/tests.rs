use super::*;
use crate::base::ids::Uuid;
use crate::wire::fetch::{FetchPartition, FetchTopic, ForgottenTopic, PartitionData, RecordPieces};
use bytes::Bytes;

const BY_NAME: i16 = 12;
const BY_ID: i16 = 13;

fn at(seconds: u64) -> Instant {
    Instant(seconds * 1_000_000_000)
}

fn id_of(topic: &str) -> Uuid {
    let mut bytes = [0; 16];
    bytes[..topic.len()].copy_from_slice(topic.as_bytes());
    Uuid(bytes)
}

/// One client and the shard it is connected to. Partitions are written `topic-number`, what is asked of one
/// `topic-number@offset`.
struct Client {
    sessions: FetchSessions,
    version: i16,
    id: i32,
    epoch: i32,
    now: Instant,
}

impl Client {
    fn new(version: i16) -> Client {
        Client::of(sessions(10), version)
    }

    fn of(sessions: FetchSessions, version: i16) -> Client {
        Client {
            sessions,
            version,
            id: 0,
            epoch: 0,
            now: at(0),
        }
    }

    /// Everything that would be read, in order, or why nothing is.
    fn ask(
        &mut self,
        wanted: &str,
        forgotten: &str,
    ) -> Result<(FetchContext, String), SessionError> {
        let mut request = self.request(wanted, forgotten);
        let context = self.sessions.begin(&mut request, self.version, self.now)?;
        Ok((context, self.text(&request.topics)))
    }

    fn request(&self, wanted: &str, forgotten: &str) -> FetchRequest {
        let mut request = FetchRequest {
            session_id: self.id,
            session_epoch: self.epoch,
            ..FetchRequest::default()
        };
        for word in wanted.split_whitespace() {
            let (partition, offset) = word.split_once('@').unwrap_or((word, "0"));
            let (topic, index) = self.parse(partition);
            let partition = FetchPartition {
                partition: index,
                fetch_offset: offset.parse().expect("an offset"),
                partition_max_bytes: 100,
                ..FetchPartition::default()
            };
            request.topics.push(FetchTopic {
                partitions: vec![partition],
                ..topic
            });
        }
        for word in forgotten.split_whitespace() {
            let (topic, index) = self.parse(word);
            request.forgotten_topics_data.push(ForgottenTopic {
                topic: topic.topic,
                topic_id: topic.topic_id,
                partitions: vec![index],
                ..ForgottenTopic::default()
            });
        }
        request
    }

    fn parse(&self, word: &str) -> (FetchTopic, i32) {
        let (name, index) = word.split_once('-').expect("topic-number");
        let (topic, topic_id) = match self.version {
            BY_ID.. => (String::new(), id_of(name)),
            _ => (name.to_owned(), Uuid::ZERO),
        };
        let topic = FetchTopic {
            topic,
            topic_id,
            ..FetchTopic::default()
        };
        (topic, index.parse().expect("a number"))
    }

    fn name(&self, topic: &str, id: Uuid) -> String {
        match self.version {
            BY_ID.. => String::from_utf8_lossy(&id.0)
                .trim_end_matches('\0')
                .to_owned(),
            _ => topic.to_owned(),
        }
    }

    fn text(&self, topics: &[FetchTopic]) -> String {
        let mut words = Vec::new();
        for topic in topics {
            let name = self.name(&topic.topic, topic.topic_id);
            let partitions = topic.partitions.iter();
            words.extend(partitions.map(|p| format!("{name}-{}@{}", p.partition, p.fetch_offset)));
        }
        words.join(" ")
    }

    /// What is left of an answer that says of each `topic-number` what follows it: `.` nothing, `h5` a high watermark,
    /// `l3` a log start, `r` records, `!7` an error.
    fn hear(&mut self, context: FetchContext, found: &str) -> Result<String, SessionError> {
        let mut responses = Vec::new();
        for word in found.split_whitespace() {
            let (partition, what) = word.split_once('=').expect("partition=what");
            let (topic, index) = self.parse(partition);
            let mut data = PartitionData {
                partition_index: index,
                high_watermark: 1,
                log_start_offset: 0,
                ..PartitionData::default()
            };
            for part in what.split('+') {
                let number = || part[1..].parse().expect("a number");
                match part.as_bytes()[0] {
                    b'h' => data.high_watermark = number(),
                    b'l' => data.log_start_offset = number(),
                    b'!' => data.error_code = number() as i16,
                    b'r' => data.records = Some(RecordPieces(vec![Bytes::from_static(b"r")])),
                    _ => {}
                }
            }
            responses.push(FetchableTopicResponse {
                topic: topic.topic,
                topic_id: topic.topic_id,
                partitions: vec![data],
                ..FetchableTopicResponse::default()
            });
        }
        self.id = self.sessions.finish(context, &mut responses, self.now)?;
        let told = responses.iter().flat_map(|topic| {
            let name = self.name(&topic.topic, topic.topic_id);
            let partitions = topic.partitions.iter();
            partitions.map(move |p| format!("{name}-{}", p.partition_index))
        });
        Ok(told.collect::<Vec<_>>().join(" "))
    }

    /// A session over these partitions, all of which have been told of.
    fn open(&mut self, wanted: &str) {
        (self.id, self.epoch) = (0, 0);
        let (context, _) = self.ask(wanted, "").expect("everything is asked for");
        let words = wanted.split_whitespace();
        let partitions = words.map(|word| word.split('@').next().unwrap_or_default());
        let found: Vec<String> = partitions
            .map(|partition| format!("{partition}=."))
            .collect();
        self.hear(context, &found.join(" "))
            .expect("a first answer");
        self.epoch = 1;
    }

    /// The next fetch of the session: what is read and what of it is told.
    fn next(&mut self, wanted: &str, forgotten: &str, found: &str) -> (String, String) {
        let (context, read) = self.ask(wanted, forgotten).expect("the session goes on");
        self.epoch += 1;
        let told = self.hear(context, found).expect("the session goes on");
        (read, told)
    }
}

fn sessions(slots: usize) -> FetchSessions {
    FetchSessions::new(ShardId(0), 1, slots, 7)
}

fn pair(read: &str, told: &str) -> (String, String) {
    (read.to_owned(), told.to_owned())
}

#[test]
fn only_what_changed_is_told() {
    for version in [BY_NAME, BY_ID] {
        let mut client = Client::new(version);
        client.open("a-0@5 a-1 b-0");
        assert!(client.id > 0);
        // (what the shards find, what the client hears)
        for (found, told) in [
            ("a-0=. a-1=. b-0=.", ""),
            ("a-0=h2 a-1=. b-0=.", "a-0"),
            ("a-0=h2 a-1=. b-0=.", ""),
            ("a-0=h2 a-1=l1 b-0=.", "a-1"),
            ("a-0=h2 a-1=l1 b-0=.", ""),
            ("a-0=h2 a-1=l1 b-0=!3", "b-0"),
            ("a-0=h2 a-1=l1 b-0=!3", "b-0"),
            ("a-0=h2 a-1=l1 b-0=.", "b-0"),
            ("a-0=h2 a-1=l1 b-0=.", ""),
        ] {
            let (read, heard) = client.next("", "", found);
            assert_eq!(read, "a-0@5 a-1@0 b-0@0", "{found}");
            assert_eq!(heard, told, "{found}");
        }
        // Records are told of again and again, and their partitions are read last from then on.
        let (_, told) = client.next("", "", "a-0=h2+r a-1=l1 b-0=.");
        assert_eq!(told, "a-0");
        let (read, told) = client.next("", "", "a-1=l1 b-0=.+r a-0=h2+r");
        assert_eq!(
            (read.as_str(), told.as_str()),
            ("a-1@0 b-0@0 a-0@5", "b-0 a-0")
        );
        let (read, _) = client.next("", "", "");
        assert_eq!(read, "a-1@0 b-0@0 a-0@5");
    }
}

#[test]
fn partitions_come_change_and_go() {
    for version in [BY_NAME, BY_ID] {
        let mut client = Client::new(version);
        client.open("a-0 a-1");
        for (wanted, forgotten, found, expected) in [
            // A new partition is told of even when it is empty.
            (
                "b-0@7",
                "",
                "a-0=. a-1=. b-0=h0",
                pair("a-0@0 a-1@0 b-0@7", "b-0"),
            ),
            // A new offset alone is no news.
            (
                "a-0@9",
                "",
                "a-0=. a-1=. b-0=h0",
                pair("a-0@9 a-1@0 b-0@7", ""),
            ),
            ("", "a-1", "a-0=. b-0=h0", pair("a-0@9 b-0@7", "")),
            // Forgotten and wanted again: all is news.
            (
                "a-1@3",
                "",
                "a-0=. b-0=h0 a-1=.",
                pair("a-0@9 b-0@7 a-1@3", "a-1"),
            ),
            // What nobody had is forgotten without a word.
            (
                "",
                "c-0 a-9",
                "a-0=. b-0=h0 a-1=.",
                pair("a-0@9 b-0@7 a-1@3", ""),
            ),
            ("d-0", "b-0 d-0", "a-0=. a-1=.", pair("a-0@9 a-1@3", "")),
        ] {
            assert_eq!(
                client.next(wanted, forgotten, found),
                expected,
                "{wanted} / {forgotten}"
            );
        }
        // Without partitions there is no session; what was asked for is answered once.
        let (context, read) = client.ask("a-0@9", "a-0 a-1").expect("a last answer");
        assert!(matches!(context, FetchContext::Sessionless));
        assert_eq!(read, "a-0@9");
        client.epoch += 1;
        assert_eq!(client.ask("", "").unwrap_err(), SessionError::NotFound);
    }
}

#[test]
fn an_error_in_the_first_answer_is_told_again_when_it_is_over() {
    let mut client = Client::new(BY_NAME);
    let (context, _) = client.ask("a-0 b-0", "").expect("everything is asked for");
    // An offset out of range comes with a high watermark.
    let told = client.hear(context, "a-0=!1+h1 b-0=.");
    assert_eq!(told.as_deref(), Ok("a-0 b-0"), "a full answer is whole");
    client.epoch = 1;
    assert_eq!(client.next("a-0", "", "a-0=h1 b-0=.").1, "a-0");
    assert_eq!(client.next("", "", "a-0=h1 b-0=.").1, "");
}

#[test]
fn a_partition_named_twice_is_one() {
    let mut client = Client::new(BY_NAME);
    let (context, _) = client
        .ask("a-0@1 b-0 a-0@2", "")
        .expect("everything is asked for");
    client.hear(context, "a-0=. b-0=.").expect("a first answer");
    client.epoch = 1;
    let (read, told) = client.next("", "", "a-0=. b-0=.");
    assert_eq!((read.as_str(), told.as_str()), ("a-0@2 b-0@0", ""));
}

#[test]
fn ids_and_epochs_that_do_not_fit_are_refused() {
    let mut client = Client::new(BY_NAME);
    client.open("a-0");
    let id = client.id;
    for (session, epoch, version, refused) in [
        (id, 2, BY_NAME, SessionError::Epoch),
        (id, i32::MAX, BY_NAME, SessionError::Epoch),
        (id, -2, BY_NAME, SessionError::Epoch),
        (id, 1, BY_ID, SessionError::TopicIds),
        (id ^ 1, 1, BY_NAME, SessionError::NotFound),
        (0, 1, BY_NAME, SessionError::NotFound),
        (-1, 1, BY_NAME, SessionError::NotFound),
        (i32::MIN, -7, BY_NAME, SessionError::NotFound),
    ] {
        (client.id, client.epoch, client.version) = (session, epoch, version);
        let found = client.ask("", "");
        assert_eq!(found.err(), Some(refused), "{session} {epoch} {version}");
    }
    // None of that harmed the session.
    (client.id, client.epoch, client.version) = (id, 1, BY_NAME);
    assert_eq!(client.next("", "", "a-0=h9"), pair("a-0@0", "a-0"));
    // The same request once more.
    client.epoch = 1;
    assert_eq!(client.ask("", "").err(), Some(SessionError::Epoch));

    let mut client = Client::new(BY_ID);
    client.open("a-0");
    client.version = BY_NAME;
    assert_eq!(client.ask("", "").err(), Some(SessionError::TopicIds));
}

#[test]
fn a_request_while_the_last_one_waits_spoils_that_answer() {
    let mut client = Client::new(BY_NAME);
    client.open("a-0");
    let (waiting, _) = client.ask("", "").expect("the session goes on");
    client.epoch = 2;
    let (second, _) = client.ask("", "").expect("the session goes on");
    assert_eq!(client.hear(waiting, "a-0=r"), Err(SessionError::Epoch));
    assert_eq!(client.hear(second, "a-0=r").as_deref(), Ok("a-0"));
    // Gone while its request waited.
    client.epoch = 3;
    let (waiting, _) = client.ask("", "").expect("the session goes on");
    client.epoch = -1;
    client.ask("", "").expect("the end of a session");
    assert_eq!(client.hear(waiting, "a-0=r"), Err(SessionError::NotFound));
}

#[test]
fn the_epoch_after_the_largest_is_one() {
    let mut client = Client::new(BY_NAME);
    client.open("a-0");
    let session = client
        .sessions
        .sessions
        .get_mut(&client.id)
        .expect("it is open");
    session.set_epoch(i32::MAX);
    client.epoch = i32::MAX;
    client.ask("", "").expect("the largest epoch");
    client.epoch = 1;
    client.ask("", "").expect("the epoch after it");
}

#[test]
fn asking_for_everything_ends_the_session_that_is_named() {
    for (epoch, goes_on) in [(EPOCH_INITIAL, true), (EPOCH_FINAL, false)] {
        let mut client = Client::new(BY_NAME);
        client.open("a-0 b-0");
        let old = client.id;
        client.epoch = epoch;
        let (context, read) = client.ask("b-0", "a-0").expect("everything is asked for");
        assert_eq!(read, "b-0@0");
        let told = client.hear(context, "b-0=.");
        assert_eq!(told.as_deref(), Ok("b-0"), "a full answer is whole");
        assert_eq!((client.id != 0, client.id == old), (goes_on, false));
        assert_eq!(client.sessions.sessions.len(), usize::from(goes_on));
        (client.id, client.epoch) = (old, 1);
        assert_eq!(client.ask("", "").err(), Some(SessionError::NotFound));
    }
}

#[test]
fn old_versions_and_replicas_have_no_session() {
    let mut client = Client::new(6);
    client.open("a-0");
    assert_eq!(client.id, 0);
    let mut client = Client::new(BY_NAME);
    let mut request = client.request("a-0", "");
    request.replica_id = 1;
    let context = client.sessions.begin(&mut request, BY_NAME, at(0));
    assert!(matches!(context, Ok(FetchContext::Sessionless)));
}

#[test]
fn when_all_places_are_taken_kafkas_rules_say_who_goes() {
    // (partitions of the one session there is, when it was used last, now, partitions of the new one, it replaces)
    for (old, used, now, new, replaced) in [
        ("a-0 a-1", 0, 1, "b-0", false),
        ("a-0", 0, 100, "b-0 b-1 b-2", false),
        ("a-0 a-1", 0, 120, "b-0", false),
        // Silent for longer than two minutes: whatever the size.
        ("a-0 a-1", 0, 121, "b-0", true),
        // Old and not silent: for a larger one only.
        ("a-0 a-1", 200, 201, "b-0", false),
        ("a-0 a-1", 200, 201, "b-0 b-1", false),
        ("a-0 a-1", 200, 201, "b-0 b-1 b-2", true),
    ] {
        let mut client = Client::of(sessions(1), BY_NAME);
        client.open(old);
        let first = client.id;
        if used > 0 {
            client.now = at(used);
            client.next("", "", "");
        }
        client.now = at(now);
        client.open(new);
        assert_eq!(client.id != 0, replaced, "{old} / {new} {used} {now}");
        assert_eq!(client.sessions.sessions.contains_key(&first), !replaced);
        assert_eq!(client.sessions.sessions.len(), 1);
    }
}

#[test]
fn without_a_place_everything_is_answered_all_the_same() {
    let mut client = Client::of(sessions(0), BY_NAME);
    let (context, read) = client.ask("a-0 b-0", "").expect("everything is asked for");
    assert_eq!(read, "a-0@0 b-0@0");
    assert_eq!(
        client.hear(context, "a-0=. b-0=.").as_deref(),
        Ok("a-0 b-0")
    );
    assert_eq!(client.id, 0);
}

#[test]
fn partitions_remembered_are_bounded_over_all_sessions() {
    let many = |topic: &str, count: usize| {
        let words = (0..count).map(|index| format!("{topic}-{index}"));
        words.collect::<Vec<_>>().join(" ")
    };
    let half = FETCH_SESSION_PARTITIONS_MAX / 2;
    let mut client = Client::new(BY_NAME);
    client.open(&many("a", half));
    let first = client.id;
    client.open(&many("b", half));
    assert!(client.id != 0 && client.sessions.partitions == 2 * half);
    // A further one is declined, and one that grows beyond ends.
    let second = client.id;
    client.open("c-0");
    assert_eq!(client.id, 0);
    (client.id, client.epoch) = (second, 1);
    assert_eq!(client.ask("d-0", "").err(), Some(SessionError::NotFound));
    assert_eq!(client.sessions.partitions, half);
    // The first lives.
    (client.id, client.epoch) = (first, 1);
    client.ask("", "").expect("the session goes on");
}

#[test]
fn shards_give_ids_that_no_other_shard_gives() {
    let mut ranges: Vec<Range<i32>> = Vec::new();
    for shard in 0..3 {
        let mut sessions = FetchSessions::new(ShardId(shard), 3, 10, 1);
        assert_eq!(sessions.sessions_max, 4, "shared out, rounded up");
        for _ in 0..1_000 {
            let id = sessions.new_id();
            assert!(id > 0 && sessions.ids.contains(&id));
        }
        ranges.push(sessions.ids);
    }
    assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start));
}
