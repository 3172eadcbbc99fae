//! The lines of the live view: pure, from a snapshot of the run.

use crate::latency::{Values, decoded, micros, new_histogram, percentile};
use crate::numbers::{count, milliseconds, printable, rate};
use crate::progress::{Phase, Snapshot};
use crate::result::Second;
use crate::text_table::TextTable;

/// Of a frame, at most.
pub(crate) const LINES: usize = 12;
/// Seconds in a sparkline, at most.
const SPARKS: usize = 60;
const PERCENTILES: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 99.99];
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What does not change while a run goes on.
pub(crate) struct Run {
    pub(crate) label: String,
    /// `10,000` records a second; none in a closed loop.
    pub(crate) asked: Option<String>,
}

/// What was seen so far.
pub(crate) struct View {
    run: Run,
    seconds: Vec<Second>,
    latency: Values,
    /// When it was last looked at.
    measured_seconds: f64,
}

impl View {
    pub(crate) fn new(run: Run) -> View {
        View {
            run,
            seconds: Vec::new(),
            latency: new_histogram(),
            measured_seconds: f64::NEG_INFINITY,
        }
    }

    pub(crate) fn seconds_seen(&self) -> usize {
        self.seconds.len()
    }

    /// Takes the seconds in that are new, and gives them back.
    pub(crate) fn take(&mut self, snapshot: &Snapshot) -> Vec<Second> {
        // The next rate of several: percentiles so far are those of one rate.
        if snapshot.measured_seconds < self.measured_seconds {
            self.latency.reset();
        }
        self.measured_seconds = snapshot.measured_seconds;
        for second in &snapshot.seconds {
            let values = second.histogram.as_deref().map(decoded);
            if let Some(Ok(values)) = values {
                self.latency.add(&values).expect("histograms of one shape");
            }
            self.seconds.push(second.clone());
        }
        snapshot.seconds.clone()
    }

    /// Where nothing can be written over.
    pub(crate) fn phase_line(&self, snapshot: &Snapshot) -> String {
        let asked = self
            .run
            .asked
            .as_ref()
            .map(|asked| format!(", {asked} records/s asked for"));
        let label = printable(&self.run.label);
        format!(
            "{label}: {}{}",
            phase(snapshot.phase),
            asked.unwrap_or_default()
        )
    }

    pub(crate) fn second_line(&self, second: &Second) -> String {
        let latency = |value: Option<f64>| value.map_or("-".into(), milliseconds);
        let records = second.records.max(second.consumed_records);
        format!(
            "{:>5} s {:>10} records/s  p50 {} ms  p99 {} ms  max {} ms  backlog {}  errors {}",
            second.second + 1,
            count(records),
            latency(second.p50),
            latency(second.p99),
            latency(second.max),
            count(second.backlog),
            count(second.errors)
        )
    }

    /// No line is longer than `width`.
    pub(crate) fn frame(&self, snapshot: &Snapshot, width: usize) -> Vec<String> {
        let mut lines = vec![self.first_line(snapshot, width)];
        if let Some(last) = self.seconds.last() {
            lines.push(String::new());
            lines.push(self.rates(last));
            lines.extend(self.latencies(last).text().lines().map(String::from));
            lines.push(String::new());
            lines.extend(self.sparklines(width));
        }
        let errors = format!(
            "backlog {}   errors {}",
            count(snapshot.backlog),
            count(snapshot.errors)
        );
        lines.push(errors);
        assert!(lines.len() <= LINES, "a frame of {} lines", lines.len());
        lines
            .iter()
            .map(|line| line.chars().take(width).collect())
            .collect()
    }

    fn first_line(&self, snapshot: &Snapshot, width: usize) -> String {
        let label = printable(&self.run.label);
        let phase_name = phase(snapshot.phase);
        if snapshot.phase != Phase::Measure {
            return format!(
                "{label}  {phase_name}, {} records so far",
                count(snapshot.records)
            );
        }
        let (done, all) = (snapshot.measured_seconds.max(0.0), snapshot.planned_seconds);
        let left = (all - done).max(0.0);
        let text = format!("{label}  {phase_name} {done:.0} s of {all:.0} s, {left:.0} s left");
        let room = width.saturating_sub(text.chars().count() + 3).min(40);
        let filled = (done / all.max(f64::MIN_POSITIVE) * room as f64).round() as usize;
        let filled = filled.min(room);
        format!(
            "{text}  {}{}",
            "━".repeat(filled),
            "─".repeat(room - filled)
        )
    }

    fn rates(&self, last: &Second) -> String {
        let asked = self
            .run
            .asked
            .as_ref()
            .map(|asked| format!(" of {asked} asked for"));
        let mut text = match last.records > 0 || last.consumed_records == 0 {
            true => format!(
                "{} records/s{}",
                count(last.records),
                asked.unwrap_or_default()
            ),
            false => String::new(),
        };
        if last.consumed_records > 0 {
            let gap = if text.is_empty() { "" } else { "   " };
            text.push_str(&format!("{gap}{} consumed", count(last.consumed_records)));
        }
        text + &format!("   {} MB/s", rate(last.payload_bytes as f64 / 1e6))
    }

    fn latencies(&self, last: &Second) -> TextTable {
        let headings = ["latency, ms", "p50", "p90", "p99", "p99.9", "p99.99", "max"];
        let mut table = TextTable::new(1, headings);
        let of_second = last
            .histogram
            .as_deref()
            .and_then(|text| decoded(text).ok());
        table.row(row("last second", &of_second.unwrap_or_else(new_histogram)));
        table.row(row("so far", &self.latency));
        table
    }

    fn sparklines(&self, width: usize) -> [String; 2] {
        let room = width.saturating_sub(40).clamp(8, SPARKS);
        let recent = &self.seconds[self.seconds.len().saturating_sub(room)..];
        let rates: Vec<f64> = recent
            .iter()
            .map(|second| second.records.max(second.consumed_records) as f64)
            .collect();
        let slowest: Vec<f64> = recent
            .iter()
            .map(|second| second.max.unwrap_or(0.0))
            .collect();
        let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        [
            format!(
                "records/s  {}  up to {}",
                sparkline(&rates),
                rate(most(&rates))
            ),
            format!(
                "max        {}  up to {} ms",
                sparkline(&slowest),
                milliseconds(most(&slowest))
            ),
        ]
    }
}

fn row(name: &str, values: &Values) -> Vec<String> {
    let dash = || "-".to_owned();
    let mut row = vec![name.to_owned()];
    row.extend(
        PERCENTILES.map(|percent| percentile(values, percent).map_or_else(dash, milliseconds)),
    );
    row.push(match values.is_empty() {
        true => dash(),
        false => milliseconds(micros(values.max())),
    });
    row
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Prepare => "preparing",
        Phase::WarmUp => "warming up",
        Phase::Measure => "measuring",
        Phase::Drain => "waiting for the last answers",
        Phase::Verify => "reading back",
        Phase::Sink => "the same against the sink",
        Phase::Done => "done",
    }
}

/// From zero to the largest.
fn sparkline(values: &[f64]) -> String {
    let most = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let last = LEVELS.len() - 1;
    let level = |value: &f64| LEVELS[((value / most * last as f64).round() as usize).min(last)];
    values.iter().map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::samples;

    fn seen(seconds: usize) -> (View, Snapshot) {
        let run = samples().remove(0).1;
        let mut view = View::new(Run {
            label: "ottla\u{1b}[2J".into(),
            asked: Some("10,000".into()),
        });
        let snapshot = Snapshot {
            phase: Phase::Measure,
            measured_seconds: seconds as f64,
            planned_seconds: 60.0,
            records: 0,
            consumed_records: 0,
            backlog: 3,
            errors: 0,
            seconds: run.timeline[..seconds].to_vec(),
        };
        view.take(&snapshot);
        (view, snapshot)
    }

    #[test]
    fn a_frame_tells_rate_latency_and_time_left() {
        let (view, snapshot) = seen(14);
        let frame = view.frame(&snapshot, 100);
        assert!(
            frame[0].starts_with("ottla�[2J  measuring 14 s of 60 s, 46 s left  ━━━━━"),
            "{frame:#?}"
        );
        assert!(
            frame[2].contains(" records/s of 10,000 asked for   "),
            "{frame:#?}"
        );
        assert!(frame[4].starts_with("last second  0.6"), "{frame:#?}");
        // 14,000 samples carry p99.9, a thousand do not.
        let dashes = |line: &str| line.split(' ').filter(|word| *word == "-").count();
        assert_eq!((dashes(&frame[4]), dashes(&frame[5])), (2, 1), "{frame:#?}");
        assert!(
            frame[8].contains('█') && frame[8].contains('▂'),
            "{frame:#?}"
        );
        assert_eq!(
            frame.last().map(String::as_str),
            Some("backlog 3   errors 0")
        );
    }

    #[test]
    fn no_line_is_longer_than_the_terminal_is_wide() {
        let (view, snapshot) = seen(60);
        for width in [1, 20, 80, 300] {
            let frame = view.frame(&snapshot, width);
            assert!(
                frame.iter().all(|line| line.chars().count() <= width),
                "{width}: {frame:#?}"
            );
        }
    }

    #[test]
    fn the_next_rate_of_several_begins_its_percentiles_anew() {
        let (mut view, snapshot) = seen(14);
        view.take(&Snapshot {
            measured_seconds: 1.0,
            seconds: snapshot.seconds[..1].to_vec(),
            ..snapshot.clone()
        });
        assert_eq!((view.latency.len(), view.seconds_seen()), (1_000, 15));
    }

    #[test]
    fn without_a_terminal_a_second_is_a_line() {
        let (view, snapshot) = seen(14);
        let line = view.second_line(&snapshot.seconds[12]);
        assert!(line.starts_with("   13 s"), "{line}");
        let backlog = snapshot.seconds[12].backlog;
        assert!(
            line.ends_with(&format!(" ms  backlog {backlog}  errors 0")),
            "{line}"
        );
        assert_eq!(
            view.phase_line(&snapshot),
            "ottla�[2J: measuring, 10,000 records/s asked for"
        );
    }
}
