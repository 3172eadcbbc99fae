//! Which partition of `__consumer_offsets` a group belongs to.

/// As Kafka computes it, so that its tools look in the right place: Java's hash of the name's UTF-16 units.
pub fn partition_of(group: &str, partitions: u32) -> u32 {
    assert!(partitions > 0, "a topic has a partition");
    let hash = group.encode_utf16().fold(0i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    });
    // The smallest number has no absolute value; Kafka takes 0.
    hash.checked_abs().unwrap_or(0).unsigned_abs() % partitions
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `"name".hashCode()` as a JVM prints it.
    #[test]
    fn groups_go_where_kafka_puts_them() {
        for (group, hash) in [
            ("", 0),
            ("a", 97),
            ("group", 98_629_247),
            // Minus 2^31 in Java.
            ("polygenelubricants", 0),
        ] {
            assert_eq!(partition_of(group, i32::MAX as u32), hash, "{group:?}");
        }
        assert_eq!(partition_of("group", 50), 98_629_247 % 50);
        assert_eq!(partition_of("x", 1), 0);
    }
}
