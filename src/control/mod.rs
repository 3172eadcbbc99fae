//! Cluster metadata and its controller: which topics exist, how they are configured, who the broker is.
//!
//! **Owns** the image, the commands that change it, the records of the metadata log and their bytes.
//! **Never** writes the log itself, names a Kafka error code, or asks for time or randomness (ids come in).
//! **Invariants**: an image changes by `apply(record)` alone, live and in recovery; of one command each item fails
//! or succeeds alone; an unknown record that is not marked skippable stops a start.
//! **Enter at** [`controller`], then [`image`].

pub mod command;
pub mod controller;
pub mod error;
pub mod image;

mod decide;
pub mod names;

mod apply;
mod codec;
mod record;
pub mod replay_error;
mod snapshot;

#[cfg(test)]
mod fixture;

pub use command::{Command, Outcome};
pub use controller::{Controller, Proposal, Start};
pub use decide::check_operations;
pub use error::ControlError;
pub use image::{Image, Topic};
pub use replay_error::ReplayError;
