//! One connection to one broker: versions agreed on, questions sent, answers taken in order.

use super::question::Question;
use crate::failure::Failure;
use bytes::Bytes;
use ottla::base::limits::FRAME_BYTES_MAX;
use ottla::wire::frame::{FRAME_LENGTH_BYTES, request_frame};
use ottla::wire::header::{RequestHeader, ResponseHeader};
use ottla::wire::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use ottla::wire::version::VersionRange;
use ottla::wire::{ApiKey, Decode, DecodeError, ErrorCode, Reader};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

const CLIENT_NAME: &str = "ottla";

pub(crate) struct Connection {
    pub(crate) address: String,
    stream: TcpStream,
    timeout: Duration,
    verbose: bool,
    correlation: i32,
    pub(crate) versions: ApiVersionsResponse,
}

/// A question that has left: what takes its answer.
#[derive(Clone, Copy)]
pub(crate) struct Sent {
    version: i16,
    correlation: i32,
}

impl Connection {
    pub(crate) fn open(
        address: &str,
        timeout: Duration,
        verbose: bool,
    ) -> Result<Connection, Failure> {
        let stream =
            dial(address, timeout).map_err(|(why, tried)| unreachable(address, &why, tried))?;
        let ready = stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(timeout)))
            .and_then(|()| stream.set_write_timeout(Some(timeout)));
        ready.map_err(|error| unreachable(address, &error.to_string(), Vec::new()))?;
        let mut connection = Connection {
            address: address.to_owned(),
            stream,
            timeout,
            verbose,
            correlation: 0,
            versions: ApiVersionsResponse::default(),
        };
        connection.versions = connection.learn_versions()?;
        Ok(connection)
    }

    pub(crate) fn ask<Q: Question>(&mut self, question: &Q) -> Result<Q::Answer, Failure> {
        let started = Instant::now();
        let sent = self.send(question)?;
        let answer = self.receive::<Q>(sent);
        if self.verbose {
            let (key, version, address) = (Q::KEY, sent.version, &self.address);
            let millis = started.elapsed().as_secs_f64() * 1_000.0;
            eprintln!("ottla: asked {address}: {key} {version}, {millis:.1} ms");
        }
        answer
    }

    /// Sends without waiting. Answers come in the order of the questions.
    pub(crate) fn send<Q: Question>(&mut self, question: &Q) -> Result<Sent, Failure> {
        let version = self.version::<Q>()?;
        self.send_in(question, version)
    }

    fn send_in<Q: Question>(&mut self, question: &Q, version: i16) -> Result<Sent, Failure> {
        self.correlation = self.correlation.wrapping_add(1);
        let header = RequestHeader {
            api_key: Q::KEY,
            api_version: version,
            correlation_id: self.correlation,
            client_id: Some(CLIENT_NAME.into()),
            unknown_tagged_fields: Vec::new(),
        };
        let frame = request_frame(&header, question);
        let written = self.stream.write_all(&frame);
        written.map_err(|error| self.broken(Q::KEY, error.kind()))?;
        Ok(Sent {
            version,
            correlation: self.correlation,
        })
    }

    pub(crate) fn receive<Q: Question>(&mut self, sent: Sent) -> Result<Q::Answer, Failure> {
        let body = self.receive_body(Q::KEY, sent)?;
        self.decode(Q::KEY, body, sent.version)
    }

    /// The version both sides know best.
    fn version<Q: Question>(&self) -> Result<i16, Failure> {
        let (ours, key) = (Q::VERSIONS, Q::KEY);
        let served = self.served(key);
        let best = served.and_then(|theirs| {
            let last = ours.last.min(theirs.last);
            (last >= ours.first.max(theirs.first)).then_some(last)
        });
        best.ok_or_else(|| {
            let served = served.map_or("not at all".into(), |range| {
                format!("in versions {} to {}", range.first, range.last)
            });
            Failure::new(format!(
                "{} serves {key} {served}, this tool needs {} to {}",
                self.address, ours.first, ours.last
            ))
        })
    }

    pub(crate) fn served(&self, key: ApiKey) -> Option<VersionRange> {
        let mut rows = self.versions.api_keys.iter();
        let row = rows.find(|row| row.api_key == key.number())?;
        Some(VersionRange {
            first: row.min_version,
            last: row.max_version,
        })
    }

    /// A broker that does not know our version of the question answers in version 0 (KIP-511).
    fn learn_versions(&mut self) -> Result<ApiVersionsResponse, Failure> {
        let question = ApiVersionsRequest {
            client_software_name: CLIENT_NAME.into(),
            client_software_version: env!("CARGO_PKG_VERSION").into(),
            ..ApiVersionsRequest::default()
        };
        let mut version = ApiVersionsRequest::VERSIONS.last;
        for _ in 0..2 {
            let sent = self.send_in(&question, version)?;
            let body = self.receive_body(ApiKey::ApiVersions, sent)?;
            let code = body
                .first_chunk()
                .map_or(0, |code| i16::from_be_bytes(*code));
            if code != ErrorCode::UnsupportedVersion.code() {
                return self.decode(ApiKey::ApiVersions, body, version);
            }
            let answer: ApiVersionsResponse = self.decode(ApiKey::ApiVersions, body, 0)?;
            let known = answer.api_keys.iter();
            let known = known.filter(|row| row.api_key == ApiKey::ApiVersions.number());
            version = known.map(|row| row.max_version).max().unwrap_or(0);
            version = version.clamp(0, ApiVersionsRequest::VERSIONS.last - 1);
        }
        Err(self.malformed(ApiKey::ApiVersions, "no version is supported"))
    }

    fn receive_body(&mut self, key: ApiKey, sent: Sent) -> Result<Bytes, Failure> {
        let frame = self.receive_frame(key)?;
        let mut reader = Reader::of_answer(frame);
        let version = ResponseHeader::version(key, sent.version);
        let header = ResponseHeader::decode(&mut reader, version);
        let header = header.map_err(|error| self.malformed(key, &error.to_string()))?;
        if header.correlation_id != sent.correlation {
            return Err(self.malformed(key, "it answers another question"));
        }
        Ok(reader.into_rest())
    }

    fn receive_frame(&mut self, key: ApiKey) -> Result<Bytes, Failure> {
        let mut prefix = [0; FRAME_LENGTH_BYTES];
        let read = self.stream.read_exact(&mut prefix);
        read.map_err(|error| self.broken(key, error.kind()))?;
        let length = u32::from_be_bytes(prefix) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(self.malformed(key, "it is larger than any answer"));
        }
        let mut frame = Vec::new();
        let read = (&self.stream).take(length as u64).read_to_end(&mut frame);
        read.map_err(|error| self.broken(key, error.kind()))?;
        match frame.len() == length {
            true => Ok(frame.into()),
            false => Err(self.broken(key, ErrorKind::UnexpectedEof)),
        }
    }

    fn decode<T: Decode>(&self, key: ApiKey, body: Bytes, version: i16) -> Result<T, Failure> {
        let mut reader = Reader::of_answer(body);
        let answer = T::decode(&mut reader, version).and_then(|answer| {
            reader.finish()?;
            Ok(answer)
        });
        answer.map_err(|error: DecodeError| self.malformed(key, &error.to_string()))
    }

    fn malformed(&self, key: ApiKey, why: &str) -> Failure {
        let failure = Failure::new(format!(
            "{} gave an answer to {key} that is none: {why}",
            self.address
        ));
        failure.fix("is it a Kafka listener without TLS? --bootstrap names another")
    }

    fn broken(&self, key: ApiKey, kind: ErrorKind) -> Failure {
        let (address, seconds) = (&self.address, self.timeout.as_secs_f64());
        match kind {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                let failure = Failure::connection(format!(
                    "{address} did not answer {key} within {seconds} s"
                ));
                failure.fix("--timeout SECONDS, or look at the broker's log")
            }
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                let failure = Failure::connection(format!(
                    "{address} closed the connection instead of answering {key}"
                ));
                failure.fix("is it a Kafka listener without TLS? The broker's log may say more")
            }
            kind => Failure::connection(format!("{address}, {key}: {kind}")),
        }
    }
}

/// The reason of the last address tried, and all of them.
fn dial(address: &str, timeout: Duration) -> Result<TcpStream, (String, Vec<String>)> {
    let found = address.to_socket_addrs();
    let found = found.map_err(|error| (error.to_string(), Vec::new()))?;
    let mut why = "the name has no address".to_owned();
    let mut tried = Vec::new();
    for socket in found {
        match TcpStream::connect_timeout(&socket, timeout) {
            Ok(stream) => return Ok(stream),
            Err(error) => {
                why = reason(&error);
                tried.push(format!("{socket}: {error}"));
            }
        }
    }
    Err((why, tried))
}

/// Without the number that the standard library appends.
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "nothing listens there".into(),
        _ => error.to_string(),
    }
}

fn unreachable(address: &str, why: &str, tried: Vec<String>) -> Failure {
    let failure = Failure::connection(format!("{address} cannot be reached: {why}"));
    let failure = failure.fix(
        "start a broker there (ottla serve), or name another by --bootstrap HOST:PORT or OTTLA_BOOTSTRAP",
    );
    tried.into_iter().fold(failure, Failure::detail)
}
