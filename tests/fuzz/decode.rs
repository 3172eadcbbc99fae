//! Decodes a body of any API, for tests that treat all alike.

use bytes::Bytes;
use ottla::wire::{ApiKey, DecodeError, Encode, decode_body, decode_request, messages};

use crate::apis::with_apis;
use crate::example::Direction;

pub(crate) fn decode(
    api: ApiKey,
    direction: Direction,
    version: i16,
    body: Bytes,
) -> Result<Box<dyn Encode>, DecodeError> {
    macro_rules! decode {
        ($($key:ident $module:ident $request:ident $response:ident)*) => {
            match (api, direction) {
                $((ApiKey::$key, Direction::Request) => {
                    Box::new(decode_request::<messages::$module::$request>(body, version)?.0)
                }
                (ApiKey::$key, Direction::Response) => {
                    Box::new(decode_body::<messages::$module::$response>(body, version)?)
                })*
            }
        };
    }
    Ok(with_apis!(decode))
}
