//! One consuming connection: one fetch under way at a time, for all its partitions.

use super::outcome::Outcome;
use crate::client::cluster::error_name;
use crate::client::connection::{dial, request_header};
use crate::clock::{MILLISECOND_NS, now_ns};
use crate::net::inbound::Inbound;
use crate::net::outbound::Outbound;
use crate::net::poll::Poll;
use crate::progress::Reporter;
use bytes::Bytes;
use ottla::record::Batches;
use ottla::wire::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData};
use ottla::wire::frame::request_frame;
use ottla::wire::header::ResponseHeader;
use ottla::wire::{ApiKey, Decode, ErrorCode, Reader};
use std::io::{self, ErrorKind};
use std::net::TcpStream;

/// How long the broker holds a fetch that finds nothing.
const WAIT_MS: i32 = 500;
const READ_BYTES: usize = 256 * 1024;
const REDIAL_NS: u64 = 50 * MILLISECOND_NS;
/// After an answer that was an error: asked again so much later.
const ERROR_PAUSE_NS: u64 = 20 * MILLISECOND_NS;

/// A partition and where its reader is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    pub(crate) partition: usize,
    pub(crate) offset: i64,
}

/// What to do at the end of the log as it was when the run began.
#[derive(Clone, Debug)]
pub(crate) enum Course {
    /// Wait there for more.
    Tail,
    /// Begin again at `starts`, or stop. By partition.
    Laps {
        starts: Vec<i64>,
        ends: Vec<i64>,
        once: bool,
    },
}

/// What the fetchers of a thread share.
pub(crate) struct Shared {
    pub(crate) topic: String,
    pub(crate) version: i16,
    pub(crate) fetch_bytes: usize,
    pub(crate) outcome: Outcome,
    pub(crate) reporter: Reporter,
    pub(crate) poll: Poll,
}

pub(crate) struct Fetcher {
    index: usize,
    address: String,
    socket: Option<TcpStream>,
    wants_write: bool,
    out: Outbound,
    inbound: Inbound,
    cursors: Vec<Cursor>,
    course: Course,
    correlation: i32,
    sent_ns: u64,
    /// When to dial or ask again; 0 while an answer is waited for.
    again_ns: u64,
    pub(crate) is_done: bool,
}

impl Fetcher {
    /// Does nothing before `from_ns`.
    pub(crate) fn new(
        address: String,
        index: usize,
        cursors: Vec<Cursor>,
        course: Course,
        from_ns: u64,
    ) -> Fetcher {
        let mut fetcher = Fetcher {
            index,
            address,
            socket: None,
            wants_write: false,
            out: Outbound::default(),
            inbound: Inbound::new(READ_BYTES),
            cursors,
            course,
            correlation: 0,
            sent_ns: 0,
            again_ns: from_ns.max(1),
            is_done: false,
        };
        fetcher.is_done = fetcher.turn_around();
        fetcher
    }

    /// When it wants to be called again without an event.
    pub(crate) fn again_ns(&self) -> Option<u64> {
        (self.again_ns > 0 && !self.is_done).then_some(self.again_ns)
    }

    /// Dials or asks, when it is time.
    pub(crate) fn proceed(&mut self, now: u64, shared: &mut Shared) {
        if self.is_done || self.again_ns == 0 || now < self.again_ns {
            return;
        }
        if self.socket.is_none() {
            let opened = dial(&self.address).and_then(|socket| {
                socket.set_nonblocking(true)?;
                shared.poll.add(&socket, self.index)?;
                Ok(socket)
            });
            match opened {
                Ok(socket) => self.socket = Some(socket),
                Err(error) => return self.lose(&error, shared),
            }
        }
        self.ask(shared);
    }

    fn ask(&mut self, shared: &mut Shared) {
        self.again_ns = 0;
        self.correlation = self.correlation.wrapping_add(1);
        let most = i32::try_from(shared.fetch_bytes).unwrap_or(i32::MAX);
        let partitions = self.cursors.iter().map(|cursor| FetchPartition {
            partition: cursor.partition as i32,
            fetch_offset: cursor.offset,
            partition_max_bytes: most,
            ..FetchPartition::default()
        });
        let request = FetchRequest {
            max_wait_ms: WAIT_MS,
            min_bytes: 1,
            max_bytes: most,
            topics: vec![FetchTopic {
                topic: shared.topic.clone(),
                partitions: partitions.collect(),
                ..FetchTopic::default()
            }],
            ..FetchRequest::default()
        };
        let header = request_header(ApiKey::Fetch, shared.version, self.correlation);
        self.out.share(request_frame(&header, &request));
        self.sent_ns = now_ns();
        self.write(shared);
    }

    pub(crate) fn write(&mut self, shared: &mut Shared) {
        let Some(socket) = &mut self.socket else {
            return;
        };
        let written = self.out.write(socket).and_then(|()| {
            let wants_write = !self.out.is_empty();
            if wants_write != self.wants_write {
                self.wants_write = wants_write;
                shared.poll.want_write(&*socket, self.index, wants_write)?;
            }
            Ok(())
        });
        if let Err(error) = written {
            self.lose(&error, shared);
        }
    }

    pub(crate) fn read(&mut self, shared: &mut Shared) {
        let Some(socket) = &mut self.socket else {
            return;
        };
        let read = self.inbound.read(socket);
        let frame = read.and_then(|_| self.inbound.frame());
        match frame {
            Err(error) => self.lose(&error, shared),
            Ok(None) => {}
            Ok(Some(frame)) => {
                let now = now_ns();
                if let Err(error) = self.answered(frame, now, shared) {
                    self.lose(&error, shared);
                }
            }
        }
    }

    fn answered(&mut self, frame: Bytes, now: u64, shared: &mut Shared) -> io::Result<()> {
        let malformed = || io::Error::new(ErrorKind::InvalidData, "MALFORMED_ANSWER");
        let mut reader = Reader::of_answer(frame);
        let header_version = ResponseHeader::version(ApiKey::Fetch, shared.version);
        let header =
            ResponseHeader::decode(&mut reader, header_version).map_err(|_| malformed())?;
        if header.correlation_id != self.correlation {
            return Err(malformed());
        }
        let answer = FetchResponse::decode(&mut reader, shared.version).map_err(|_| malformed())?;
        shared.outcome.fetched(self.sent_ns, now);
        let mut failed = answer.error_code != 0;
        for data in answer
            .responses
            .into_iter()
            .flat_map(|topic| topic.partitions)
        {
            failed |= !self.took(data, now, shared);
        }
        if self.turn_around() {
            self.is_done = true;
        } else if failed {
            self.again_ns = now + ERROR_PAUSE_NS;
        } else {
            self.ask(shared);
        }
        Ok(())
    }

    /// One partition's part of an answer. False when it is an error.
    fn took(&mut self, data: PartitionData, now: u64, shared: &mut Shared) -> bool {
        if data.error_code != ErrorCode::None.code() {
            let name = error_name(data.error_code);
            shared.outcome.failed(&name, &mut shared.reporter);
            return false;
        }
        let partition = data.partition_index as usize;
        let Some(cursor) = self
            .cursors
            .iter_mut()
            .find(|cursor| cursor.partition == partition)
        else {
            return false;
        };
        let bytes = data.records.unwrap_or_default().into_bytes();
        for batch in Batches::new(&bytes) {
            let Ok((_, header, _)) = batch else {
                shared
                    .outcome
                    .failed("MALFORMED_BATCH", &mut shared.reporter);
                return false;
            };
            if header.last_offset().0 < cursor.offset {
                continue;
            }
            cursor.offset = header.next_offset().0;
            shared
                .outcome
                .met(partition, &header, now, &mut shared.reporter);
        }
        true
    }

    /// At the end of a lap back to the start. True when that was the last one, or there is nothing to read.
    fn turn_around(&mut self) -> bool {
        let Course::Laps { starts, ends, once } = &self.course else {
            return false;
        };
        let is_empty = self
            .cursors
            .iter()
            .all(|cursor| starts[cursor.partition] >= ends[cursor.partition]);
        let is_over = self
            .cursors
            .iter()
            .all(|cursor| cursor.offset >= ends[cursor.partition]);
        if is_over && !is_empty && !once {
            for cursor in &mut self.cursors {
                cursor.offset = starts[cursor.partition];
            }
            return false;
        }
        is_over
    }

    fn lose(&mut self, error: &io::Error, shared: &mut Shared) {
        let name = match error.kind() {
            ErrorKind::InvalidData => error.to_string(),
            ErrorKind::ConnectionRefused => "CONNECTION_REFUSED".to_owned(),
            _ => "CONNECTION_LOST".to_owned(),
        };
        shared.outcome.failed(&name, &mut shared.reporter);
        self.socket = None;
        self.wants_write = false;
        self.out = Outbound::default();
        self.inbound = Inbound::new(READ_BYTES);
        self.again_ns = now_ns() + REDIAL_NS;
    }
}
