//! One file per API: what each version means here.
//!
//! **Owns** the meaning of requests, and which shards are asked what.
//! **Never** waits before it has sent what must keep the order of requests: a handler sends, then returns a future.
//! **Invariants**: every partition and item of a request has its answer, in request order.
//! **Enter at** [`produce`] and [`fetch`].

pub(crate) mod produce;

pub(crate) mod fetch;
mod fetch_plan;

pub(crate) mod list_offsets;
pub(crate) mod offset_for_leader_epoch;

pub(crate) mod api_versions;
pub(crate) mod describe_cluster;
pub(crate) mod metadata;

pub(crate) mod create_partitions;
pub(crate) mod create_topics;
pub(crate) mod delete_records;
pub(crate) mod delete_topics;

pub(crate) mod describe_log_dirs;
pub(crate) mod describe_producers;
pub(crate) mod describe_quorum;
pub(crate) mod describe_topic_partitions;
pub(crate) mod elect_leaders;

pub(crate) mod alter_configs;
pub(crate) mod describe_configs;
pub(crate) mod incremental_alter_configs;
pub(crate) mod list_config_resources;

pub(crate) mod find_coordinator;
pub(crate) mod heartbeat;
pub(crate) mod join_group;
pub(crate) mod leave_group;
pub(crate) mod sync_group;

pub(crate) mod offset_commit;
pub(crate) mod offset_delete;
pub(crate) mod offset_fetch;

pub(crate) mod delete_groups;
pub(crate) mod describe_groups;
pub(crate) mod list_groups;

pub(crate) mod init_producer_id;

mod alterations;
mod by_shard;
mod coordinators;
mod loggers;
mod resources;
mod topics;
