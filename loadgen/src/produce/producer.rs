//! One producing connection: what waits, what is under way, and how it comes back after the broker was away.

use super::answer;
use super::outcome::{Outcome, Place, Times};
use crate::client::cluster::error_name;
use crate::client::connection::dial;
use crate::clock::{MILLISECOND_NS, SECOND_NS, now_ns};
use crate::net::inbound::Inbound;
use crate::net::outbound::Outbound;
use crate::net::poll::Poll;
use crate::progress::Reporter;
use crate::workload::pool::{Parcel, Pool, Producer as ProducerId};
use crate::workload::stamp::Stream;
use ottla::base::prng::Prng;
use ottla::wire::ErrorCode;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::TcpStream;

/// Encoded and not yet written: beyond it, requests wait unencoded.
const OUTBOUND_BYTES_MAX: u64 = 4 * 1024 * 1024;
const READ_BYTES: usize = 64 * 1024;
const REDIAL_NS: u64 = 50 * MILLISECOND_NS;
/// A broker that is away longer ends the run.
pub(crate) const AWAY_NS_MAX: u64 = 60 * SECOND_NS;

/// What all connections of a thread share.
pub(crate) struct Shared<'a> {
    pub(crate) pool: &'a Pool,
    pub(crate) version: i16,
    pub(crate) acks: i16,
    pub(crate) in_flight_max: usize,
    pub(crate) outcome: Outcome,
    pub(crate) reporter: Reporter,
    pub(crate) poll: Poll,
    /// Connections that are to be dialled again.
    pub(crate) absent: usize,
}

pub(crate) struct Connected {
    /// Among all connections of the run; names its streams.
    pub(crate) number: u16,
    pub(crate) address: String,
    pub(crate) stream: TcpStream,
    pub(crate) id: Option<ProducerId>,
    pub(crate) partitions: Vec<usize>,
}

pub(crate) struct Producer {
    number: u16,
    /// In its thread, for the poll.
    index: usize,
    address: String,
    socket: Option<TcpStream>,
    wants_write: bool,
    out: Outbound,
    inbound: Inbound,
    /// Due times of requests that are not encoded yet: as many as the schedule has, at eight bytes each.
    waiting: VecDeque<u64>,
    in_flight: VecDeque<Sent>,
    /// Of `in_flight`, those whose first byte has left.
    stamped: usize,
    correlation: i32,
    id: Option<ProducerId>,
    targets: Targets,
    away_since_ns: u64,
    redial_ns: u64,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    due_ns: u64,
    written_ns: u64,
    /// Of its first byte among all bytes of the connection.
    position: u64,
    correlation: i32,
    parcel: Parcel,
}

/// Partitions in turn, or by weight; and the next batch of each.
struct Targets {
    partitions: Vec<(usize, u64)>,
    next: usize,
    sums: Option<Vec<f64>>,
    prng: Prng,
}

impl Producer {
    pub(crate) fn new(
        connected: Connected,
        index: usize,
        shared: &Shared<'_>,
    ) -> io::Result<Producer> {
        connected.stream.set_nonblocking(true)?;
        shared.poll.add(&connected.stream, index)?;
        Ok(Producer {
            number: connected.number,
            index,
            address: connected.address,
            socket: Some(connected.stream),
            wants_write: false,
            out: Outbound::default(),
            inbound: Inbound::new(READ_BYTES),
            waiting: VecDeque::new(),
            in_flight: VecDeque::new(),
            stamped: 0,
            correlation: 0,
            id: connected.id,
            targets: Targets::new(
                &connected.partitions,
                connected.number,
                &shared.pool.weights,
            ),
            away_since_ns: 0,
            redial_ns: 0,
        })
    }

    pub(crate) fn due(&mut self, due_ns: u64) {
        self.waiting.push_back(due_ns);
    }

    /// Requests whose time has come and that are not acknowledged.
    pub(crate) fn backlog(&self) -> usize {
        self.waiting.len() + self.in_flight.len()
    }

    /// When an absent connection is to be dialled again.
    pub(crate) fn redial_ns(&self) -> Option<u64> {
        self.socket.is_none().then_some(self.redial_ns)
    }

    /// Encodes what waits, as far as the limits allow, and writes.
    pub(crate) fn send(&mut self, shared: &mut Shared<'_>) {
        while self.socket.is_some()
            && self.in_flight.len() < shared.in_flight_max
            && self.out.pending() < OUTBOUND_BYTES_MAX
        {
            let Some(due_ns) = self.waiting.pop_front() else {
                break;
            };
            let parcel = self.targets.next(self.number);
            if let Some(ledger) = &mut shared.outcome.ledger {
                ledger.sent(&parcel);
            }
            self.enqueue(due_ns, parcel, shared);
        }
        self.write(shared);
    }

    fn enqueue(&mut self, due_ns: u64, parcel: Parcel, shared: &mut Shared<'_>) {
        self.correlation = self.correlation.wrapping_add(1);
        let position = self.out.queued();
        shared
            .pool
            .write(&parcel, self.correlation, self.id, &mut self.out);
        self.in_flight.push_back(Sent {
            due_ns,
            written_ns: 0,
            position,
            correlation: self.correlation,
            parcel,
        });
    }

    pub(crate) fn write(&mut self, shared: &mut Shared<'_>) {
        let Some(socket) = &mut self.socket else {
            return;
        };
        let time_ns = now_ns();
        let result = self.out.write(socket);
        let written = self.out.written();
        while let Some(sent) = self.in_flight.get_mut(self.stamped)
            && sent.position < written
        {
            sent.written_ns = time_ns;
            self.stamped += 1;
        }
        let wants_write = !self.out.is_empty();
        let result = result.and_then(|()| {
            if wants_write != self.wants_write {
                self.wants_write = wants_write;
                shared.poll.want_write(&*socket, self.index, wants_write)?;
            }
            Ok(())
        });
        if shared.acks == 0 {
            self.acknowledge_written(shared);
        }
        if let Err(error) = result {
            self.lose(&error, shared);
        }
    }

    /// Nobody answers: what has left is done.
    fn acknowledge_written(&mut self, shared: &mut Shared<'_>) {
        let now = now_ns();
        while self.stamped > 0 {
            let sent = self
                .in_flight
                .pop_front()
                .expect("a written request is in flight");
            self.stamped -= 1;
            record(&sent, now, shared);
        }
    }

    /// Reads what there is and settles the requests it answers.
    pub(crate) fn read(&mut self, shared: &mut Shared<'_>) {
        loop {
            let Some(socket) = &mut self.socket else {
                return;
            };
            let read = self.inbound.read(socket);
            match read {
                Ok(false) => return,
                Ok(true) => {}
                Err(error) => return self.lose(&error, shared),
            }
            let now = now_ns();
            let more = !self.inbound.has_room();
            let mut inbound = std::mem::replace(&mut self.inbound, Inbound::new(0));
            let mut fault = None;
            let framed = inbound.frames(|frame| {
                if fault.is_none() {
                    fault = self.answered(frame, now, shared).err();
                }
            });
            self.inbound = inbound;
            if let Some(error) = framed.err().or(fault) {
                return self.lose(&error, shared);
            }
            if !more {
                return;
            }
        }
    }

    fn answered(&mut self, frame: &[u8], now: u64, shared: &mut Shared<'_>) -> io::Result<()> {
        let wrong = |what: &str| io::Error::new(ErrorKind::InvalidData, what.to_owned());
        let answer =
            answer::read(shared.version, frame).ok_or_else(|| wrong("MALFORMED_ANSWER"))?;
        let sent = *self
            .in_flight
            .front()
            .ok_or_else(|| wrong("UNASKED_ANSWER"))?;
        if sent.correlation != answer.correlation {
            return Err(wrong("ANSWER_TO_ANOTHER_REQUEST"));
        }
        let duplicate = answer.error_code == ErrorCode::DuplicateSequenceNumber.code();
        let good = answer.error_code == 0 || (self.id.is_some() && duplicate);
        if !good && self.id.is_some() {
            // The batches behind it depend on its sequence: all are sent again on a new connection.
            return Err(wrong(&error_name(answer.error_code)));
        }
        self.in_flight.pop_front();
        self.stamped -= 1;
        if !good {
            shared
                .outcome
                .failed(&error_name(answer.error_code), 1, &mut shared.reporter);
            return Ok(());
        }
        self.away_since_ns = 0;
        let base_offset = (!duplicate && answer.base_offset >= 0).then_some(answer.base_offset);
        if let Some(ledger) = &mut shared.outcome.ledger {
            ledger.acknowledged(&sent.parcel, base_offset);
        }
        if let Some(base_offset) = base_offset {
            shared.outcome.place(Place {
                partition: u32::from(sent.parcel.stream.partition),
                base_offset,
                time_ns: sent.due_ns,
            });
        }
        record(&sent, now, shared);
        Ok(())
    }

    /// The connection is gone. Without idempotence the fate of what was under way stays unknown; with it, the same
    /// batches go out again under their old sequences, and the broker knows them.
    fn lose(&mut self, error: &io::Error, shared: &mut Shared<'_>) {
        let name = match error.kind() {
            ErrorKind::InvalidData => error.to_string(),
            ErrorKind::ConnectionRefused => "CONNECTION_REFUSED".to_owned(),
            _ => "CONNECTION_LOST".to_owned(),
        };
        let now = now_ns();
        self.socket = None;
        shared.absent += 1;
        self.wants_write = false;
        self.redial_ns = now + REDIAL_NS;
        if self.away_since_ns == 0 {
            self.away_since_ns = now;
        }
        let unknown = if self.id.is_some() {
            0
        } else {
            self.in_flight.len()
        };
        shared
            .outcome
            .failed(&name, unknown.max(1) as u64, &mut shared.reporter);
        self.out = Outbound::default();
        self.inbound = Inbound::new(READ_BYTES);
        self.stamped = 0;
        if self.id.is_none() {
            self.in_flight.clear();
        }
    }

    /// Dials again when it is time. False when the broker has been away for too long.
    pub(crate) fn redial(&mut self, now: u64, shared: &mut Shared<'_>) -> bool {
        if self.socket.is_some() || now < self.redial_ns {
            return true;
        }
        if now.saturating_sub(self.away_since_ns) > AWAY_NS_MAX {
            return false;
        }
        let opened = dial(&self.address).and_then(|socket| {
            socket.set_nonblocking(true)?;
            shared.poll.add(&socket, self.index)?;
            Ok(socket)
        });
        match opened {
            Ok(socket) => {
                self.socket = Some(socket);
                shared.absent -= 1;
                if self.in_flight.is_empty() {
                    // Nothing whose answer could show that it is well.
                    self.away_since_ns = 0;
                }
            }
            Err(_) => {
                self.redial_ns = now + REDIAL_NS;
                return true;
            }
        }
        for sent in std::mem::take(&mut self.in_flight) {
            self.enqueue(sent.due_ns, sent.parcel, shared);
        }
        self.write(shared);
        true
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

fn record(sent: &Sent, now: u64, shared: &mut Shared<'_>) {
    let times = Times {
        due_ns: sent.due_ns,
        written_ns: sent.written_ns,
        answered_ns: now,
    };
    let bytes = shared.pool.payload_bytes(&sent.parcel);
    let records = shared.pool.records();
    shared
        .outcome
        .acknowledged(times, records, bytes, &mut shared.reporter);
}

impl Targets {
    fn new(partitions: &[usize], connection: u16, weights: &[f64]) -> Targets {
        let used: Vec<usize> = partitions
            .iter()
            .copied()
            .filter(|&partition| weights[partition] > 0.0)
            .collect();
        assert!(!used.is_empty(), "a connection has a partition to send to");
        let even = used
            .iter()
            .all(|&partition| weights[partition] == weights[used[0]]);
        let sums = used.iter().scan(0.0, |sum, &partition| {
            *sum += weights[partition];
            Some(*sum)
        });
        Targets {
            sums: (!even).then(|| sums.collect()),
            // Connections start at different partitions.
            next: usize::from(connection) % used.len(),
            partitions: used.into_iter().map(|partition| (partition, 0)).collect(),
            prng: Prng::new(u64::from(connection)),
        }
    }

    fn next(&mut self, connection: u16) -> Parcel {
        let count = self.partitions.len();
        let index = match &self.sums {
            None => {
                let index = self.next;
                self.next = (index + 1) % count;
                index
            }
            Some(sums) => {
                let drawn = self.prng.below(1 << 53) as f64 / (1u64 << 53) as f64;
                let drawn = drawn * sums[count - 1];
                sums.partition_point(|&sum| sum <= drawn).min(count - 1)
            }
        };
        let (partition, batch) = &mut self.partitions[index];
        *batch += 1;
        Parcel {
            stream: Stream {
                connection,
                partition: u16::try_from(*partition).expect("partitions are bounded"),
            },
            batch: *batch - 1,
        }
    }
}
