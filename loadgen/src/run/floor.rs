//! The same workload against the sink, in a process of its own so that its CPU is not the generator's.

use super::conduct::Conductor;
use super::report;
use crate::args::Mode;
use crate::failure::Failure;
use crate::headline;
use crate::progress::Progress;
use crate::result::SinkRun;
use crate::settings::{Load, Settings};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const WARMUP_MAX: Duration = Duration::from_millis(500);
const FILL: Duration = Duration::from_millis(500);

/// Ends with its owner.
struct SinkProcess {
    child: Child,
    address: String,
}

impl SinkProcess {
    fn start() -> Result<SinkProcess, Failure> {
        let failed = |error: std::io::Error| {
            Failure::new(format!("the sink: {error}")).fix("--no-sink goes without")
        };
        let binary = std::env::current_exe().map_err(failed)?;
        let mut child = Command::new(binary)
            .args(["sink", "--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it was piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .map_err(failed)?;
        let address = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap_or_default()
            .to_owned();
        Ok(SinkProcess { child, address })
    }
}

impl Drop for SinkProcess {
    fn drop(&mut self) {
        // It may have died by itself; there is nothing to save in it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn measure(
    settings: &Settings,
    load: &Load,
    length: Duration,
) -> Result<SinkRun, Failure> {
    let sink = SinkProcess::start()?;
    let mode = match settings.mode {
        // The sink knows no groups, and holds nothing old.
        Mode::Groups | Mode::CatchUp => Mode::EndToEnd,
        mode => mode,
    };
    let settings = Settings {
        bootstrap: sink.address.clone(),
        topic_configs: Vec::new(),
        mode,
        duration: length,
        warmup: settings.warmup.min(WARMUP_MAX),
        idle: 0,
        once: false,
        verify: false,
        keep_samples: false,
        broker_pid: None,
        ..settings.clone()
    };
    if settings.mode == Mode::Consume {
        fill(&settings)?;
    }
    let progress = Progress::new();
    let mut conductor = Conductor::new(&settings, &progress)?;
    let measured = conductor.measure(load)?;
    let document = report::document(&conductor, &measured, load, report::now());
    let (_, side) = headline::side(&document).expect("a workload has a side");
    Ok(SinkRun {
        records_per_second: side.records_per_second,
        megabytes_per_second: side.megabytes_per_second,
        generator_cores: document.generator.cores,
        latency: side.latency.clone(),
    })
}

/// For who only reads: as much as the sink keeps, or what comes in a moment.
fn fill(settings: &Settings) -> Result<(), Failure> {
    let settings = Settings {
        mode: Mode::Produce,
        duration: FILL,
        ..settings.clone()
    };
    let progress = Progress::new();
    Conductor::new(&settings, &progress)?.measure(&Load::Closed { in_flight: 4 })?;
    Ok(())
}
