//! `.hlog`: one histogram for each second, in the interval log (version 1.3) that HistogramLogProcessor and its
//! relatives read. Times are seconds after the start, `Interval_Max` is milliseconds.

use crate::result::RunResult;
use chrono::DateTime;
use std::fmt::Write as _;

const MICROS_PER_MS: f64 = 1e3;

/// None when the run kept no histograms by second.
pub(crate) fn interval_log(run: &RunResult) -> Option<String> {
    let seconds: Vec<_> = run
        .timeline
        .iter()
        .filter(|second| second.histogram.is_some())
        .collect();
    if seconds.is_empty() {
        return None;
    }
    let mut text = String::from("#[Histogram log format version 1.3]\n");
    let label = run.label.replace(char::is_control, " ");
    let _ = writeln!(text, "#[Logged by ottla-loadgen {}: {label}]", run.version);
    if let Ok(started) = DateTime::parse_from_rfc3339(&run.started) {
        let epoch = started.timestamp_millis() as f64 / 1e3;
        for name in ["BaseTime", "StartTime"] {
            let _ = writeln!(text, "#[{name}: {epoch:.3} (seconds since epoch)]");
        }
    }
    text.push_str("\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n");
    for second in seconds {
        let start = f64::from(second.second);
        // The last second of a run may be a part of one.
        let rest = run.measured_seconds - start;
        let length = if (0.001..1.0).contains(&rest) {
            rest
        } else {
            1.0
        };
        let max = second.max.unwrap_or(0.0) / MICROS_PER_MS;
        let histogram = second.histogram.as_deref().unwrap_or("");
        let _ = writeln!(text, "{start:.3},{length:.3},{max:.3},{histogram}");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::{decoded, new_histogram};
    use crate::samples::samples;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
    use std::time::Duration;

    #[test]
    fn the_seconds_of_a_log_add_up_to_the_run() {
        let run = samples().remove(0).1;
        let text = interval_log(&run).expect("it has histograms");
        let mut sum = new_histogram();
        let mut intervals = 0;
        for entry in IntervalLogIterator::new(text.as_bytes()) {
            match entry.expect("a log") {
                LogEntry::StartTime(start) => assert_eq!(start.as_secs() % 60, 11),
                LogEntry::BaseTime(_) => {}
                LogEntry::Interval(interval) => {
                    let values = decoded(interval.encoded_histogram()).expect("a histogram");
                    assert_eq!(interval.start_timestamp(), Duration::from_secs(intervals));
                    assert_eq!(interval.duration(), Duration::from_secs(1));
                    let max = values.max() as f64 / 1e6;
                    assert!((interval.max() - max).abs() < 0.001, "{max}");
                    sum.add(&values).expect("histograms of one shape");
                    intervals += 1;
                }
            }
        }
        assert_eq!(intervals, 60);
        let whole = run.produce.expect("it produced").latency;
        assert_eq!(sum, decoded(&whole.histogram).expect("a histogram"));
    }

    #[test]
    fn a_run_without_histograms_has_no_log() {
        let mut run = samples().remove(0).1;
        run.timeline
            .iter_mut()
            .for_each(|second| second.histogram = None);
        assert_eq!(interval_log(&run), None);
    }
}
