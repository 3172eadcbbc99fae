//! Identifiers. Each is a newtype, so that a shard can never be passed for a node.

use std::fmt;

/// A 128-bit identifier in network byte order, written like Kafka's `Uuid`: 22 characters of URL-safe base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid(pub [u8; 16]);

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Uuid {
    /// "No id" on the wire.
    pub const ZERO: Uuid = Uuid([0; 16]);

    /// Makes a version 4 identifier of 128 random bits.
    pub fn from_random(mut random: [u8; 16]) -> Uuid {
        random[6] = random[6] & 0x0f | 0x40;
        random[8] = random[8] & 0x3f | 0x80;
        Uuid(random)
    }

    pub fn is_zero(self) -> bool {
        self == Uuid::ZERO
    }

    /// Reads the 22 characters that `Display` writes.
    pub fn parse(text: &str) -> Option<Uuid> {
        if text.len() != 22 {
            return None;
        }
        let mut bits: u128 = 0;
        for (index, letter) in text.bytes().enumerate() {
            let digit = BASE64.iter().position(|&b| b == letter)? as u128;
            if index < 21 {
                bits = bits << 6 | digit;
            } else if digit & 0xf == 0 {
                bits = bits << 2 | digit >> 4;
            } else {
                return None;
            }
        }
        Some(Uuid(bits.to_be_bytes()))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u128::from_be_bytes(self.0);
        let mut text = [0u8; 22];
        for (index, letter) in text.iter_mut().enumerate() {
            let digit = if index < 21 {
                bits >> (122 - 6 * index) & 63
            } else {
                bits << 4 & 63
            };
            *letter = BASE64[digit as usize];
        }
        f.write_str(std::str::from_utf8(&text).expect("base64 letters are ASCII"))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A topic for its whole life; a re-created topic of the same name has another one.
pub type TopicId = Uuid;

/// One partition of one topic, cluster-wide.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PartitionId {
    pub topic: TopicId,
    pub index: u32,
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.index)
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

id!(/** A broker as clients see it; small and non-negative. */ NodeId(i32));
id!(/** One core of this process, counted from 0. */ ShardId(u16));
id!(/** A producer that Kafka numbers; `NONE` is a producer without idempotence. */ ProducerId(i64));
id!(/** Whom an answer belongs to, unique within one shard and one run. */ Ticket(u64));
id!(/** A run of the process on a data directory, +1 at every start. */ Life(u64));
id!(/** The data directory's own history; a new one begins when an operator accepts loss of the old. */ Incarnation(u64));

impl ProducerId {
    pub const NONE: ProducerId = ProducerId(-1);

    pub fn is_some(self) -> bool {
        self.0 >= 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_reads_back_what_it_wrote() {
        let mut prng = crate::base::prng::Prng::new(7);
        for _ in 0..200 {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&prng.next_u64().to_be_bytes());
            bytes[8..].copy_from_slice(&prng.next_u64().to_be_bytes());
            let id = Uuid::from_random(bytes);
            assert_eq!(Uuid::parse(&id.to_string()), Some(id));
        }
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
    }

    #[test]
    fn uuid_is_written_as_kafka_writes_it() {
        // java.util.Base64 URL encoder without padding over the big-endian bytes 0..15.
        let id = Uuid([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        assert_eq!(id.to_string(), "AAECAwQFBgcICQoLDA0ODw");
    }

    #[test]
    fn uuid_refuses_what_is_no_uuid() {
        for text in [
            "",
            "AAAA",
            "AAECAwQFBgcICQoLDA0OD!",
            "AAECAwQFBgcICQoLDA0ODx",
        ] {
            assert_eq!(Uuid::parse(text), None, "{text}");
        }
    }
}
