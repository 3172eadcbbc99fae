//! The same questions to an Apache Kafka and to this broker, their answers compared field by field.
//!
//! `tests/differential/run` starts both and runs this. Stories are told to each broker apart and in the same order; a
//! story is told in as many rounds as the richest API has versions, each round speaking others. What may differ is in
//! `differences.txt`, with its reason; APIs that are not advertised here are in `absent.txt`.

mod answer;
#[path = "../fuzz/apis.rs"]
mod apis;
mod compare;
#[path = "../oracle/debug_text.rs"]
#[allow(dead_code, reason = "trees are compared here in another way")]
mod debug_text;
mod listed;
mod records;
mod report;
mod session;
mod stories;
mod versions;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use listed::Listed;
use ottla::wire::ApiKey;
use ottla::wire::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use ottla::wire::messages::find_coordinator::FindCoordinatorRequest;
use ottla::wire::messages::incremental_alter_configs::*;
use ottla::wire::messages::init_producer_id::InitProducerIdRequest;
use ottla::wire::messages::offset_fetch::OffsetFetchRequest;
use ottla::wire::version::VersionRange;
use report::Report;
use session::{Broker, Exchange, Session};
use stories::{STORIES, Story};
use versions::{ROUNDS, Versions};

const DIFFERENCES: &str = include_str!("differences.txt");
const ABSENT: &str = include_str!("absent.txt");

fn main() -> ExitCode {
    let (Some(kafka), Some(ottla)) = (broker("kafka", "KAFKA"), broker("ottla", "OTTLA")) else {
        println!(
            "differential: skipped without KAFKA_BOOTSTRAP and OTTLA_BOOTSTRAP; tests/differential/run sets them"
        );
        return ExitCode::SUCCESS;
    };
    let seed = seed();
    println!("differential: OTTLA_SEED={seed}");
    let (theirs, ours) = (advertised(&kafka), advertised(&ottla));
    let (shared, skipped, absent) = common(&theirs, &ours);
    warm(&kafka);
    warm(&ottla);
    let mut report = Report::new(Listed::read(DIFFERENCES));
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let rounds =
        std::env::var("OTTLA_ROUNDS").map_or(ROUNDS, |text| text.parse().expect("a number"));
    let is_wanted = |story: &Story| {
        wanted.is_empty() || wanted.iter().any(|word| story.name.contains(word.as_str()))
    };
    for story in STORIES.iter().filter(|story| is_wanted(story)) {
        let started = Instant::now();
        for round in 0..rounds {
            let versions = Versions::of_round(&shared, round, seed);
            let suffix = format!("-{}-{round}", story.name);
            let tell = |broker| {
                told(
                    story,
                    broker,
                    &versions,
                    &suffix,
                    seed.wrapping_add(round as u64),
                )
            };
            let (theirs, ours) = thread::scope(|scope| {
                let theirs = scope.spawn(|| tell(&kafka));
                let ours = tell(&ottla);
                (theirs.join().expect("a story has an end"), ours)
            });
            report.compare(story.name, &suffix, (&kafka, &theirs), (&ottla, &ours));
        }
        println!("{} in {:.1} s", story.name, started.elapsed().as_secs_f32());
    }
    let is_listed = absent == ABSENT;
    if !is_listed {
        println!("absent.txt is to read:\n{absent}");
    }
    let is_well = report.finish(&shared, &skipped, wanted.is_empty() && rounds == ROUNDS);
    if is_well && is_listed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn broker(name: &'static str, prefix: &str) -> Option<Broker> {
    let address = std::env::var(format!("{prefix}_BOOTSTRAP")).ok()?;
    let folder =
        std::env::var(format!("{prefix}_FOLDER")).unwrap_or_else(|_| "/nowhere".to_owned());
    Some(Broker {
        name,
        address,
        folder,
    })
}

fn seed() -> u64 {
    match std::env::var("OTTLA_SEED") {
        Ok(text) => text.parse().expect("OTTLA_SEED is a number"),
        Err(_) => u64::from(std::process::id()) << 20 | 0x5eed,
    }
}

fn told(
    story: &Story,
    broker: &Broker,
    versions: &Versions,
    suffix: &str,
    seed: u64,
) -> Vec<Exchange> {
    let session = Session::new(broker, versions, suffix.to_owned(), seed);
    (story.tell)(&session);
    session.into_transcript()
}

fn advertised(broker: &Broker) -> BTreeMap<i16, VersionRange> {
    let versions = Versions::of_round(&BTreeMap::new(), 0, 0);
    let session = Session::new(broker, &versions, String::new(), 0);
    let answer: Option<ApiVersionsResponse> =
        session.client().quietly(&ApiVersionsRequest::default(), 0);
    let keys = answer
        .unwrap_or_else(|| panic!("{} at {} does not answer", broker.name, broker.address))
        .api_keys;
    let range = |first, last| VersionRange { first, last };
    keys.iter()
        .map(|key| (key.api_key, range(key.min_version, key.max_version)))
        .collect()
}

/// Until coordinators and producer ids are there: how soon after a start that is, is not compared.
fn warm(broker: &Broker) {
    let versions = Versions::of_round(&BTreeMap::new(), 0, 0);
    let session = Session::new(broker, &versions, String::new(), 0);
    let mut client = session.client();
    client.settle(|client| {
        let answer = client.quietly(
            &InitProducerIdRequest {
                transactional_id: None,
                ..Default::default()
            },
            0,
        );
        answer.is_some_and(|answer| answer.error_code == 0)
    });
    // A fresh Kafka has this default for all brokers.
    let config = AlterableConfig {
        name: "min.insync.replicas".to_owned(),
        value: Some("1".to_owned()),
        ..Default::default()
    };
    let resource = AlterConfigsResource {
        resource_type: 4,
        configs: vec![config],
        ..Default::default()
    };
    client.quietly(
        &IncrementalAlterConfigsRequest {
            resources: vec![resource],
            ..Default::default()
        },
        0,
    );
    // Enough groups for one on each partition.
    for group in 0..16 {
        let request = OffsetFetchRequest {
            group_id: format!("warm-{group}"),
            ..Default::default()
        };
        let find = FindCoordinatorRequest {
            key: request.group_id.clone(),
            ..Default::default()
        };
        client.settle(|client| {
            let found = client
                .quietly(&find, 0)
                .is_some_and(|answer| answer.error_code == 0);
            found
                && client
                    .quietly(&request, 7)
                    .is_some_and(|answer| answer.error_code == 0)
        });
    }
}

type Ranges = BTreeMap<i16, VersionRange>;

/// What both serve, versions that only Kafka has, APIs that only Kafka has.
fn common(theirs: &Ranges, ours: &Ranges) -> (BTreeMap<ApiKey, VersionRange>, Vec<String>, String) {
    let (mut shared, mut skipped, mut absent) = (BTreeMap::new(), Vec::new(), String::new());
    for (&number, their) in theirs {
        let Some(our) = ours.get(&number) else {
            let name =
                kafka_protocol::messages::ApiKey::try_from(number).map(|key| format!("{key:?}"));
            let name = name.unwrap_or_else(|_| "unknown".to_owned());
            absent.push_str(&format!("{number} {name} {}-{}\n", their.first, their.last));
            continue;
        };
        let key = ApiKey::from_number(number).expect("what is advertised has its row");
        // Produce 0-2 are advertised and refused by both.
        let first = our.first.max(their.first).max(key.api().decodable.first);
        let last = our.last.min(their.last);
        shared.insert(key, VersionRange { first, last });
        for version in our.last + 1..=their.last {
            skipped.push(format!("{key} {version}: not advertised"));
        }
    }
    (shared, skipped, absent)
}
