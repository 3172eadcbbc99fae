//! `ottla log`: what lies in a data directory, what is damaged of it, and what a start then really does.

use crate::harness::broker::{Broker, Start, failed_start};
use crate::harness::client::Connection;
use crate::harness::data::{self, flip_a_bit, tree};
use crate::harness::kafka::record_bytes;
use crate::harness::tool::{Ran, Tool};
use crate::harness::wait::wait_until;
use ottla::wire::ErrorCode;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Batches of the first life, each of one record.
const BATCHES: i64 = data::HURT_BATCHES;
/// Records of the second life.
const RECORDS: i64 = 10;

/// Two lives on one shard. In the first, three segments of `hurt` and a record in `well`, stopped cleanly; in the second,
/// records that only the journal holds, between two of `well`; killed.
fn killed_broker(test: &str) -> Broker {
    let mut broker = Broker::start_with(test, |start| Start { shards: 1, ..start });
    let mut client = Connection::open(&broker.address);
    data::fill_hurt_and_well(&mut client);
    broker.stop();
    broker.restart();
    let mut client = Connection::open(&broker.address);
    client.produce_values("well", 0, &["there"]);
    for number in 0..RECORDS {
        client.produce_values("hurt", 0, &[&format!("record number {number}")]);
    }
    client.produce_values("well", 0, &["and there"]);
    broker.kill();
    broker
}

fn log(broker: &Broker, arguments: &[&str]) -> Ran {
    let data = broker.data().to_str().expect("a path of ours is text");
    let (action, rest) = arguments.split_first().expect("an action");
    let arguments = [&["log", action, data], rest].concat();
    Tool::at(&broker.address).run(&arguments)
}

/// What `log dump` prints, object by object.
fn dumped(broker: &Broker, arguments: &[&str]) -> Vec<Value> {
    let arguments = [&["dump"], arguments, &["-o", "json"]].concat();
    objects(&log(broker, &arguments).ok())
}

fn objects(ran: &Ran) -> Vec<Value> {
    let lines = ran.lines();
    let objects = lines.iter().map(|line| serde_json::from_str(line));
    objects.collect::<Result<_, _>>().expect("objects")
}

/// What `log verify` found.
#[derive(Debug)]
struct Checked {
    code: i32,
    findings: Vec<(String, String, String)>,
}

impl Checked {
    fn of(broker: &Broker) -> Checked {
        let ran = log(broker, &["verify", "-o", "json"]);
        assert_eq!(ran.errors, "", "{ran:?}");
        let document = ran.json();
        let text = |finding: &Value, name: &str| finding[name].as_str().expect("text").to_owned();
        let findings = document["findings"].as_array().expect("a list");
        let findings = findings.iter().map(|finding| {
            let [kind, subject, what] = ["kind", "subject", "what"].map(|name| text(finding, name));
            (kind, subject, what)
        });
        let checked = Checked {
            code: ran.code.expect("it ended by itself"),
            findings: findings.collect(),
        };
        let problems = checked.problems().len();
        assert_eq!(document["problems"], problems);
        assert_eq!(
            checked.code,
            if problems > 0 { 3 } else { 0 },
            "{checked:?}"
        );
        checked
    }

    fn problems(&self) -> Vec<(&str, &str)> {
        let problems = self.findings.iter().filter(|(kind, ..)| kind == "problem");
        problems
            .map(|(_, subject, what)| (subject.as_str(), what.as_str()))
            .collect()
    }

    /// What was found of this subject.
    fn of_subject(&self, wanted: &str) -> &str {
        let mut findings = self.findings.iter();
        let found = findings.find(|(_, subject, _)| subject == wanted);
        &found.unwrap_or_else(|| panic!("{wanted} in {self:?}")).2
    }

    fn names(&self, subject: &str, words: &str) -> bool {
        let mut problems = self.problems().into_iter();
        problems.any(|(of, what)| of.contains(subject) && what.contains(words))
    }

    /// Partitions that a start would leave offline, and up to where they are whole.
    fn offline(&self) -> BTreeMap<String, String> {
        let problems = self.problems().into_iter();
        let offline = problems.filter(|(_, what)| what.starts_with("a start leaves it offline: "));
        let offline = offline.map(|(name, what)| {
            let (_, whole) = what
                .split_once("known to be whole below offset ")
                .expect("an offset");
            let digits = whole.split('.').next().unwrap_or_default();
            (name.to_owned(), digits.to_owned())
        });
        offline.collect()
    }
}

/// A start comes to exactly what was foretold.
fn expect_foretold(broker: &mut Broker, checked: &Checked) {
    let foretold = checked.offline();
    broker.restart();
    wait_until("all verdicts", || {
        broker.metrics().sum("ottla_partitions_offline", &[]) == foretold.len() as f64
    });
    for (name, offset) in &foretold {
        let line = broker.logged(&format!("partition {name} is offline: "));
        let whole = format!("known to be whole below offset {offset}.");
        assert!(line.contains(&whole), "{line}");
    }
    let mut client = Connection::open(&broker.address);
    for topic in ["hurt", "well"] {
        let is_offline =
            client.fetch(topic, 0, 0).error_code == ErrorCode::KafkaStorageError.code();
        assert_eq!(
            is_offline,
            foretold.contains_key(&format!("{topic}-0")),
            "{topic}"
        );
    }
}

#[test]
fn what_was_stopped_cleanly_is_whole_and_nothing_is_ever_written() {
    let mut broker = Broker::start("log_clean");
    let tool = Tool::at(&broker.address);
    tool.run(&[
        "topic",
        "create",
        "t",
        "-p",
        "3",
        "-c",
        "segment.bytes=1048576",
    ])
    .ok();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let input: String = (0..20_000)
            .map(|number| format!("{codec} {number}\n"))
            .collect();
        tool.fed(
            &["produce", "t", "-z", codec, "-H", "h=1"],
            input.as_bytes(),
        )
        .ok();
    }
    tool.run(&["consume", "t", "--group", "readers", "-n", "100"])
        .ok();
    Connection::open(&broker.address).delete_records("t", 1, 10);
    let consumed: BTreeSet<String> = tool
        .run(&["consume", "t", "-o", "json"])
        .ok()
        .lines()
        .into_iter()
        .collect();
    assert!(consumed.len() > 90_000);
    broker.stop();

    let before = tree(broker.data());
    let checked = Checked::of(&broker);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(
        checked
            .of_subject("journal of shard 0")
            .contains("stopped cleanly")
    );
    assert!(
        checked
            .of_subject("start")
            .starts_with("serves 53 of 53 partitions; replays 0 entries, writes 0 bytes")
    );
    let mut found = BTreeSet::new();
    for partition in ["t-0", "t-1", "t-2"] {
        let lines = log(&broker, &["dump", partition, "--values", "-o", "json"])
            .ok()
            .lines();
        let is_record = |line: &String| line.starts_with(r#"{"topic""#);
        found.extend(lines.into_iter().filter(is_record));
        let index = log(&broker, &["index", partition, "--check", "-o", "json"])
            .ok()
            .json();
        assert!(!index["segments"].as_array().expect("a list").is_empty());
    }
    // Records below the log start lie there, and no consumer got them.
    assert!(found.is_superset(&consumed));
    let deleted: Vec<&String> = found.difference(&consumed).collect();
    assert_eq!(deleted.len(), 10, "{deleted:?}");
    assert!(deleted.iter().all(|line| line.contains(r#""partition":1"#)));
    log(&broker, &["dump", "--metadata"]).ok();
    log(&broker, &["dump", "--journal", "1"]).ok();
    assert_eq!(tree(broker.data()), before);
    broker.restart();
}

#[test]
fn what_only_the_journal_holds_is_shown_and_a_start_replays_it() {
    let mut broker = killed_broker("log_killed");
    let before = tree(broker.data());
    let checked = Checked::of(&broker);
    assert_eq!(checked.code, 0, "{checked:?}");
    let journal = checked.of_subject("journal of shard 0");
    // Twelve batches, and the epoch with which each partition's new leader begins.
    assert!(
        journal.contains("replays 14 entries into 2 partitions"),
        "{journal}"
    );
    let batches = dumped(&broker, &["hurt-0"]);
    assert_eq!(batches.len() as i64, BATCHES + RECORDS);
    for (batch, offset) in batches.iter().zip(0..) {
        assert_eq!(batch["baseOffset"], offset);
        assert_eq!(batch["crcOk"], true);
        let place = batch["journal"].as_str();
        assert_eq!(place.is_some(), offset >= BATCHES, "{batch}");
        assert!(
            place.is_none_or(|place| place.contains("journal/0-")),
            "{batch}"
        );
    }
    let values = |arguments: &[&str]| -> Vec<Value> {
        let objects = dumped(&broker, arguments).into_iter();
        let records = objects.filter(|object| object.get("topic").is_some());
        records.map(|record| record["value"].clone()).collect()
    };
    assert_eq!(
        values(&["well-0", "--values"]),
        ["here", "there", "and there"]
    );
    let selected = values(&["hurt-0", "--values", "--offsets", "32..34"]);
    assert_eq!(selected, ["record number 2", "record number 3"]);
    assert_eq!(
        values(&["hurt-0", "--values", "--from", "-1"]),
        ["record number 9"]
    );
    assert!(values(&["hurt-0", "--values", "--from", "2200-01-01"]).is_empty());
    let entries = dumped(&broker, &["--journal", "0"]);
    let is_data = |entry: &&Value| {
        entry["entry"]
            .as_str()
            .is_some_and(|text| text.starts_with("Data: "))
    };
    assert_eq!(entries.iter().filter(is_data).count() as i64, RECORDS + 2);
    let metadata = log(&broker, &["dump", "--metadata"]).ok().text();
    assert!(metadata.contains("name: \"hurt\""), "{metadata}");
    assert_eq!(tree(broker.data()), before);

    expect_foretold(&mut broker, &checked);
    broker.stop();
    let after = dumped(&broker, &["hurt-0"]);
    for (before, after) in batches.iter().zip(&after) {
        assert!(after["journal"].is_null(), "{after}");
        // A start puts each where the dump said it would.
        for field in [
            "baseOffset",
            "lastOffset",
            "file",
            "position",
            "crc",
            "leaderEpoch",
        ] {
            assert_eq!(before[field], after[field], "{before} {after}");
        }
    }
}

/// What a power cut leaves of a last write: nothing of it was answered, as far as anybody can tell.
#[test]
fn a_torn_last_record_is_no_problem_and_is_told() {
    let mut broker = killed_broker("log_torn");
    let journal = broker.data().join("journal");
    let (ring, place) = data::find(&journal, b"and there");
    let record = place - place % 4_096;
    flip_a_bit(&ring, place);
    // Empty records that followed say that it was whole.
    let file = OpenOptions::new().write(true).open(&ring);
    let file = file.expect("writable");
    file.write_all_at(&[0; 3 * 4_096], record + 4_096)
        .expect("writable");
    let checked = Checked::of(&broker);
    assert_eq!(checked.code, 0, "{checked:?}");
    let told = format!("torn tail, journal/0-0 at byte {record}: normal after a power cut");
    let found = checked.of_subject("journal of shard 0");
    assert!(found.contains(&told), "{told} in {found}");
    expect_foretold(&mut broker, &checked);
    let mut client = Connection::open(&broker.address);
    assert_eq!(client.values("well", 0), ["here", "there"]);
}

#[test]
fn a_dump_ends_where_recovery_gives_up_and_says_so() {
    let broker = killed_broker("log_gives_up");
    let (ring, place) = data::find(&broker.data().join("journal"), b"record number 6");
    flip_a_bit(&ring, place);
    let dump = log(&broker, &["dump", "hurt-0", "-o", "json"]);
    assert_eq!(dump.code, Some(3), "{dump:?}");
    let lines = objects(&dump);
    assert_eq!(lines.len() as i64, BATCHES + 6 + 1);
    let last = lines.last().expect("one");
    assert_eq!(last["wholeBelow"], BATCHES + 6, "{last}");
    log(&broker, &["dump", "well-0"]).ok();
}

/// One flipped bit in each kind of file, and in each part of it that means something.
#[test]
fn a_flipped_bit_in_any_kind_of_file_is_named() {
    let broker = killed_broker("log_flips");
    let data = broker.data();
    let before = tree(data);
    let whole = Checked::of(&broker);
    let counts = |what: &str| what.starts_with("snapshot of generation");
    let copies = whole.findings.iter().filter(|(_, _, what)| counts(what));
    let copies: Vec<&String> = copies.map(|(_, subject, _)| subject).collect();
    assert_eq!(copies.len(), 2, "{whole:?}");
    for (path, position, subject, words) in flips(data, &copies) {
        flip_a_bit(&path, position);
        let checked = Checked::of(&broker);
        let place = format!("{} at {position}", path.display());
        assert!(checked.names(subject, words), "{place}: {checked:?}");
        flip_a_bit(&path, position);
    }
    assert_eq!(Checked::of(&broker).code, 0);
    assert_eq!(contents(&tree(data)), contents(&before));
}

/// A file, where a bit of it is flipped, and what is said of it then.
type Flip<'a> = (PathBuf, u64, &'a str, &'static str);

fn flips<'a>(data: &Path, copies: &[&'a String]) -> Vec<Flip<'a>> {
    let segment = &data::segments(data)[0];
    let index = segment.with_extension("idx");
    let second = batch_bytes(segment);
    let meta = data.join("meta/log-00000000000000000000");
    let (ring, place) = data::find(&data.join("journal"), b"record number 6");
    vec![
        (data.join("node.a"), 60, "node.a", "fails its CRC"),
        (data.join("node.b"), 4_000, "node.b", "fails its CRC"),
        (meta.clone(), 20, "meta/log-", "header fails its CRC"),
        (
            meta.clone(),
            data::find_in(&meta, b"hurt"),
            "meta/log-",
            "record at byte",
        ),
        (data.join(copies[0]), 50, copies[0], "the other copy"),
        (data.join(copies[1]), 4_096 + 20, copies[1], "fails its CRC"),
        (
            data.join("state/0.ring.a"),
            36,
            "state/0.ring.a",
            "the other copy",
        ),
        (
            data.join("state/0.ring.b"),
            41,
            "state/0.ring.b",
            "the other copy",
        ),
        (
            ring,
            place,
            "journal of shard 0",
            "is damaged: a later one is sound",
        ),
        (
            segment.clone(),
            350_000,
            "hurt-0",
            "fails its CRC; offsets 3..4",
        ),
        (segment.clone(), second + 7, "hurt-0", "not 1; offsets 1..2"),
        (segment.clone(), second + 9, "hurt-0", "offsets 1..2"),
        (segment.clone(), second + 15, "hurt-0", "leader epoch"),
        (segment.clone(), second + 16, "hurt-0", "offsets 1..2"),
        (index.clone(), 20, "hurt-0", "header of the index"),
        (
            index.clone(),
            32 + 32 + 9,
            "hurt-0",
            "entry 1, which should be of byte",
        ),
        (
            index.clone(),
            fs::metadata(&index).expect("there").len() - 1,
            "hurt-0",
            "fails its CRC",
        ),
    ]
}

/// Length of the first batch of a segment.
fn batch_bytes(segment: &Path) -> u64 {
    let bytes = fs::read(segment).expect("readable");
    let length = bytes[8..12].try_into().expect("four bytes");
    u64::from(u32::from_be_bytes(length)) + 12
}

fn contents(tree: &data::Tree) -> BTreeMap<&PathBuf, (u64, u32)> {
    tree.iter()
        .map(|(path, file)| (path, (file.bytes, file.crc)))
        .collect()
}

type Damage = fn(&Path);
/// A name, what is done to the directory, the partitions that go offline and up to where they are whole.
type Foretold = (
    &'static str,
    Damage,
    &'static [(&'static str, &'static str)],
);

/// Each on a broker of its own, killed: what a start does is what was foretold.
#[test]
fn a_start_leaves_offline_what_was_foretold() {
    let both_snapshots: Damage = |data| {
        for copy in ["a", "b"] {
            for slot in 0..2 {
                let path = data.join(format!("state/0.{slot}.{copy}"));
                let bytes = fs::metadata(&path).expect("there").len();
                if bytes > 4_096 {
                    flip_a_bit(&path, 4_096 + 20);
                }
            }
        }
    };
    let journal_record: Damage = |data| {
        let (ring, place) = data::find(&data.join("journal"), b"record number 6");
        flip_a_bit(&ring, place);
    };
    let both_ledgers: Damage = |data| {
        flip_a_bit(&data.join("state/0.ring.a"), 36);
        flip_a_bit(&data.join("state/0.ring.b"), 36);
    };
    let one_of_each_pair: Damage = |data| {
        flip_a_bit(&data.join("node.a"), 60);
        flip_a_bit(&data.join("state/0.ring.a"), 36);
        flip_a_bit(&data.join("state/0.0.a"), 50);
        flip_a_bit(&data.join("state/0.1.a"), 50);
    };
    let cases: [Foretold; 7] = [
        ("record", journal_record, &[("hurt-0", "36")]),
        (
            "snapshots",
            both_snapshots,
            &[("hurt-0", "0"), ("well-0", "0")],
        ),
        // Nobody can show that nothing of it was in what is lost.
        (
            "ledgers",
            both_ledgers,
            &[("hurt-0", "40"), ("well-0", "3")],
        ),
        ("pairs", one_of_each_pair, &[]),
        (
            "ring",
            |data| remove(&data.join("journal/0-0")),
            &[("hurt-0", "30"), ("well-0", "1")],
        ),
        (
            "closed",
            |data| cut(&data::segments(data)[1], 450_000),
            &[("hurt-0", "10")],
        ),
        (
            "active",
            |data| cut(&data::segments(data)[2], 450_000),
            &[("hurt-0", "20")],
        ),
    ];
    for (name, damage, offline) in cases {
        let mut broker = killed_broker(&format!("log_foretold_{name}"));
        damage(broker.data());
        let before = tree(broker.data());
        let checked = Checked::of(&broker);
        assert_eq!(checked.code, 3, "{name}");
        let owned = |(name, offset): &(&str, &str)| ((*name).to_owned(), (*offset).to_owned());
        let expected: BTreeMap<String, String> = offline.iter().map(owned).collect();
        assert_eq!(checked.offline(), expected, "{name}: {checked:?}");
        assert_eq!(tree(broker.data()), before, "{name}");
        expect_foretold(&mut broker, &checked);
        broker.kill();
    }
}

fn cut(path: &Path, bytes: u64) {
    let file = OpenOptions::new().write(true).open(path);
    file.and_then(|file| file.set_len(bytes)).expect("writable");
}

fn remove(path: &Path) {
    fs::remove_file(path).expect("there");
}

/// A start that is refused says what was foretold, in the same words.
#[test]
fn a_start_is_refused_as_foretold() {
    let broker = killed_broker("log_refused");
    let data = broker.data();
    let meta = data.join("meta/log-00000000000000000000");
    let record = data::find_in(&meta, b"hurt");
    let both = [(data.join("node.a"), 60), (data.join("node.b"), 60)];
    let header = [(meta.clone(), 20)];
    let cases: [(&[(PathBuf, u64)], &str); 3] = [
        (&both, "its superblock cannot be read"),
        (&header, "a bad record at byte 0 of"),
        (&[(meta.clone(), record)], "a bad record at byte"),
    ];
    for (flips, words) in cases {
        flips
            .iter()
            .for_each(|(path, position)| flip_a_bit(path, *position));
        let checked = Checked::of(&broker);
        let what = checked.of_subject("start").to_owned();
        assert!(what.contains(words), "{what}");
        let (status, text) = failed_start(&mut Start::in_directory(data).command());
        assert_eq!(status.code(), Some(1), "{text}");
        let foretold = what.strip_prefix("refused: ").expect("it is refused");
        assert!(text.contains(foretold), "{foretold} in {text}");
        flips
            .iter()
            .for_each(|(path, position)| flip_a_bit(path, *position));
    }
    assert_eq!(Checked::of(&broker).code, 0);
}

/// A start does not read segments: what is damaged there shows when somebody reads it, and exactly that is named.
#[test]
fn offsets_that_are_named_are_those_that_are_not_served() {
    let mut broker = killed_broker("log_served");
    flip_a_bit(&data::segments(broker.data())[0], 350_000);
    let checked = Checked::of(&broker);
    assert!(checked.offline().is_empty(), "{checked:?}");
    assert!(
        checked.names("hurt-0", "offsets 3..4 are never served"),
        "{checked:?}"
    );
    let dump = log(&broker, &["dump", "hurt-0", "-o", "json"]);
    assert_eq!(dump.code, Some(3), "{dump:?}");
    let lines = objects(&dump);
    assert_eq!(lines.len() as i64, BATCHES + RECORDS);
    assert_eq!(lines[3]["damage"], "the batch fails its CRC");
    expect_foretold(&mut broker, &checked);
    let mut client = Connection::open(&broker.address);
    for offset in 0..BATCHES + RECORDS {
        let data = client.fetch("hurt", 0, offset);
        let is_damaged = data.error_code == ErrorCode::KafkaStorageError.code();
        assert_eq!(is_damaged, offset == 3, "{offset}");
        assert_eq!(record_bytes(&data).is_empty(), offset == 3, "{offset}");
    }
}

#[test]
fn a_folder_that_nobody_knows_is_named_and_put_aside() {
    let mut broker = killed_broker("log_unknown");
    let stray = broker.data().join("topics/AAAAAAAAAAAAAAAAAAAAAA/0");
    fs::create_dir_all(&stray).expect("writable");
    fs::write(stray.join("00000000000000000000.log"), "bytes").expect("writable");
    let checked = Checked::of(&broker);
    let topic = "topics/AAAAAAAAAAAAAAAAAAAAAA";
    assert!(
        checked.names(topic, "moves its folder to quarantine"),
        "{checked:?}"
    );
    assert!(stray.exists());
    expect_foretold(&mut broker, &checked);
    assert!(!stray.exists());
}

#[test]
fn what_is_no_directory_or_in_use_is_refused_in_one_line() {
    let broker = Broker::start("log_in_use");
    log(&broker, &["verify"]).failed(1, &["is in use by another process", "Fix: stop the broker"]);
    let tool = Tool::at(&broker.address);
    let parent = broker.data().parent().expect("a directory of ours");
    let parent = parent.to_str().expect("text");
    tool.run(&["log", "verify", parent])
        .failed(1, &["is no data directory"]);
    tool.run(&["log", "verify", "/nowhere/at/all"])
        .failed(1, &["No such file", "Fix: "]);
    assert!(!Path::new("/nowhere").exists());
}

#[test]
fn partitions_are_named_as_they_are() {
    let broker = killed_broker("log_names");
    log(&broker, &["dump", "hurt"]).failed(2, &["names no partition"]);
    log(&broker, &["dump", "hurt-1"]).failed(1, &["partitions 0 to 0"]);
    log(&broker, &["dump", "none-0"]).failed(1, &["there is no topic none"]);
    log(&broker, &["dump", "--journal", "1"]).failed(2, &["there is no shard 1"]);
    let folder = data::segments(broker.data())[0].clone();
    let topic = folder
        .ancestors()
        .nth(2)
        .and_then(Path::file_name)
        .expect("a topic's folder");
    let id = format!("{}-0", topic.to_str().expect("text"));
    assert_eq!(dumped(&broker, &[&id]), dumped(&broker, &["hurt-0"]));
}
