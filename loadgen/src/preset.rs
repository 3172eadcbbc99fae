//! Typical workloads by name.

use crate::args::{CodecName, Mode, RunArgs};
use crate::workload::keys::Keys;
use clap::ValueEnum;

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Preset {
    /// Small keyed records, one a batch, arriving at random, end to end: every microsecond counts.
    TradingTicks,
    /// Many connections, each with a few records now and then.
    TelemetryFleet,
    /// Large compressed batches, as fast as they are taken.
    LogShipping,
    /// Each record to ten consumers.
    FanOut,
    /// Small batches over skewed keys and many partitions, idempotent.
    KeyedSmallBatches,
    /// A reader of old records beside a tail workload.
    CatchUp,
}

impl Preset {
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value().expect("no preset is hidden");
        value.get_name().to_owned()
    }

    pub(crate) fn args(self) -> RunArgs {
        let none = RunArgs::default();
        match self {
            Preset::TradingTicks => RunArgs {
                mode: Some(Mode::EndToEnd),
                rate: Some(4_000.0),
                poisson: true,
                partitions: Some(8),
                connections: Some(4),
                value_size: Some((64, 160)),
                key: Some(Keys::Zipf),
                key_count: Some(500),
                ..none
            },
            Preset::TelemetryFleet => RunArgs {
                rate: Some(20_000.0),
                poisson: true,
                partitions: Some(16),
                connections: Some(500),
                records_per_batch: Some(5),
                value_size: Some((100, 300)),
                key: Some(Keys::Uniform),
                ..none
            },
            Preset::LogShipping => RunArgs {
                in_flight: Some(4),
                connections: Some(4),
                records_per_batch: Some(500),
                value_size: Some((100, 400)),
                codec: Some(CodecName::Zstd),
                ..none
            },
            Preset::FanOut => RunArgs {
                mode: Some(Mode::FanOut),
                rate: Some(1_000.0),
                consumers: Some(10),
                value_size: Some((500, 500)),
                ..none
            },
            Preset::KeyedSmallBatches => RunArgs {
                rate: Some(10_000.0),
                partitions: Some(32),
                connections: Some(8),
                records_per_batch: Some(10),
                value_size: Some((50, 150)),
                key: Some(Keys::Zipf),
                idempotent: true,
                ..none
            },
            Preset::CatchUp => RunArgs {
                mode: Some(Mode::CatchUp),
                rate: Some(1_000.0),
                value_size: Some((1_000, 1_000)),
                ..none
            },
        }
    }
}
