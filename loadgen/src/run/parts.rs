//! The threads of a measurement and their connections.

use super::measure::{Consuming, Drive, Place, Producing};
use crate::args::Mode;
use crate::client::cluster::End;
use crate::client::connection::Connection;
use crate::client::question::{PRODUCE_VERSIONS, Question};
use crate::consume::fetcher::{Course, Cursor, Fetcher};
use crate::consume::worker as consuming;
use crate::failure::Failure;
use crate::group::gather::Group;
use crate::produce::outcome::Keep;
use crate::produce::producer::Connected;
use crate::produce::worker::{self as producing, Pace};
use crate::progress::{Progress, Reporter, Window};
use crate::schedule::Slots;
use crate::settings::Settings;
use crate::storm;
use ottla::wire::ApiKey;
use ottla::wire::fetch::FetchRequest;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

/// Connections of a storm that are being dialled at once.
const DIALS_MAX: usize = 10_000;

/// What every thread of a measurement is told.
pub(crate) struct Scene<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) window: Window,
    pub(crate) start_ns: u64,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) progress: &'a Arc<Progress>,
}

impl Scene<'_> {
    fn keep(&self) -> Keep {
        Keep {
            samples: self.settings.keep_samples,
            places: self.settings.waits_for_records(),
            ledger: self.settings.verify,
        }
    }

    fn core(&self, thread: usize) -> Option<usize> {
        let pin = &self.settings.pin;
        (!pin.is_empty()).then(|| pin[thread % pin.len()])
    }
}

/// Producing connections, spread over the brokers that lead partitions.
pub(crate) fn connect(
    settings: &Settings,
    place: &mut Place<'_>,
) -> Result<Vec<Connected>, Failure> {
    let weights = &place.pool.weights;
    let brokers: Vec<(String, Vec<usize>)> = place
        .topic
        .by_leader()
        .into_iter()
        .map(|(address, partitions)| {
            let used = partitions
                .into_iter()
                .filter(|&partition| weights[partition] > 0.0);
            (address.to_owned(), used.collect())
        })
        .filter(|(_, partitions): &(String, Vec<usize>)| !partitions.is_empty())
        .collect();
    (0..settings.connections)
        .map(|number| {
            let (address, partitions) = &brokers[number % brokers.len()];
            let id = match settings.idempotent {
                true => Some(place.cluster.producer_id()?),
                false => None,
            };
            let number = usize::from(place.first_connection) + number;
            let number = u16::try_from(number);
            Ok(Connected {
                number: number.map_err(|_| Failure::usage("more than 65535 connections in all"))?,
                address: address.clone(),
                stream: Connection::open(address)?.into_stream(),
                id,
                partitions: partitions.clone(),
            })
        })
        .collect()
}

pub(crate) fn producers(
    scene: &Scene<'_>,
    place: &mut Place<'_>,
    drive: &Drive,
    connections: Vec<Connected>,
) -> Result<Vec<Producing>, Failure> {
    if connections.is_empty() {
        return Ok(Vec::new());
    }
    let settings = scene.settings;
    let version = place
        .cluster
        .any()?
        .version(ApiKey::Produce, PRODUCE_VERSIONS)?;
    let threads = settings.threads;
    let mut shares: Vec<Vec<Connected>> = (0..threads).map(|_| Vec::new()).collect();
    for (number, connection) in connections.into_iter().enumerate() {
        shares[number % threads].push(connection);
    }
    let plans: Vec<_> = shares
        .into_iter()
        .enumerate()
        .map(|(thread, connections)| producing::Plan {
            pool: place.pool.clone(),
            version,
            acks: settings.acks,
            in_flight_max: settings.max_in_flight,
            pace: match drive {
                Drive::Closed { in_flight } => Pace::Closed {
                    in_flight: *in_flight,
                },
                Drive::Open(schedule) => {
                    let (arrivals, tick) = (settings.arrivals, settings.tick);
                    Pace::Open(Slots::new(schedule, thread, threads, arrivals, tick))
                }
            },
            window: scene.window,
            start_ns: scene.start_ns,
            give_up_ns: scene.window.end_ns + settings.drain.as_nanos() as u64,
            spin: settings.spin,
            core: scene.core(thread),
            keep: scene.keep(),
            connections,
            reporter: Reporter::new(scene.progress, scene.window),
        })
        .collect();
    plans
        .into_iter()
        .map(|plan| spawn("produce", move || producing::run(plan)))
        .collect()
}

/// Members that share the partitions out, all of them there before the first request.
pub(crate) fn group(
    settings: &Settings,
    place: &Place<'_>,
    from: &[i64],
    stop: &Arc<AtomicBool>,
) -> Result<Group, Failure> {
    let (count, bytes) = (settings.consumers, settings.fetch_bytes);
    Group::gather(&settings.bootstrap, place.topic, from, count, bytes, stop)
}

pub(crate) fn storm(
    scene: &Scene<'_>,
    place: &Place<'_>,
    drive: &Drive,
) -> Result<Producing, Failure> {
    let settings = scene.settings;
    let plan = storm::Plan {
        address: place.topic.leaders[0].clone(),
        pace: match drive {
            Drive::Closed { in_flight } => Pace::Closed {
                in_flight: *in_flight,
            },
            Drive::Open(schedule) => {
                Pace::Open(Slots::new(schedule, 0, 1, settings.arrivals, settings.tick))
            }
        },
        window: scene.window,
        start_ns: scene.start_ns,
        give_up_ns: scene.window.end_ns + settings.drain.as_nanos() as u64,
        in_flight_max: settings.max_in_flight.min(DIALS_MAX),
        keep: scene.keep(),
        reporter: Reporter::new(scene.progress, scene.window),
    };
    spawn("storm", move || storm::run(plan))
}

/// Consumers that wait at the end of every partition.
pub(crate) fn tails(
    scene: &Scene<'_>,
    place: &mut Place<'_>,
    from: &[i64],
) -> Result<Vec<Consuming>, Failure> {
    let count = match scene.settings.mode {
        Mode::FanOut | Mode::EndToEnd | Mode::CatchUp => scene.settings.consumers,
        _ => 1,
    };
    readers(scene, place, count, from, &Course::Tail, true)
}

/// Consumers that read what there was before, over and over or once.
pub(crate) fn laps(
    scene: &Scene<'_>,
    place: &mut Place<'_>,
    ends: &[i64],
    count: usize,
) -> Result<Vec<Consuming>, Failure> {
    let starts = place.cluster.offsets(place.topic, End::Earliest)?;
    if starts.iter().zip(ends).all(|(start, end)| start >= end) {
        let failure = Failure::new(format!(
            "topic {} holds no records to read",
            place.topic.name
        ));
        return Err(failure.fix("--mode produce --duration 10s --in-flight 4 first"));
    }
    let course = Course::Laps {
        starts: starts.clone(),
        ends: ends.to_vec(),
        once: scene.settings.once,
    };
    readers(scene, place, count, &starts, &course, false)
}

fn readers(
    scene: &Scene<'_>,
    place: &mut Place<'_>,
    count: usize,
    from: &[i64],
    course: &Course,
    keep_places: bool,
) -> Result<Vec<Consuming>, Failure> {
    let settings = scene.settings;
    let version = place
        .cluster
        .any()?
        .version(ApiKey::Fetch, FetchRequest::VERSIONS)?;
    let threads = settings.threads.min(count);
    // Who waits at the end waits there before the first record; who reads what is there starts with the run.
    let from_ns = match course {
        Course::Tail => 0,
        Course::Laps { .. } => scene.start_ns,
    };
    let plans: Vec<_> = (0..threads)
        .map(|thread| {
            let mut fetchers = Vec::new();
            for _ in (thread..count).step_by(threads) {
                for (address, partitions) in place.topic.by_leader() {
                    let cursors = partitions.into_iter().map(|partition| Cursor {
                        partition,
                        offset: from[partition],
                    });
                    let (index, cursors) = (fetchers.len(), cursors.collect());
                    let (address, course) = (address.to_owned(), course.clone());
                    fetchers.push(Fetcher::new(address, index, cursors, course, from_ns));
                }
            }
            consuming::Plan {
                topic: place.topic.name.clone(),
                version,
                fetch_bytes: settings.fetch_bytes,
                window: scene.window,
                keep_places,
                fetchers,
                reporter: Reporter::new(scene.progress, scene.window),
                stop: scene.stop.clone(),
                core: scene.core(settings.threads + thread),
            }
        })
        .collect();
    plans
        .into_iter()
        .map(|plan| spawn("consume", move || consuming::run(plan)))
        .collect()
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<thread::JoinHandle<T>, Failure> {
    let builder = thread::Builder::new().name(name.to_owned());
    builder
        .spawn(work)
        .map_err(|error| Failure::new(format!("a thread: {error}")))
}
