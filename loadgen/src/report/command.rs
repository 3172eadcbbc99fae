//! `ottla-loadgen report`: results of runs as a table, as a page, as histograms for other tools.

use super::{files, page};
use crate::failure::Failure;
use crate::result::RunResult;
use crate::{exports, summary};
use std::path::PathBuf;

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ReportArguments {
    /// Results that `run --json` wrote; several are compared, those of one label and durability are rounds.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// One page that needs no network.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Percentile distributions of one result: PREFIX-produce-latency.hgrm and so on.
    #[arg(long, value_name = "PREFIX")]
    hgrm: Option<PathBuf>,
    /// Interval log of one result: a histogram for each second.
    #[arg(long, value_name = "FILE")]
    hlog: Option<PathBuf>,
}

/// Writes the files that were asked for; returns what to print.
pub(crate) fn report(arguments: &ReportArguments) -> Result<String, Failure> {
    let runs = files::read(&arguments.files)?;
    if let Some(path) = &arguments.html {
        exports::write(path, &page::page(&runs))?;
    }
    if arguments.hgrm.is_some() || arguments.hlog.is_some() {
        let [run] = runs.as_slice() else {
            return Err(Failure::usage("--hgrm and --hlog are of one result").fix("name one FILE"));
        };
        histograms(arguments, run)?;
    }
    Ok(match runs.as_slice() {
        [run] => summary::summary(run),
        runs => summary::comparison(runs),
    })
}

fn histograms(arguments: &ReportArguments, run: &RunResult) -> Result<(), Failure> {
    if let Some(prefix) = &arguments.hgrm {
        exports::write_distributions(prefix, run)?;
    }
    if let Some(path) = &arguments.hlog {
        exports::write_interval_log(path, run)?;
    }
    Ok(())
}
