//! The log of this process, and how to change what it shows. There is one log, as there is one process; whoever starts
//! it leaves the way to it here.

use crate::config::log_levels::LogLevels;
use std::sync::{Mutex, OnceLock, PoisonError};

static CONTROL: OnceLock<LogControl> = OnceLock::new();

/// Has the log show what a filter says.
type Apply = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

struct LogControl {
    levels: Mutex<LogLevels>,
    apply: Apply,
}

/// To be called once, when the log starts.
pub fn install(start: &str, apply: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static) {
    let control = LogControl {
        levels: Mutex::new(LogLevels::new(start)),
        apply: Box::new(apply),
    };
    let installed = CONTROL.set(control);
    assert!(installed.is_ok(), "a process has one log");
}

/// What is shown now. None: this process has no log.
pub fn levels() -> Option<LogLevels> {
    let control = CONTROL.get()?;
    let levels = control.levels.lock();
    Some(levels.unwrap_or_else(PoisonError::into_inner).clone())
}

/// Shows what `levels` say from now on.
pub fn set_levels(levels: LogLevels) {
    let Some(control) = CONTROL.get() else {
        return;
    };
    let mut held = control
        .levels
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    match (control.apply)(&levels.filter()) {
        Ok(()) => {
            tracing::warn!(filter = levels.filter(), "the log shows other lines");
            *held = levels;
        }
        Err(error) => tracing::error!(error, "the log levels could not be changed"),
    }
}
