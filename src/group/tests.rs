//! Stories of the coordinator: members, their joins and syncs, a disk that takes what it is given, and a clock.

mod classic_stories;
mod commit_stories;
mod log_stories;
mod static_stories;
mod stats_stories;
mod world;
