//! Records of the metadata log.

/// Why the metadata cannot be read. The node does not start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplayError {}
