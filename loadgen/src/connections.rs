//! Connections in number: idle ones held beside a workload, and room for many.

use crate::client::cluster::Topic;
use crate::client::connection::Connection;
use crate::failure::Failure;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// As many open files as the system grants: thousands of connections are thousands of files.
pub(crate) fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // A refusal shows as soon as a connection cannot be opened, with its reason.
    let _ = setrlimit(Resource::Nofile, raised);
}

/// Each has asked its first question, and asks nothing more while it is held.
pub(crate) fn idle(topic: &Topic, count: usize) -> Result<Vec<Connection>, Failure> {
    let brokers: Vec<&str> = topic.by_leader().into_keys().collect();
    (0..count)
        .map(|number| Connection::open(brokers[number % brokers.len()]))
        .collect()
}
