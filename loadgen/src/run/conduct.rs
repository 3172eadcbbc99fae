//! A whole run: measurements at one rate or several, reading back, the sink, the document.

use super::floor;
use super::measure::{Drive, Measured, Place, measure};
use super::report;
use crate::client::cluster::{Cluster, End, Topic, Wanted};
use crate::client::connection::Connection;
use crate::client::question::PRODUCE_VERSIONS;
use crate::clock::wall_ms;
use crate::connections;
use crate::failure::Failure;
use crate::produce::ledger::Ledger;
use crate::progress::{Phase, Progress};
use crate::result::{RunResult, Step, Verification};
use crate::settings::{Load, Settings};
use crate::verify::read_back::{Promise, verify};
use crate::workload::pool::{Pool, Recipe};
use ottla::wire::ApiKey;
use std::sync::Arc;

/// A run against one broker that is set up once.
pub(crate) struct Conductor<'a> {
    pub(crate) settings: &'a Settings,
    progress: &'a Arc<Progress>,
    cluster: Cluster,
    topic: Topic,
    pool: Arc<Pool>,
    run: u64,
    next_connection: usize,
    /// Ends of the partitions before the first request.
    from: Vec<i64>,
    /// What became of each batch, of every measurement of the run.
    ledger: Ledger,
    /// Held beside the workload, for as long as the run is.
    _idle: Vec<Connection>,
}

/// The document, and what is too large for it.
pub(crate) struct Done {
    pub(crate) result: RunResult,
    pub(crate) samples: Option<Vec<u64>>,
}

impl<'a> Conductor<'a> {
    pub(crate) fn new(
        settings: &'a Settings,
        progress: &'a Arc<Progress>,
    ) -> Result<Conductor<'a>, Failure> {
        progress.enter(Phase::Prepare);
        let mut cluster = Cluster::reach(&settings.bootstrap)?;
        let topic = cluster.topic(Wanted {
            name: &settings.topic,
            partitions: settings.partitions,
            configs: &settings.topic_configs,
        })?;
        // Unique among runs on one broker, which is all a stamp needs.
        let run = crate::clock::now_ns() ^ (u64::from(std::process::id()) << 40);
        let version = cluster.any()?.version(ApiKey::Produce, PRODUCE_VERSIONS)?;
        let pool = Pool::new(Recipe {
            topic: settings.topic.clone(),
            partitions: settings.partitions,
            version,
            acks: settings.acks,
            records: settings.records_per_batch,
            values: settings.values.clone(),
            keys: settings.keys,
            key_count: settings.key_count,
            codec: settings.codec,
            idempotent: settings.idempotent,
            run: settings.verify.then_some(run),
            seed: settings.seed,
            now_ms: wall_ms(),
        });
        let from = cluster.offsets(&topic, End::Latest)?;
        let idle = connections::idle(&topic, settings.idle)?;
        Ok(Conductor {
            settings,
            progress,
            cluster,
            topic,
            pool: Arc::new(pool),
            run,
            next_connection: 0,
            from,
            ledger: Ledger::default(),
            _idle: idle,
        })
    }

    /// One measurement at a rate of records, or as fast as a closed loop goes.
    pub(crate) fn measure(&mut self, load: &Load) -> Result<Measured, Failure> {
        let drive = match load {
            Load::Open { from, to } => Drive::Open(Arc::new(self.settings.schedule(*from, *to))),
            Load::Closed { in_flight } => Drive::Closed {
                in_flight: *in_flight,
            },
            Load::Steps(_) => unreachable!("each step is a rate of its own"),
        };
        let mut place = Place {
            cluster: &mut self.cluster,
            topic: &self.topic,
            pool: &self.pool,
            first_connection: u16::try_from(self.next_connection)
                .map_err(|_| Failure::new("more than 65535 connections in all"))?,
        };
        let mut measured = measure(self.settings, &drive, &mut place, self.progress)?;
        self.next_connection += self.settings.connections;
        let ledger = measured
            .produced
            .as_mut()
            .and_then(|outcome| outcome.ledger.take());
        self.ledger.merge(ledger.unwrap_or_default());
        Ok(measured)
    }

    /// Reads back everything that was acknowledged since the conductor was made.
    pub(crate) fn verify(&mut self) -> Result<Verification, Failure> {
        self.progress.enter(Phase::Verify);
        let promise = Promise {
            run: self.run,
            records_per_batch: self.settings.records_per_batch as u64,
            ledger: &self.ledger,
            from: &self.from,
        };
        verify(&mut self.cluster, &self.topic, &promise)
    }

    pub(crate) fn cluster_id(&self) -> Option<String> {
        self.cluster.id.clone()
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) fn timeline(&self) -> Vec<crate::result::Second> {
        self.progress.timeline()
    }
}

/// Makes the run that the settings ask for.
pub(crate) fn run(settings: &Settings, progress: &Arc<Progress>) -> Result<Done, Failure> {
    let started = report::now();
    let mut conductor = Conductor::new(settings, progress)?;
    let Load::Steps(rates) = &settings.load else {
        let measured = conductor.measure(&settings.load)?;
        return finish(conductor, measured, &settings.load, started);
    };
    let mut steps = Vec::new();
    let mut last = None;
    for &rate in rates {
        let load = Load::Open {
            from: rate,
            to: rate,
        };
        let measured = conductor.measure(&load)?;
        steps.push(step(rate, &measured, &conductor.timeline(), settings));
        last = Some((load, measured));
    }
    let (load, measured) = last.expect("there is a rate");
    let mut done = finish(conductor, measured, &load, started)?;
    done.result.steps = steps;
    Ok(done)
}

/// After the last measurement: what was promised is read back, the sink shows what the generator can do, and all of it
/// becomes one document.
pub(crate) fn finish(
    mut conductor: Conductor<'_>,
    measured: Measured,
    load: &Load,
    started: String,
) -> Result<Done, Failure> {
    let settings = conductor.settings;
    let verification = match settings.verify {
        true => Some(conductor.verify()?),
        false => None,
    };
    let sink = match settings.sink_floor {
        Some(length) => {
            conductor.progress.enter(Phase::Sink);
            Some(floor::measure(settings, load, length)?)
        }
        None => None,
    };
    conductor.progress.enter(Phase::Done);
    let mut document = report::document(&conductor, &measured, load, started);
    document.generator.sink = sink;
    document.verify = verification;
    document.void = report::void(&document);
    Ok(Done {
        result: document,
        samples: measured.produced.and_then(|outcome| outcome.samples),
    })
}

/// One row of several rates; `timeline` ends with the seconds of this one.
pub(crate) fn step(
    rate: f64,
    measured: &Measured,
    timeline: &[crate::result::Second],
    settings: &Settings,
) -> Step {
    let produced = measured
        .produced
        .as_ref()
        .expect("steps are rates of producers");
    let seconds = settings.duration.as_secs_f64().ceil() as usize;
    let own = &timeline[timeline.len().saturating_sub(seconds)..];
    Step {
        rate,
        records_per_second: produced.records as f64 / measured.seconds,
        latency: crate::latency::summary(&produced.latency),
        backlog_grows: report::backlog_grows(own, rate / settings.records_per_batch as f64),
        held: None,
    }
}
