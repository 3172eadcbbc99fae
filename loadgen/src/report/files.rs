//! Results from files. Whatever is wrong with one is one line.

use crate::exports::latencies;
use crate::failure::Failure;
use crate::latency::decoded;
use crate::result::{FORMAT, RunResult};
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<RunResult>, Failure> {
    paths.iter().map(|path| read_one(path)).collect()
}

fn read_one(path: &Path) -> Result<RunResult, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    parse(&text).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

fn parse(text: &str) -> Result<RunResult, String> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let usage = "make one with `ottla-loadgen run --json FILE`";
    let version: Version = serde_json::from_str(text)
        .map_err(|error| format!("not a result of a run: {error}; {usage}"))?;
    if version.format != FORMAT {
        let (theirs, ours) = (version.format, FORMAT);
        return Err(format!(
            "format {theirs} of results, this program reads {ours}: repeat the run"
        ));
    }
    let run: RunResult = serde_json::from_str(text)
        .map_err(|error| format!("a damaged result: {error}; {usage}"))?;
    for (_, latency) in latencies(&run) {
        decoded(&latency.histogram)
            .map_err(|error| format!("a damaged result: {error}; {usage}"))?;
    }
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::slo_search;

    #[test]
    fn a_file_that_is_no_result_is_refused_in_one_line() {
        let whole = serde_json::to_string(&slo_search()).expect("plain data");
        assert!(parse(&whole).is_ok());
        let rows = [
            (String::new(), "not a result of a run"),
            (
                "{\"format\": 2}".into(),
                "format 2 of results, this program reads 1",
            ),
            ("{\"format\": 1}".into(), "a damaged result: missing field"),
            (whole[..whole.len() / 2].into(), "not a result of a run"),
            (
                whole.replace("\"histogram\":\"HISTF", "\"histogram\":\"HISTG"),
                "a damaged result: not a histogram",
            ),
        ];
        for (text, expected) in rows {
            let told = parse(&text).expect_err(expected);
            assert!(told.starts_with(expected), "{told}");
            assert_eq!(told.lines().count(), 1, "{told}");
        }
        let told = read(&["/nowhere/result.json".into()]).expect_err("there is none");
        assert_eq!(
            told.to_string(),
            "/nowhere/result.json: No such file or directory (os error 2)"
        );
    }
}
