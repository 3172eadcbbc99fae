//! The command line, resolved once: flags, then the preset, then defaults; combinations that make no sense refused.

use crate::args::{CodecName, Mode, RunArgs};
use crate::failure::Failure;
use crate::schedule::{Arrivals, Schedule, Stretch};
use crate::workload::keys::Keys;
use crate::workload::stamp::STAMP_BYTES;
use crate::workload::values::Values;
use clap::ValueEnum;
use ottla::record::Codec;
use std::collections::BTreeMap;
use std::time::Duration;

/// Streams are named by 16 bits of each.
pub(crate) const PARTITIONS_MAX: usize = 65_535;
pub(crate) const CONNECTIONS_MAX: usize = 65_535;
/// A broker remembers the last five batches of a producer: more could not be sent again safely.
const IDEMPOTENT_IN_FLIGHT_MAX: usize = 5;
const IN_FLIGHT_MAX: usize = 100_000;
const CONSUMERS_MAX: usize = 10_000;
const THREADS_MAX: usize = 256;
const RECORDS_PER_BATCH_MAX: usize = 1_000_000;
const DEFAULT_RATE: f64 = 1_000.0;
/// A thread that sends 100,000 requests a second spends most of its time waking up and in `send`: on a busy two-core VM
/// a tick of 100 us cost 0.24 cores, 200 us 0.19, 250 us 0.15. Below 5,000 requests a second it changes nothing.
const TICK: Duration = Duration::from_micros(200);

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) bootstrap: String,
    pub(crate) topic: String,
    pub(crate) partitions: usize,
    pub(crate) topic_configs: Vec<(String, String)>,
    pub(crate) mode: Mode,
    pub(crate) load: Load,
    pub(crate) arrivals: Arrivals,
    pub(crate) max_in_flight: usize,
    pub(crate) tick: Duration,
    pub(crate) connections: usize,
    pub(crate) threads: usize,
    pub(crate) consumers: usize,
    pub(crate) idle: usize,
    pub(crate) records_per_batch: usize,
    pub(crate) values: Values,
    pub(crate) keys: Keys,
    pub(crate) key_count: usize,
    pub(crate) codec: Codec,
    pub(crate) acks: i16,
    pub(crate) idempotent: bool,
    pub(crate) fetch_bytes: usize,
    pub(crate) once: bool,
    pub(crate) duration: Duration,
    pub(crate) warmup: Duration,
    pub(crate) drain: Duration,
    pub(crate) verify: bool,
    pub(crate) spin: bool,
    pub(crate) pin: Vec<usize>,
    pub(crate) seed: u64,
    pub(crate) sink_floor: Option<Duration>,
    pub(crate) broker_pid: Option<u32>,
    pub(crate) label: String,
    pub(crate) durability: Option<String>,
    pub(crate) keep_samples: bool,
    /// As text, for the result.
    pub(crate) options: BTreeMap<String, String>,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Load {
    /// Records a second.
    Open {
        from: f64,
        to: f64,
    },
    /// One run for each rate.
    Steps(Vec<f64>),
    Closed {
        in_flight: usize,
    },
}

impl Settings {
    pub(crate) fn resolve(written: &RunArgs) -> Result<Settings, Failure> {
        let args = with_preset(written);
        let bare = args.rate.is_none() && args.in_flight.is_none() && args.ramp.is_none();
        let bare = bare && args.steps.is_empty() && args.preset.is_none() && args.mode.is_none();
        let mode = args
            .mode
            .unwrap_or(if bare { Mode::EndToEnd } else { Mode::Produce });
        let load = load(&args, mode, bare);
        let values = values(&args)?;
        let seed = args.seed.unwrap_or(1);
        let settings = Settings {
            bootstrap: args
                .bootstrap
                .clone()
                .unwrap_or_else(|| "localhost:9092".into()),
            topic: args.topic.clone().unwrap_or_else(|| "ottla-loadgen".into()),
            partitions: args.partitions.unwrap_or(4),
            topic_configs: args.topic_config.clone(),
            mode,
            load,
            arrivals: if args.poisson {
                Arrivals::Poisson { seed }
            } else {
                Arrivals::Even
            },
            max_in_flight: args.max_in_flight.unwrap_or(match args.idempotent {
                true => IDEMPOTENT_IN_FLIGHT_MAX,
                false => IN_FLIGHT_MAX,
            }),
            tick: args.tick.unwrap_or(TICK),
            connections: args.connections.unwrap_or(1),
            threads: args.threads.unwrap_or(1),
            consumers: args.consumers.unwrap_or(1),
            idle: args.idle.unwrap_or(0),
            records_per_batch: args.records_per_batch.unwrap_or(1),
            values,
            keys: args.key.unwrap_or(Keys::None),
            key_count: args.key_count.unwrap_or(10_000),
            codec: args.codec.unwrap_or(CodecName::None).into(),
            acks: acks(&args),
            idempotent: args.idempotent,
            fetch_bytes: args.fetch_bytes.unwrap_or(1024 * 1024),
            once: args.once,
            duration: args.duration.unwrap_or(Duration::from_secs(10)),
            warmup: match mode == Mode::Consume && args.once {
                // What is read once is measured from its first byte.
                true => Duration::ZERO,
                false => args.warmup.unwrap_or(Duration::from_secs(2)),
            },
            drain: args.drain.unwrap_or(Duration::from_secs(10)),
            verify: args.verify,
            spin: args.spin,
            pin: args.pin.clone(),
            seed,
            sink_floor: (!args.no_sink).then(|| args.sink_floor.unwrap_or(Duration::from_secs(2))),
            broker_pid: args.broker_pid,
            label: args.label.clone().unwrap_or_else(|| label(&args, mode)),
            durability: args.durability.clone(),
            keep_samples: args.samples.is_some(),
            options: BTreeMap::new(),
        };
        settings.check()?;
        let options = settings.options(&args);
        Ok(Settings {
            options,
            ..settings
        })
    }

    /// The schedule at this rate of records, warm-up included; requests a second.
    pub(crate) fn schedule(&self, from: f64, to: f64) -> Schedule {
        let batch = self.records_per_batch as f64;
        let (from, to) = (from / batch, to / batch);
        Schedule::new(&[
            Stretch {
                from,
                to: from,
                seconds: self.warmup.as_secs_f64(),
            },
            Stretch {
                from,
                to,
                seconds: self.duration.as_secs_f64(),
            },
        ])
    }

    pub(crate) fn has_producers(&self) -> bool {
        !matches!(self.mode, Mode::Consume | Mode::Storm)
    }

    pub(crate) fn waits_for_records(&self) -> bool {
        matches!(
            self.mode,
            Mode::EndToEnd | Mode::Groups | Mode::FanOut | Mode::CatchUp
        )
    }

    fn check(&self) -> Result<(), Failure> {
        let bounds = [
            ("--partitions", self.partitions, PARTITIONS_MAX),
            ("--connections", self.connections, CONNECTIONS_MAX),
            ("--threads", self.threads, THREADS_MAX),
            ("--consumers", self.consumers, CONSUMERS_MAX),
            (
                "--records-per-batch",
                self.records_per_batch,
                RECORDS_PER_BATCH_MAX,
            ),
            ("--key-count", self.key_count, 100_000_000),
            ("--max-in-flight", self.max_in_flight, 10_000_000),
        ];
        for (flag, value, most) in bounds {
            if !(1..=most).contains(&value) {
                return Err(Failure::usage(format!("{flag} is from 1 to {most}")));
            }
        }
        if self.duration.is_zero() {
            return Err(Failure::usage("--duration is above 0"));
        }
        self.check_promises()
    }

    /// What one flag promises and another makes impossible.
    fn check_promises(&self) -> Result<(), Failure> {
        let refuse = |message: &str, fix: &str| Err(Failure::usage(message).fix(fix));
        if self.verify && self.values.bytes_min() < STAMP_BYTES {
            return refuse(
                "--verify stamps 24 bytes into each value",
                "--value-size 24 or more",
            );
        }
        if self.verify && !self.has_producers() {
            return refuse(
                "--verify reads back what the run produced",
                "--mode produce",
            );
        }
        if self.acks == 0 && (self.verify || self.idempotent || self.waits_for_records()) {
            return refuse(
                "with --acks 0 nobody says where a record went",
                "--acks all",
            );
        }
        if self.idempotent && self.acks != -1 {
            return refuse("idempotence needs every replica's word", "--acks all");
        }
        let in_flight = match self.load {
            Load::Closed { in_flight } => in_flight,
            _ => self.max_in_flight,
        };
        if in_flight == 0 {
            return refuse("nothing under way is no load", "--in-flight 1");
        }
        if self.idempotent && in_flight > IDEMPOTENT_IN_FLIGHT_MAX {
            return refuse(
                "an idempotent producer has at most 5 requests under way",
                "--in-flight 5, more --connections",
            );
        }
        if self.threads > self.connections && self.has_producers() {
            return refuse(
                "a thread without a connection has nothing to do",
                "more --connections",
            );
        }
        Ok(())
    }

    fn options(&self, args: &RunArgs) -> BTreeMap<String, String> {
        let seconds = |duration: Duration| format!("{} s", duration.as_secs_f64());
        let load = match &self.load {
            Load::Open { from, to } if from == to => format!("open, {from} records/s"),
            Load::Open { from, to } => format!("open, {from}..{to} records/s"),
            Load::Steps(rates) => format!("open, steps {rates:?} records/s"),
            Load::Closed { in_flight } => format!("closed, {in_flight} in flight per connection"),
        };
        let sizes = (self.values.bytes_min(), self.values.bytes_max());
        let payload = args.payload.as_ref().map(|path| path.display().to_string());
        let rows = [
            ("bootstrap", self.bootstrap.clone()),
            ("topic", self.topic.clone()),
            ("partitions", self.partitions.to_string()),
            ("topic-config", format!("{:?}", self.topic_configs)),
            ("mode", name(self.mode)),
            ("load", load),
            ("arrivals", format!("{:?}", self.arrivals)),
            ("max-in-flight", self.max_in_flight.to_string()),
            ("tick", format!("{:?}", self.tick)),
            ("connections", self.connections.to_string()),
            ("threads", self.threads.to_string()),
            ("consumers", self.consumers.to_string()),
            ("idle", self.idle.to_string()),
            ("records-per-batch", self.records_per_batch.to_string()),
            ("value-size", format!("{}..{}", sizes.0, sizes.1)),
            ("payload", payload.unwrap_or_else(|| "filler".into())),
            ("key", name(self.keys)),
            ("key-count", self.key_count.to_string()),
            ("codec", format!("{:?}", self.codec).to_lowercase()),
            ("acks", self.acks.to_string()),
            ("idempotent", self.idempotent.to_string()),
            ("fetch-bytes", self.fetch_bytes.to_string()),
            ("once", self.once.to_string()),
            ("duration", seconds(self.duration)),
            ("warmup", seconds(self.warmup)),
            ("drain", seconds(self.drain)),
            ("verify", self.verify.to_string()),
            ("spin", self.spin.to_string()),
            ("pin", format!("{:?}", self.pin)),
            ("seed", self.seed.to_string()),
            ("sink-floor", self.sink_floor.map_or("none".into(), seconds)),
            (
                "broker-pid",
                self.broker_pid.map_or("none".into(), |pid| pid.to_string()),
            ),
        ];
        rows.into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

fn name(value: impl ValueEnum) -> String {
    let value = value.to_possible_value().expect("no value is hidden");
    value.get_name().to_owned()
}

fn label(args: &RunArgs, mode: Mode) -> String {
    args.preset
        .map_or_else(|| name(mode), |preset| preset.name())
}

fn acks(args: &RunArgs) -> i16 {
    match args.acks.as_deref() {
        Some("0") => 0,
        Some("1") => 1,
        _ => -1,
    }
}

fn load(args: &RunArgs, mode: Mode, bare: bool) -> Load {
    if !args.steps.is_empty() {
        return Load::Steps(args.steps.clone());
    }
    let waits = matches!(
        mode,
        Mode::EndToEnd | Mode::Groups | Mode::FanOut | Mode::CatchUp
    );
    let default =
        (args.in_flight.is_none() && (bare || waits)).then_some((DEFAULT_RATE, DEFAULT_RATE));
    let open = args.ramp.or(args.rate.map(|rate| (rate, rate))).or(default);
    match open {
        Some((from, to)) => Load::Open { from, to },
        None => Load::Closed {
            in_flight: args.in_flight.unwrap_or(1),
        },
    }
}

fn values(args: &RunArgs) -> Result<Values, Failure> {
    match (&args.payload, args.value_size) {
        (Some(path), size) => Values::of_file(path, size.map(|size| size.1)),
        (None, size) => Ok(Values::Filler {
            bytes: size.unwrap_or((100, 100)),
        }),
    }
}

/// A flag that was written wins over the preset's; the three kinds of load are one choice.
fn with_preset(written: &RunArgs) -> RunArgs {
    let Some(preset) = written.preset else {
        return written.clone();
    };
    let args = written.clone();
    let preset = preset.args();
    let has_load = args.rate.is_some() || args.in_flight.is_some() || args.ramp.is_some();
    let has_load = has_load || !args.steps.is_empty();
    RunArgs {
        partitions: args.partitions.or(preset.partitions),
        mode: args.mode.or(preset.mode),
        rate: if has_load { args.rate } else { preset.rate },
        in_flight: if has_load {
            args.in_flight
        } else {
            preset.in_flight
        },
        poisson: args.poisson || preset.poisson,
        connections: args.connections.or(preset.connections),
        consumers: args.consumers.or(preset.consumers),
        records_per_batch: args.records_per_batch.or(preset.records_per_batch),
        value_size: args.value_size.or(preset.value_size),
        key: args.key.or(preset.key),
        key_count: args.key_count.or(preset.key_count),
        codec: args.codec.or(preset.codec),
        idempotent: args.idempotent || preset.idempotent,
        ..args
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::Parser as _;

    fn resolve(line: &str) -> Result<Settings, Failure> {
        let cli = Cli::try_parse_from(line.split_whitespace()).expect("clap takes it");
        Settings::resolve(&cli.run)
    }

    #[test]
    fn without_flags_a_thousand_records_a_second_go_there_and_back() {
        let settings = resolve("x").expect("fine");
        assert_eq!(settings.mode, Mode::EndToEnd);
        assert_eq!(
            settings.load,
            Load::Open {
                from: 1_000.0,
                to: 1_000.0
            }
        );
        assert_eq!(
            (settings.bootstrap.as_str(), settings.partitions),
            ("localhost:9092", 4)
        );
    }

    #[test]
    fn a_rate_opens_the_loop_and_its_absence_closes_it() {
        let load = |line: &str| resolve(line).expect("fine").load;
        assert_eq!(
            load("x --rate 50"),
            Load::Open {
                from: 50.0,
                to: 50.0
            }
        );
        assert_eq!(load("x --in-flight 8"), Load::Closed { in_flight: 8 });
        assert_eq!(load("x --mode produce"), Load::Closed { in_flight: 1 });
        assert_eq!(
            load("x --preset log-shipping --rate 9"),
            Load::Open { from: 9.0, to: 9.0 }
        );
        assert_eq!(
            load("x --preset log-shipping"),
            Load::Closed { in_flight: 4 }
        );
    }

    #[test]
    fn nonsense_is_refused_with_what_helps() {
        for (line, words) in [
            ("x --verify --value-size 10", "24 or more"),
            ("x --acks 0 --verify", "--acks all"),
            ("x --idempotent --in-flight 6", "--in-flight 5"),
            ("x --threads 2 --rate 10", "--connections"),
            ("x --partitions 0", "from 1"),
            ("x --mode consume --verify", "--mode produce"),
        ] {
            let failure = resolve(line).expect_err(line).to_string();
            assert!(failure.contains(words), "{line}: {failure}");
        }
    }

    #[test]
    fn every_preset_is_a_run() {
        for preset in crate::preset::Preset::value_variants() {
            resolve(&format!("x --preset {}", preset.name())).expect("fine");
        }
    }
}
