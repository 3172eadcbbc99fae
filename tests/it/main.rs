//! A real broker on loopback: one file per subject, one test per story.

mod harness;
#[allow(dead_code, reason = "shared with the fuzz tests, which use all of it")]
#[path = "../fuzz/hostile.rs"]
mod hostile;

mod admin_stories;
mod compaction_stories;
mod config_stories;
mod damage_stories;
mod durability_stories;
mod failure_stories;
mod fetch_session_stories;
mod fetch_stories;
mod flip_stories;
mod flood_stories;
mod group_stories;
mod hostile_stories;
mod idempotence_stories;
mod memory_stories;
mod metadata_stories;
mod metrics_stories;
mod offset_stories;
mod operator_stories;
mod produce_stories;
mod room_stories;
mod start_stories;
mod stop_stories;
mod tool_config_stories;
mod tool_data_stories;
mod tool_group_stories;
mod tool_host_stories;
mod tool_log_stories;
mod tool_topic_stories;
mod version_stories;
