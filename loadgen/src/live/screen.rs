//! The thread that shows a run, and what it has put on the screen.

use super::frame::{self, Run, View};
use crate::progress::{Phase, Progress};
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Between two looks at the run.
const INTERVAL: Duration = Duration::from_millis(250);

/// Shows a run until it is dropped.
pub(crate) struct Live {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Live {
    /// With `quiet` nothing is shown.
    pub(crate) fn start(progress: &Arc<Progress>, run: Run, quiet: bool) -> Live {
        if quiet {
            return Live {
                stop: None,
                thread: None,
            };
        }
        let (stop, stopped) = mpsc::channel();
        let progress = progress.clone();
        let thread = thread::spawn(move || {
            let mut screen = Screen::new();
            let mut view = View::new(run);
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                screen.show(&mut view, &progress);
            }
            screen.finish(&mut view, &progress);
        });
        Live {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so; the run's result is worth more.
            let _ = thread.join();
        }
    }
}

struct Screen {
    terminal: bool,
    /// Lines on the screen that the next frame replaces, and how wide it was then.
    lines: usize,
    width: usize,
    phase: Option<Phase>,
}

impl Screen {
    fn new() -> Screen {
        let dumb = std::env::var_os("TERM").is_none_or(|name| name == "dumb");
        Screen {
            terminal: io::stderr().is_terminal() && !dumb,
            lines: 0,
            width: 0,
            phase: None,
        }
    }

    fn show(&mut self, view: &mut View, progress: &Progress) {
        let snapshot = progress.snapshot(view.seconds_seen());
        let fresh = view.take(&snapshot);
        let notes = progress.take_notes();
        let size = rustix::termios::tcgetwinsize(io::stderr()).ok();
        let size = size.filter(|size| self.terminal && size.ws_col > 0);
        match size {
            Some(size) if usize::from(size.ws_row) > frame::LINES => {
                let width = usize::from(size.ws_col);
                self.replace(&notes, &view.frame(&snapshot, width), width);
            }
            _ => {
                if self.phase.replace(snapshot.phase) != Some(snapshot.phase) {
                    self.write(&format!("{}\n", view.phase_line(&snapshot)));
                }
                let lines: String = fresh
                    .iter()
                    .map(|second| view.second_line(second) + "\n")
                    .collect();
                self.write(&(lines + &lines_of(&notes)));
            }
        }
    }

    /// Notes stay on the screen, above the frame.
    fn replace(&mut self, notes: &[String], lines: &[String], width: usize) {
        let mut text = String::new();
        match self.width == width || self.lines == 0 {
            true => text.push_str(&self.up()),
            // What was written has been folded anew: nobody knows how many lines it is now.
            false => text.push_str("\x1b[2J\x1b[H"),
        }
        for line in notes.iter().chain(lines) {
            let _ = writeln!(text, "{line}\x1b[K");
        }
        text.push_str("\x1b[J");
        (self.lines, self.width) = (lines.len(), width);
        self.write(&text);
    }

    /// The summary stands where the frame was; without frames the seconds that are left are told.
    fn finish(&mut self, view: &mut View, progress: &Progress) {
        let text = match self.lines {
            0 => {
                let snapshot = progress.snapshot(view.seconds_seen());
                let fresh = view.take(&snapshot);
                fresh
                    .iter()
                    .map(|second| view.second_line(second) + "\n")
                    .collect()
            }
            _ => self.up() + "\x1b[J",
        };
        self.write(&(text + &lines_of(&progress.take_notes())));
    }

    fn up(&self) -> String {
        match self.lines {
            0 => String::new(),
            lines => format!("\r\x1b[{lines}A"),
        }
    }

    /// Nobody may be reading; a run does not end for that.
    fn write(&self, text: &str) {
        let mut output = io::stderr().lock();
        let _ = output
            .write_all(text.as_bytes())
            .and_then(|()| output.flush());
    }
}

fn lines_of(notes: &[String]) -> String {
    notes.iter().map(|note| format!("{note}\n")).collect()
}
