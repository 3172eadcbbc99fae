//! What goes wrong by plan, besides crashes: each fault hits one operation, so many from when it was planned.

use std::path::Path;
use std::time::Duration;

pub const EIO: i32 = 5;
pub const ENOSPC: i32 = 28;

/// How a drive lies that says a write has succeeded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Lie {
    /// It never reached the medium.
    Lost,
    /// It reached another place of the same file.
    Misdirected,
}

/// A lie, and the files it may be about.
pub type PlannedLie = (Lie, fn(&Path) -> bool);

/// Operations left, the last of which is hit.
pub type Countdown<T> = Option<(u64, T)>;

#[derive(Clone, Copy, Default)]
pub struct Faults {
    /// A change fails with this error number, at its beginning or at its end.
    pub failure: Countdown<i32>,
    /// A read fails with this error number; the next one of the same place need not.
    pub read_failure: Countdown<i32>,
    /// A change takes so long.
    pub stall: Countdown<Duration>,
    pub lie: Countdown<PlannedLie>,
}

/// Counts one operation; what is planned for it, if it is the one.
pub fn due<T: Copy>(plan: &mut Countdown<T>) -> Option<T> {
    let (left, what) = plan.as_mut()?;
    *left -= 1;
    if *left > 0 {
        return None;
    }
    let what = *what;
    *plan = None;
    Some(what)
}

/// `None` plans nothing; a fault is of a later operation, so `after` is at least one.
pub fn planned<T>(after: Option<u64>, what: T) -> Countdown<T> {
    after.map(|after| (after.max(1), what))
}
