//! One line on a terminal that says how far long work is, and what ends it early: a signal.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::failure::Failure;
use signal_hook::consts::{SIGINT, SIGTERM};

const EVERY: Duration = Duration::from_millis(200);

/// Records and bytes so far. Silent unless standard error is a terminal and nothing else is shown there.
pub(crate) struct Progress {
    shown: bool,
    drawn: bool,
    started: Instant,
    last: Instant,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

impl Progress {
    pub(crate) fn new(alone: bool) -> Progress {
        let now = Instant::now();
        Progress {
            shown: alone && io::stderr().is_terminal(),
            drawn: false,
            started: now,
            last: now,
            records: 0,
            bytes: 0,
        }
    }

    pub(crate) fn add(&mut self, records: u64, bytes: u64) {
        self.records += records;
        self.bytes += bytes;
        if self.shown && self.last.elapsed() >= EVERY {
            self.last = Instant::now();
            self.drawn = true;
            let line = line(self.records, self.bytes, self.elapsed());
            let _ = write!(io::stderr(), "\r\x1b[K{line}");
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Takes the line away.
    pub(crate) fn end(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    pub(crate) fn summary(&self) -> String {
        line(self.records, self.bytes, self.elapsed())
    }
}

fn line(records: u64, bytes: u64, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(0.001);
    let rate = bytes as f64 / seconds;
    format!(
        "{records} records, {} in {seconds:.1} s, {}/s",
        size(bytes as f64),
        size(rate)
    )
}

/// For people: three digits and a unit.
fn size(bytes: f64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut scaled = bytes;
    let mut unit = 0;
    while scaled >= 1_000.0 && unit + 1 < units.len() {
        scaled /= 1_000.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && scaled < 100.0);
    format!("{scaled:.digits$} {}", units[unit])
}

/// Set by the first SIGINT or SIGTERM, which lets the work end in order. The second one ends the process.
#[derive(Clone)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    pub(crate) fn install() -> Result<Interrupt, Failure> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            let code = 128 + signal;
            let installed =
                signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(&flag))
                    .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)));
            installed.map_err(|error| Failure::new(format!("signals: {error}")))?;
        }
        Ok(Interrupt(flag))
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0.0, "0 B"),
            (999.0, "999 B"),
            (1_234.0, "1.2 kB"),
            (123_456.0, "123 kB"),
            (5e9, "5.0 GB"),
            (5e15, "5000 TB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        let line = line(10, 2_000_000, Duration::from_secs(2));
        assert_eq!(line, "10 records, 2.0 MB in 2.0 s, 1.0 MB/s");
    }
}
