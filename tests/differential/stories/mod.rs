//! What is told to both brokers.

#[path = "../../it/harness/batches.rs"]
#[allow(dead_code, unreachable_pub, reason = "answers are read elsewhere")]
mod batches;
mod build;
mod cluster;
mod compacted;
mod configs;
mod groups;
mod idempotent;
mod log;
mod matrix;
mod offsets;
mod topics;

use crate::session::Session;

pub(crate) struct Story {
    pub(crate) name: &'static str,
    pub(crate) tell: fn(&Session),
}

const fn story(name: &'static str, tell: fn(&Session)) -> Story {
    Story { name, tell }
}

pub(crate) const STORIES: &[Story] = &[
    story("matrix", matrix::every_case),
    story("cluster", cluster::met),
    story("creation", topics::creation),
    story("deletion", topics::deletion),
    story("growth", topics::growth),
    story("on-demand", topics::on_demand),
    story("log", log::write_and_read),
    story("limits", log::limits),
    story("refused", log::refused),
    story("damaged", log::damaged),
    story("compacted", compacted::compacted),
    story("codecs", log::codecs),
    story("times", log::times),
    story("log-walk", log::walk),
    story("windows", idempotent::windows),
    story("wrap", idempotent::wrap),
    story("sequences", idempotent::walk),
    story("group-alone", groups::alone),
    story("group-two", groups::two),
    story("group-fixed", groups::fixed),
    story("group-walk", groups::walk),
    story("offsets", offsets::of_nobody),
    story("offsets-member", offsets::of_a_member),
    story("configs-shown", configs::shown),
    story("configs-topics", configs::of_topics),
    story("configs-changes", configs::changes),
    story("configs-brokers", configs::of_brokers),
];
