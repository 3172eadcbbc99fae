//! Questions and what answers them: our codec for the story that goes on, the `kafka-protocol` crate for what is
//! compared, so that a field we write wrongly shows.

use std::fmt::Debug;

use bytes::Bytes;
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Message};
use ottla::wire::{ApiKey, Decode, Encode, decode_body, messages as ours};

use crate::apis::with_apis;
use crate::debug_text::{Value, parse};

/// A request and what answers it.
pub(crate) trait Question: Encode + Debug {
    const KEY: ApiKey;
    type Answer: Decode + Debug;
}

macro_rules! questions {
    ($($key:ident $module:ident $request:ident $response:ident)*) => {
        $(impl Question for ours::$module::$request {
            const KEY: ApiKey = ApiKey::$key;
            type Answer = ours::$module::$response;
        })*

        /// An answer's body as a tree of its fields.
        pub(crate) fn tree(api: ApiKey, version: i16, body: Bytes) -> Result<Value, String> {
            match api {
                $(ApiKey::$key => read::<ours::$module::$response, theirs::$response>(version, body),)*
            }
        }
    };
}
with_apis!(questions);

fn read<Ours, Theirs>(version: i16, mut body: Bytes) -> Result<Value, String>
where
    Ours: Decode + Debug,
    Theirs: Message + Decodable + Debug,
{
    // The crate ends at Kafka 4.1.
    if version > Theirs::VERSIONS.max {
        let answer: Ours = decode_body(body, version).map_err(|error| error.to_string())?;
        return Ok(parse(&format!("{answer:?}")));
    }
    let answer = Theirs::decode(&mut body, version).map_err(|error| error.to_string())?;
    match body.is_empty() {
        true => Ok(parse(&format!("{answer:?}"))),
        false => Err(format!("{} bytes after the answer", body.len())),
    }
}
