//! The topics a member of type `consumer` subscribes to. Only this much of the embedded protocol is looked at, and only
//! to protect offsets that are in use.

use super::state_codec::Take;
use std::collections::BTreeSet;

/// The protocol type of consumers; every other one is opaque.
pub(super) const CONSUMER: &str = "consumer";

/// `None`: not what consumers send. Later versions begin like the first: version i16, topics.
pub(super) fn topics(metadata: &[u8]) -> Option<BTreeSet<String>> {
    let mut take = Take(metadata);
    take.int16()?;
    let mut topics = BTreeSet::new();
    for _ in 0..take.int32()? {
        topics.insert(take.string()?);
    }
    Some(topics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_and_nothing_else() {
        let two = b"\0\x03\0\0\0\x02\0\x01b\0\x01aand more";
        assert_eq!(topics(two), Some(BTreeSet::from(["a".into(), "b".into()])));
        assert_eq!(topics(b"\0\0\0\0\0\0"), Some(BTreeSet::new()));
        for opaque in [
            &b""[..],
            b"\0",
            b"\0\0\0\0\0\x01",
            b"\0\0\x7f\xff\xff\xff\0\x01a",
        ] {
            assert_eq!(topics(opaque), None);
        }
    }
}
