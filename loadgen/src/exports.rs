//! Files of a result for people and for other tools.

use crate::failure::Failure;
use crate::headline::{self, sides};
use crate::latency::decoded;
use crate::result::{Latency, RunResult};
use crate::{hgrm, hlog};
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

/// One `.hgrm` for each latency that has samples: `PREFIX-produce-latency.hgrm`.
pub(crate) fn write_distributions(prefix: &Path, run: &RunResult) -> Result<(), Failure> {
    for (name, latency) in latencies(run) {
        let values = decoded(&latency.histogram).map_err(Failure::new)?;
        if values.is_empty() {
            continue;
        }
        let mut path = prefix.as_os_str().to_owned();
        path.push(format!("-{name}.hgrm"));
        write(&PathBuf::from(path), &hgrm::distribution(&values))?;
    }
    Ok(())
}

pub(crate) fn write_interval_log(path: &Path, run: &RunResult) -> Result<(), Failure> {
    let missing = || Failure::new("the result has no histograms by second").fix("repeat the run");
    write(path, &hlog::interval_log(run).ok_or_else(missing)?)
}

/// Every latency of a run with the name its file has.
pub(crate) fn latencies(run: &RunResult) -> Vec<(String, &Latency)> {
    let mut all = Vec::new();
    for (name, side) in sides(run) {
        all.push((format!("{name}-latency"), &side.latency));
        let service_time = headline::service_time(side);
        all.extend(service_time.map(|latency| (format!("{name}-service-time"), latency)));
    }
    all.extend(
        run.end_to_end
            .iter()
            .map(|latency| ("end-to-end-latency".into(), latency)),
    );
    let sink = run.generator.sink.iter();
    all.extend(sink.map(|sink| ("sink-latency".into(), &sink.latency)));
    all
}
