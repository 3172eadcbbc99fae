//! Looking at the machine where a cut can fall.

use super::machine::{Machine, Operation};
use std::path::Path;

/// Where a moment lies in the course of one change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Moment {
    /// Nobody has asked for it.
    Before,
    /// It is under way; nobody knows what of it has happened.
    Inside,
    /// It has happened, and nobody has been told.
    After,
}

/// Sees every change on a disk at its moments. Nothing else happens meanwhile.
pub trait BoundaryWatch {
    /// `Moment::Before`. The answer names the change in its later moments.
    fn on_change(&mut self, machine: &Machine, path: &Path, operation: &Operation) -> u64;
    fn on_moment(&mut self, machine: &Machine, change: u64, moment: Moment);
}
