//! The small promises: topics that are made and deleted, an offset that is committed over and over.

use super::PARTITIONS;
use super::TOPIC;
use super::harness::client::Connection;
use super::harness::groups::commit_request;
use super::harness::kafka::new_topic;
use super::writer::Clock;
use ottla::wire::messages::create_topics::CreateTopicsRequest;
use ottla::wire::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use ottla::wire::messages::metadata::MetadataRequest;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const TOPICS_MAX: usize = 40;
const GROUP: &str = "clerk";
/// Without it nothing was ever committed.
const OFFSETS: &str = "__consumer_offsets";

/// Something asked for: nothing of it at or before the first position, all of it at and after the second.
struct Asked<T> {
    what: T,
    asked_at: usize,
    done_at: Option<usize>,
}

impl<T> Asked<T> {
    fn may_be(&self, instant: usize) -> bool {
        self.asked_at < instant
    }

    fn must_be(&self, instant: usize) -> bool {
        self.done_at.is_some_and(|done| done <= instant)
    }
}

#[derive(Default)]
pub(crate) struct Minutes {
    made: Vec<Asked<String>>,
    deleted: Vec<Asked<String>>,
    committed: Vec<Asked<i64>>,
}

pub(crate) struct Clerk {
    address: String,
    stopping: Arc<AtomicBool>,
    clock: Clock,
    minutes: Minutes,
}

impl Clerk {
    pub(crate) fn new(address: &str, stopping: Arc<AtomicBool>, clock: Clock) -> Clerk {
        Clerk {
            address: address.into(),
            stopping,
            clock,
            minutes: Minutes::default(),
        }
    }

    /// Until told to stop or the broker ends.
    pub(crate) fn run(mut self) -> Minutes {
        let mut client = Connection::open(&self.address);
        client.find_coordinator(GROUP);
        while !self.stopping.load(Ordering::Relaxed) && self.work(&mut client).is_ok() {}
        self.minutes
    }

    fn work(&mut self, client: &mut Connection) -> io::Result<()> {
        let (clock, minutes) = (&self.clock, &mut self.minutes);
        let number = minutes.committed.len();
        // Most turns commit, so that topics come and go during all of a run.
        if number.is_multiple_of(8) && minutes.made.len() < TOPICS_MAX {
            let name = format!("made-{}", minutes.made.len());
            ask(&mut minutes.made, name.clone(), clock, || {
                make(client, &name)
            })?;
            if let Some(old) = name_of_old(minutes.made.len()) {
                ask(&mut minutes.deleted, old.clone(), clock, || {
                    delete(client, &old)
                })?;
            }
        }
        let offset = number as i64;
        ask(&mut minutes.committed, offset, clock, || {
            commit(client, offset)
        })
    }
}

/// Of every three one goes, two after it was made.
fn name_of_old(made: usize) -> Option<String> {
    (made >= 3 && made.is_multiple_of(3)).then(|| format!("made-{}", made - 3))
}

fn make(client: &mut Connection, name: &str) -> io::Result<i16> {
    let request = CreateTopicsRequest {
        topics: vec![new_topic(name, 2, &[])],
        timeout_ms: 30_000,
        ..CreateTopicsRequest::default()
    };
    Ok(client.try_call(&request, 7)?.topics[0].error_code)
}

fn delete(client: &mut Connection, name: &str) -> io::Result<i16> {
    let request = DeleteTopicsRequest {
        topics: vec![DeleteTopicState {
            name: Some(name.into()),
            ..DeleteTopicState::default()
        }],
        timeout_ms: 30_000,
        ..DeleteTopicsRequest::default()
    };
    Ok(client.try_call(&request, 6)?.responses[0].error_code)
}

fn commit(client: &mut Connection, offset: i64) -> io::Result<i16> {
    let request = commit_request(GROUP, TOPIC, &[(PARTITIONS - 1, offset)]);
    let answer = client.try_call(&request, 9)?;
    Ok(answer.topics[0].partitions[0].error_code)
}

/// What gets no answer is in the list, too: it may have been done.
fn ask<T>(
    list: &mut Vec<Asked<T>>,
    what: T,
    clock: &Clock,
    question: impl FnOnce() -> io::Result<i16>,
) -> io::Result<()> {
    let at = list.len();
    list.push(Asked {
        what,
        asked_at: clock(),
        done_at: None,
    });
    let code = question()?;
    list[at].done_at = (code == 0).then(|| clock());
    Ok(())
}

impl Minutes {
    pub(crate) fn kept(&self, instant: usize) -> usize {
        let topics = self.made.iter().chain(&self.deleted);
        let topics = topics.filter(|asked| asked.must_be(instant)).count();
        let committed = self.committed.iter();
        topics + committed.filter(|asked| asked.must_be(instant)).count()
    }

    /// What a broker that recovered from a cut at `instant` contradicts.
    pub(crate) fn contradicted(&self, client: &mut Connection, instant: usize) -> Vec<String> {
        let everything = MetadataRequest {
            topics: None,
            ..MetadataRequest::default()
        };
        let topics = client.call(&everything, 12).topics;
        let topics = topics.into_iter().filter_map(|topic| topic.name);
        let topics: BTreeSet<String> = topics.collect();
        let mut found = self.topics(&topics, instant);
        let committed = match topics.contains(OFFSETS) {
            true => client.committed(GROUP, TOPIC).first().map(|part| part.1),
            false => None,
        };
        found.extend(self.commit(committed, instant));
        found
    }

    fn topics(&self, found: &BTreeSet<String>, instant: usize) -> Vec<String> {
        let mut wrong = Vec::new();
        for made in &self.made {
            let deleted = self.deleted.iter().find(|asked| asked.what == made.what);
            let is_there = found.contains(&made.what);
            let must_go = deleted.is_some_and(|asked| asked.must_be(instant));
            let may_go = deleted.is_some_and(|asked| asked.may_be(instant));
            if is_there && (must_go || !made.may_be(instant)) {
                wrong.push(format!("topic {} should not be there", made.what));
            }
            if !is_there && made.must_be(instant) && !may_go {
                wrong.push(format!("topic {} is lost", made.what));
            }
        }
        wrong
    }

    fn commit(&self, found: Option<i64>, instant: usize) -> Option<String> {
        let committed = self.committed.iter();
        let least = committed.clone().rfind(|asked| asked.must_be(instant));
        let most = committed.clone().rfind(|asked| asked.may_be(instant));
        let least = least.map(|asked| asked.what);
        let most = most.map(|asked| asked.what);
        let is_right = found >= least && found <= most;
        (!is_right).then(|| format!("offset {found:?} committed, not {least:?} to {most:?}"))
    }
}

#[test]
fn each_broken_promise_is_found() {
    let asked = |what: &str, asked_at, done_at| Asked {
        what: what.to_owned(),
        asked_at,
        done_at,
    };
    let commit = |what, asked_at, done_at| Asked {
        what,
        asked_at,
        done_at,
    };
    let minutes = Minutes {
        made: vec![asked("a", 2, Some(4)), asked("b", 4, None)],
        deleted: vec![asked("a", 8, Some(10))],
        committed: vec![commit(0, 2, Some(4)), commit(1, 4, Some(6))],
    };
    let topics: &[(usize, &[&str], bool)] = &[
        (2, &[], true),
        (2, &["a"], false),
        (3, &["a"], true),
        (3, &[], true),
        (4, &[], false),
        (5, &["a", "b"], true),
        (9, &[], true),
        (9, &["a"], true),
        (10, &["a"], false),
    ];
    for (instant, found, is_right) in topics {
        let found = found.iter().map(|name| name.to_string()).collect();
        let wrong = minutes.topics(&found, *instant);
        assert_eq!(wrong.is_empty(), *is_right, "{instant} {found:?} {wrong:?}");
    }
    let commits = [
        (2, None, true),
        (2, Some(0), false),
        (4, None, false),
        (5, Some(0), true),
        (5, Some(1), true),
        (6, Some(0), false),
        (6, Some(2), false),
    ];
    for (instant, found, is_right) in commits {
        let wrong = minutes.commit(found, instant);
        assert_eq!(wrong.is_none(), is_right, "{instant} {found:?} {wrong:?}");
    }
}
