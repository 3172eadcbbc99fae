//! One blocking connection: versions agreed on, a question, its answer.

use super::question::Question;
use crate::failure::Failure;
use crate::net::inbound::FRAME_BYTES_MAX;
use bytes::Bytes;
use ottla::wire::frame::{FRAME_LENGTH_BYTES, request_frame};
use ottla::wire::header::{RequestHeader, ResponseHeader};
use ottla::wire::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use ottla::wire::version::VersionRange;
use ottla::wire::{ApiKey, Decode, ErrorCode, Reader};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

pub(crate) const CLIENT_ID: &str = "ottla-loadgen";
/// How long an answer is waited for.
pub(crate) const ANSWER_WAIT: Duration = Duration::from_secs(30);
/// How long a dial may take.
const DIAL_WAIT: Duration = Duration::from_secs(5);

pub(crate) struct Connection {
    pub(crate) address: String,
    stream: TcpStream,
    correlation: i32,
    versions: ApiVersionsResponse,
}

impl Connection {
    pub(crate) fn open(address: &str) -> Result<Connection, Failure> {
        let stream = dial(address).map_err(|error| unreachable(address, &error))?;
        let ready = stream.set_read_timeout(Some(ANSWER_WAIT));
        ready.map_err(|error| unreachable(address, &error))?;
        let mut connection = Connection {
            address: address.to_owned(),
            stream,
            correlation: 0,
            versions: ApiVersionsResponse::default(),
        };
        connection.versions = connection.learn_versions()?;
        Ok(connection)
    }

    /// The connection without its memory, for a loop that never blocks.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    pub(crate) fn ask<Q: Question>(&mut self, question: &Q) -> Result<Q::Answer, Failure> {
        let version = self.version(Q::KEY, Q::VERSIONS)?;
        let body = self.exchange(question, version)?;
        self.decode(Q::KEY, body, version)
    }

    /// The best version that both sides know.
    pub(crate) fn version(&self, key: ApiKey, ours: VersionRange) -> Result<i16, Failure> {
        let mut rows = self.versions.api_keys.iter();
        let row = rows.find(|row| row.api_key == key.number());
        let Some(row) = row else {
            return Err(Failure::new(format!(
                "{} does not serve {key}",
                self.address
            )));
        };
        let last = ours.last.min(row.max_version);
        match last >= ours.first.max(row.min_version) {
            true => Ok(last),
            false => Err(Failure::new(format!(
                "{} serves {key} {} to {}, this generator needs {} to {}",
                self.address, row.min_version, row.max_version, ours.first, ours.last
            ))),
        }
    }

    fn exchange<Q: Question>(&mut self, question: &Q, version: i16) -> Result<Bytes, Failure> {
        self.correlation = self.correlation.wrapping_add(1);
        let header = request_header(Q::KEY, version, self.correlation);
        let frame = request_frame(&header, question);
        let answer = self.stream.write_all(&frame).and_then(|()| self.frame());
        let frame = answer.map_err(|error| self.broken(Q::KEY, &error))?;
        let mut reader = Reader::of_answer(frame);
        let header = ResponseHeader::decode(&mut reader, ResponseHeader::version(Q::KEY, version));
        match header {
            Ok(header) if header.correlation_id == self.correlation => Ok(reader.into_rest()),
            _ => Err(self.malformed(Q::KEY)),
        }
    }

    /// A broker that does not know our version of the question answers in version 0 (KIP-511).
    fn learn_versions(&mut self) -> Result<ApiVersionsResponse, Failure> {
        let question = versions_request();
        let last = ApiVersionsRequest::VERSIONS.last;
        let body = self.exchange(&question, last)?;
        let unsupported = ErrorCode::UnsupportedVersion.code().to_be_bytes();
        match body.starts_with(&unsupported) {
            false => self.decode(ApiKey::ApiVersions, body, last),
            true => {
                let body = self.exchange(&question, 0)?;
                self.decode(ApiKey::ApiVersions, body, 0)
            }
        }
    }

    fn frame(&mut self) -> io::Result<Bytes> {
        let mut prefix = [0; FRAME_LENGTH_BYTES];
        self.stream.read_exact(&mut prefix)?;
        let length = u32::from_be_bytes(prefix) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(ErrorKind::InvalidData.into());
        }
        let mut frame = Vec::new();
        (&self.stream).take(length as u64).read_to_end(&mut frame)?;
        match frame.len() == length {
            true => Ok(frame.into()),
            false => Err(ErrorKind::UnexpectedEof.into()),
        }
    }

    fn decode<T: Decode>(&self, key: ApiKey, body: Bytes, version: i16) -> Result<T, Failure> {
        let answer = T::decode(&mut Reader::of_answer(body), version);
        answer.map_err(|_| self.malformed(key))
    }

    fn malformed(&self, key: ApiKey) -> Failure {
        let failure = Failure::new(format!(
            "{} gave an answer to {key} that is none",
            self.address
        ));
        failure.fix("is it a Kafka listener without TLS?")
    }

    fn broken(&self, key: ApiKey, error: &io::Error) -> Failure {
        let why = match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                format!("no answer within {} s", ANSWER_WAIT.as_secs())
            }
            ErrorKind::UnexpectedEof => "the connection was closed".to_owned(),
            _ => error.to_string(),
        };
        Failure::new(format!("{}, {key}: {why}", self.address))
    }
}

pub(crate) fn versions_request() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: CLIENT_ID.into(),
        client_software_version: env!("CARGO_PKG_VERSION").into(),
        ..ApiVersionsRequest::default()
    }
}

pub(crate) fn request_header(
    api_key: ApiKey,
    api_version: i16,
    correlation_id: i32,
) -> RequestHeader {
    RequestHeader {
        api_key,
        api_version,
        correlation_id,
        client_id: Some(CLIENT_ID.into()),
        unknown_tagged_fields: Vec::new(),
    }
}

pub(crate) fn dial(address: &str) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for socket in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&socket, DIAL_WAIT) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn unreachable(address: &str, error: &io::Error) -> Failure {
    let why = match error.kind() {
        ErrorKind::ConnectionRefused => "nothing listens there".to_owned(),
        _ => error.to_string(),
    };
    let failure = Failure::new(format!("{address} cannot be reached: {why}"));
    failure.fix("start a broker there, or name another by --bootstrap HOST:PORT")
}
