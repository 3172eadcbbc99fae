//! What stands before every body: who asks for what, and which question an answer belongs to.
//!
//! Requests have header 1, or 2 (with tagged fields) before a flexible body; the client id is never compact. Responses
//! have header 0, or 1 (with tagged fields) before a flexible body, except ApiVersions: a client that does not know
//! our versions yet must be able to read it (KIP-511).

use super::primitive::{Decode, DecodeError, Encode, RawTaggedField, Reader, Writer};
use super::version::ApiKey;
use bytestring::ByteString;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestHeader {
    pub api_key: ApiKey,
    pub api_version: i16,
    pub correlation_id: i32,
    pub client_id: Option<ByteString>,
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

/// Why a frame's header gives nothing to answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeaderError {
    /// Not even the version's layout is known.
    UnknownApi {
        api_key: i16,
        api_version: i16,
    },
    Malformed(DecodeError),
}

impl From<DecodeError> for HeaderError {
    fn from(error: DecodeError) -> HeaderError {
        HeaderError::Malformed(error)
    }
}

impl RequestHeader {
    /// Reads the header and leaves `reader` at the body. The version may be one that nobody can decode.
    pub fn decode(reader: &mut Reader) -> Result<RequestHeader, HeaderError> {
        let (number, api_version) = (reader.int16()?, reader.int16()?);
        let unknown = HeaderError::UnknownApi {
            api_key: number,
            api_version,
        };
        let api_key = ApiKey::from_number(number).ok_or(unknown)?;
        let correlation_id = reader.int32()?;
        let client_id = reader.nullable_text(false)?;
        let flexible = api_key.is_flexible(api_version);
        let unknown_tagged_fields = reader.unknown_tagged_fields(flexible)?;
        Ok(RequestHeader {
            api_key,
            api_version,
            correlation_id,
            client_id,
            unknown_tagged_fields,
        })
    }

    pub fn encode(&self, writer: &mut Writer) {
        writer.int16(self.api_key.number());
        writer.int16(self.api_version);
        writer.int32(self.correlation_id);
        writer.nullable_string(false, self.client_id.as_deref());
        let flexible = self.api_key.is_flexible(self.api_version);
        writer.unknown_tagged_fields(flexible, &self.unknown_tagged_fields);
    }

    /// Whether the body can be decoded.
    pub fn is_decodable(&self) -> bool {
        self.api_key.api().decodable.contains(self.api_version)
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ResponseHeader {
    pub correlation_id: i32,
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

impl ResponseHeader {
    /// The header's own version, from the answered request's.
    pub fn version(api_key: ApiKey, api_version: i16) -> i16 {
        i16::from(api_key != ApiKey::ApiVersions && api_key.is_flexible(api_version))
    }
}

impl Decode for ResponseHeader {
    fn decode(reader: &mut Reader, version: i16) -> Result<ResponseHeader, DecodeError> {
        Ok(ResponseHeader {
            correlation_id: reader.int32()?,
            unknown_tagged_fields: reader.unknown_tagged_fields(version >= 1)?,
        })
    }
}

impl Encode for ResponseHeader {
    fn encode(&self, writer: &mut Writer, version: i16) {
        writer.int32(self.correlation_id);
        writer.unknown_tagged_fields(version >= 1, &self.unknown_tagged_fields);
    }
}
