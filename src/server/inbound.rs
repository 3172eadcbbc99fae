//! Bytes of one connection on their way to becoming frames.
//!
//! ```text
//! carry:   [length u32][body ....][next length][next body ..
//!          '---- claim ---------''---- read ahead --------'     who answers for the memory
//! ```

use super::admission::{Admission, Claim, ReadAhead};
use crate::base::time::Instant;
use crate::wire::frame::{FRAME_LENGTH_BYTES, FrameError, request_length};
use bytes::{Buf, Bytes, BytesMut};
use std::rc::Rc;

/// One read of a socket, at most.
pub(super) const READ_BYTES_MAX: usize = 128 * 1024;
/// A body is given this much memory at once, more only as its bytes arrive.
const BODY_RESERVE_BYTES_MAX: usize = 1024 * 1024;
/// What is read to learn whether a stalled frame goes on.
const STALLED_READ_BYTES: usize = 256;

/// A whole request and the memory it holds.
pub(super) struct Frame {
    /// Without the length prefix.
    pub(super) bytes: Bytes,
    pub(super) claim: Claim,
    /// When its length was known.
    pub(super) received: Instant,
}

/// What a connection must do next.
pub(super) enum Next {
    Dispatch(Frame),
    /// The frame waits for memory; the socket is not read.
    WaitForMemory,
    /// Read up to `room` bytes.
    Read {
        room: usize,
    },
}

/// Connection view.
pub(super) struct Inbound {
    admission: Rc<Admission>,
    frame_bytes_max: usize,
    carry: BytesMut,
    /// Of the frame at the front of `carry`, once its length is known.
    front: Option<Front>,
    ahead: ReadAhead,
}

struct Front {
    total: usize,
    claim: Claim,
    received: Instant,
}

impl Inbound {
    pub(super) fn new(admission: &Rc<Admission>, frame_bytes_max: usize) -> Inbound {
        Inbound {
            admission: admission.clone(),
            frame_bytes_max,
            carry: BytesMut::new(),
            front: None,
            ahead: admission.read_ahead(),
        }
    }

    pub(super) fn next(&mut self, now: Instant) -> Result<Next, FrameError> {
        if self.front.is_none() && !self.open_front(now)? {
            let room = self.admission.read_room(READ_BYTES_MAX);
            return Ok(Next::Read { room });
        }
        let front = self.front.as_ref().expect("just opened");
        let missing = front.total.saturating_sub(self.carry.len());
        if front.claim.is_waiting() {
            return Ok(Next::WaitForMemory);
        }
        if !front.claim.is_granted() {
            let room = missing.min(STALLED_READ_BYTES);
            return Ok(Next::Read { room });
        }
        if missing > 0 {
            let beyond = self.admission.read_room(READ_BYTES_MAX);
            let room = (missing + beyond).min(READ_BYTES_MAX);
            return Ok(Next::Read { room });
        }
        Ok(Next::Dispatch(self.take_front()))
    }

    /// Reads the length at the front of `carry` and claims the frame.
    fn open_front(&mut self, now: Instant) -> Result<bool, FrameError> {
        let Some((prefix, _)) = self.carry.split_first_chunk::<FRAME_LENGTH_BYTES>() else {
            return Ok(false);
        };
        let total = FRAME_LENGTH_BYTES + request_length(*prefix, self.frame_bytes_max)?;
        let received = self.carry.len().min(total);
        self.ahead.set(self.carry.len() - received);
        let claim = self.admission.claim(total, received, now);
        self.front = Some(Front {
            total,
            claim,
            received: now,
        });
        Ok(true)
    }

    fn take_front(&mut self) -> Frame {
        let front = self.front.take().expect("a whole frame is at the front");
        let mut bytes = self.carry.split_to(front.total).freeze();
        bytes.advance(FRAME_LENGTH_BYTES);
        if self.carry.is_empty() {
            // An empty rest would keep the frame's memory alive until the next read.
            self.carry = BytesMut::new();
        }
        Frame {
            bytes,
            claim: front.claim,
            received: front.received,
        }
    }

    /// Bytes came from the socket.
    pub(super) fn received(&mut self, bytes: &[u8], now: Instant) {
        let len = self.carry.len() + bytes.len();
        let mut ahead = len;
        if let Some(front) = &self.front {
            let missing = front.total.saturating_sub(self.carry.len());
            let more = bytes.len().min(missing);
            front.claim.received(more, more == missing, now);
            ahead = len.saturating_sub(front.total);
            let room = self.carry.capacity() - self.carry.len();
            if room < bytes.len() {
                let reserve = missing.min(BODY_RESERVE_BYTES_MAX).max(bytes.len());
                self.carry.reserve(reserve);
            }
        }
        self.carry.extend_from_slice(bytes);
        self.ahead.set(ahead);
    }

    /// Part of a request is here, and the rest is not.
    pub(super) fn is_mid_frame(&self) -> bool {
        !self.carry.is_empty()
    }

    /// The frame at the front waits for memory.
    pub(super) fn waiting_claim(&self) -> Option<&Claim> {
        let claim = &self.front.as_ref()?.claim;
        claim.is_waiting().then_some(claim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    const CAPACITY: usize = 1 << 20;
    const FRAME_MAX: usize = 10_000;

    fn frame(body: &[u8]) -> Vec<u8> {
        let length = i32::try_from(body.len()).expect("small");
        [&length.to_be_bytes(), body].concat()
    }

    fn drain(inbound: &mut Inbound) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        while let Ok(Next::Dispatch(frame)) = inbound.next(Instant(0)) {
            frames.push(frame.bytes.to_vec());
        }
        frames
    }

    #[test]
    fn frames_come_out_whole_however_the_bytes_are_split() {
        for seed in 0..50 {
            let mut prng = Prng::new(seed);
            let bodies: Vec<Vec<u8>> = (0..20)
                .map(|index| vec![index; 10 + prng.below(3000) as usize])
                .collect();
            let stream: Vec<u8> = bodies.iter().flat_map(|body| frame(body)).collect();
            let admission = Admission::new(CAPACITY);
            let mut inbound = Inbound::new(&admission, FRAME_MAX);
            let (mut rest, mut seen) = (&stream[..], Vec::new());
            while !rest.is_empty() {
                let Ok(Next::Read { room }) = inbound.next(Instant(0)) else {
                    panic!("seed {seed}: everything whole was taken");
                };
                let most = room.min(rest.len()).min(1 + prng.below(4000) as usize);
                inbound.received(&rest[..most], Instant(0));
                rest = &rest[most..];
                seen.extend(drain(&mut inbound));
            }
            assert_eq!(seen, bodies, "seed {seed}");
            assert!(!inbound.is_mid_frame());
            assert_eq!(admission.used(), 0, "seed {seed}");
        }
    }

    #[test]
    fn a_length_that_no_frame_has_ends_the_connection() {
        for length in [-1, i32::MIN, 9, FRAME_MAX as i32 + 1, i32::MAX] {
            let mut inbound = Inbound::new(&Admission::new(CAPACITY), FRAME_MAX);
            inbound.received(&length.to_be_bytes(), Instant(0));
            assert!(inbound.next(Instant(0)).is_err(), "{length}");
        }
    }

    #[test]
    fn an_announced_frame_takes_no_memory_before_its_bytes() {
        let admission = Admission::new(CAPACITY);
        let mut inbound = Inbound::new(&admission, 100 << 20);
        inbound.received(&(100i32 << 20).to_be_bytes(), Instant(0));
        assert!(matches!(inbound.next(Instant(0)), Ok(Next::Read { .. })));
        assert!(inbound.carry.capacity() < 1024);
    }

    #[test]
    fn bytes_behind_a_waiting_frame_are_accounted_for() {
        let admission = Admission::new(CAPACITY);
        let held = admission.claim(CAPACITY, 0, Instant(0));
        let mut inbound = Inbound::new(&admission, CAPACITY);
        let mut bytes = frame(&vec![0; CAPACITY / 2]);
        bytes.truncate(500);
        inbound.received(&bytes, Instant(0));
        assert!(matches!(inbound.next(Instant(0)), Ok(Next::WaitForMemory)));
        assert_eq!(admission.used(), CAPACITY / 4 + 500);
        drop(held);
        assert!(inbound.waiting_claim().is_none());
        drop(inbound);
        assert_eq!(admission.used(), 0);
    }
}
