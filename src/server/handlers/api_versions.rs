//! ApiVersions 0-4: what this broker serves. Never fails hard: a client that asks in a version from the future gets an
//! answer in the oldest layout that names the versions it may use (KIP-511).

use crate::server::call::Call;
use crate::server::reply_queue::Dispatched;
use crate::wire::messages::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
use crate::wire::version::{VersionRange, advertised};
use crate::wire::{ApiKey, ErrorCode};

const SOFTWARE_NAME_FROM: i16 = 3;

pub(in crate::server) fn handle(call: Call, request: ApiVersionsRequest) -> Dispatched {
    if call.version >= SOFTWARE_NAME_FROM && !names_software(&request) {
        return call.ready(&ApiVersionsResponse {
            error_code: call.code(ErrorCode::InvalidRequest),
            ..ApiVersionsResponse::default()
        });
    }
    call.ready(&ApiVersionsResponse {
        api_keys: advertised().map(row).collect(),
        // No feature is finalized yet; 0 is the first state of that list.
        finalized_features_epoch: 0,
        ..ApiVersionsResponse::default()
    })
}

/// The answer to a version nobody knows.
pub(in crate::server) fn unsupported(mut call: Call) -> Dispatched {
    call.version = 0;
    let own = advertised().filter(|(key, _)| *key == ApiKey::ApiVersions);
    call.ready(&ApiVersionsResponse {
        error_code: call.code(ErrorCode::UnsupportedVersion),
        api_keys: own.map(row).collect(),
        ..ApiVersionsResponse::default()
    })
}

fn row((key, range): (ApiKey, VersionRange)) -> ApiVersion {
    ApiVersion {
        api_key: key.number(),
        min_version: range.first,
        max_version: range.last,
        ..ApiVersion::default()
    }
}

fn names_software(request: &ApiVersionsRequest) -> bool {
    is_software_text(&request.client_software_name)
        && is_software_text(&request.client_software_version)
}

/// Letters and digits, with `-` and `.` inside.
fn is_software_text(text: &str) -> bool {
    let outer = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let bytes = text.as_bytes();
    outer(bytes.first()) && outer(bytes.last()) && text.bytes().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_has_a_name_that_may_be_logged() {
        for (text, legal) in [
            ("librdkafka", true),
            ("2.12.1-RC1", true),
            ("a", true),
            ("", false),
            ("-a", false),
            ("a.", false),
            ("a b", false),
            ("a\n", false),
        ] {
            assert_eq!(is_software_text(text), legal, "{text:?}");
        }
    }
}
