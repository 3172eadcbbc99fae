//! Memory for request bodies of one shard: who may read a frame from its socket, and when.
//!
//! ```text
//! capacity   small 1/4   frames up to capacity / 128
//!            medium 1/2  frames up to capacity / 8
//!            large 1/4   everything above; a frame above the lane is charged the whole lane and runs alone
//! ```
//!
//! A frame claims its whole length before its body is read, first come first served within its lane, so that frames in
//! transit never deadlock each other, and small ones go on beside large ones that wait. Whoever waits is not read:
//! the socket fills up and the client slows down.
//!
//! A claim whose bytes stop coming while others wait keeps only what has arrived (`Stalled`) and claims its frame again
//! when more comes. So a half-sent request holds what it has sent, never what it has announced.

use crate::base::time::Instant;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

/// A claim that got no byte for this long, while others wait, gives back what it has not received.
const CLAIM_STALL: Duration = Duration::from_millis(20);
/// One read of a socket whose next frame is not known yet, at least: enough to learn a length.
const READ_AHEAD_BYTES_MIN: usize = 256;

/// Shard view. One per shard, shared by its connections.
pub(super) struct Admission(RefCell<State>);

struct State {
    lanes: [Lane; 3],
    capacity: usize,
    small_max: usize,
    medium_max: usize,
    /// Received for claims that are not granted, and read ahead.
    held: usize,
    next_claim: u64,
    claims: BTreeMap<u64, ClaimState>,
}

#[derive(Default)]
struct Lane {
    capacity: usize,
    /// What granted claims want. Passes `capacity` only by a claim that was alone when it was granted.
    granted: usize,
    /// Claims granted and not stalled.
    active: usize,
    /// Received under grants that were taken back.
    stalled: usize,
    queue: VecDeque<u64>,
}

const SMALL: usize = 0;
const MEDIUM: usize = 1;
const LARGE: usize = 2;

struct ClaimState {
    lane: usize,
    /// What a grant charges: the frame, or the whole lane if that is less.
    want: usize,
    received: usize,
    /// Of `received`, under a grant that was taken back.
    stalled: usize,
    complete: bool,
    phase: Phase,
    last_progress: Instant,
    waker: Option<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Waiting,
    Granted,
    Stalled,
}

/// A frame's place in the budget. Dropping it gives everything back.
pub(super) struct Claim {
    admission: Rc<Admission>,
    id: u64,
}

/// Bytes that were read before it was known what they belong to. Charged at once, whatever is free.
pub(super) struct ReadAhead {
    admission: Rc<Admission>,
    bytes: usize,
}

impl Admission {
    pub(super) fn new(capacity: usize) -> Rc<Admission> {
        assert!(capacity >= 128, "a budget has room for small frames");
        let lane = |share| Lane {
            capacity: capacity / share,
            ..Lane::default()
        };
        Rc::new(Admission(RefCell::new(State {
            lanes: [lane(4), lane(2), lane(4)],
            capacity,
            held: 0,
            small_max: capacity / 128,
            medium_max: capacity / 8,
            next_claim: 0,
            claims: BTreeMap::new(),
        })))
    }

    /// Claims a frame of `frame_bytes`, of which `received` are here already.
    pub(super) fn claim(
        self: &Rc<Admission>,
        frame_bytes: usize,
        received: usize,
        now: Instant,
    ) -> Claim {
        let mut state = self.0.borrow_mut();
        let id = state.next_claim;
        state.next_claim += 1;
        state.open(id, frame_bytes, received, now);
        let woken = state.grant();
        drop(state);
        wake(woken);
        Claim {
            admission: self.clone(),
            id,
        }
    }

    pub(super) fn read_ahead(self: &Rc<Admission>) -> ReadAhead {
        ReadAhead {
            admission: self.clone(),
            bytes: 0,
        }
    }

    /// What one read may take from a socket whose next frame is not known yet: an eighth of what is free, so that many
    /// sockets together take no more than all of it.
    pub(super) fn read_room(&self, most: usize) -> usize {
        let state = self.0.borrow();
        let room = state.capacity.saturating_sub(state.used()) / 8;
        room.clamp(READ_AHEAD_BYTES_MIN.min(most), most)
    }

    /// Takes the unreceived part of claims that stopped moving, if anybody waits for it.
    pub(super) fn release_stalled(&self, now: Instant) {
        let mut state = self.0.borrow_mut();
        state.release_stalled(now);
        let woken = state.grant();
        drop(state);
        wake(woken);
    }

    /// Somebody waits for memory.
    pub(super) fn is_contended(&self) -> bool {
        self.waiting() > 0
    }

    pub(super) fn waiting(&self) -> usize {
        let state = self.0.borrow();
        state.lanes.iter().map(|lane| lane.queue.len()).sum()
    }

    pub(super) fn used(&self) -> usize {
        self.0.borrow().used()
    }

    /// Half of the memory for small frames is gone: requests that only wait should not add to it.
    pub(super) fn is_short(&self) -> bool {
        let state = self.0.borrow();
        state.lanes[SMALL].granted * 2 > state.lanes[SMALL].capacity
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.0.borrow_mut();
        change(&mut state);
        let woken = state.grant();
        drop(state);
        wake(woken);
    }
}

fn wake(woken: Vec<Waker>) {
    woken.into_iter().for_each(Waker::wake);
}

impl State {
    fn used(&self) -> usize {
        let granted: usize = self.lanes.iter().map(|lane| lane.granted).sum();
        granted + self.held
    }

    fn open(&mut self, id: u64, frame_bytes: usize, received: usize, now: Instant) {
        let lane = match frame_bytes {
            bytes if bytes <= self.small_max => SMALL,
            bytes if bytes <= self.medium_max => MEDIUM,
            _ => LARGE,
        };
        let claim = ClaimState {
            lane,
            want: frame_bytes.min(self.lanes[lane].capacity),
            received,
            stalled: 0,
            complete: received >= frame_bytes,
            phase: Phase::Waiting,
            last_progress: now,
            waker: None,
        };
        self.held += received;
        self.lanes[lane].queue.push_back(id);
        self.claims.insert(id, claim);
    }

    /// Grants claims in turn while there is room. Returns whom to wake.
    fn grant(&mut self) -> Vec<Waker> {
        let mut woken = Vec::new();
        for lane in &mut self.lanes {
            while let Some(&id) = lane.queue.front() {
                let claim = self.claims.get_mut(&id).expect("a queued claim is open");
                if !lane.admits(claim) {
                    break;
                }
                lane.queue.pop_front();
                lane.stalled -= claim.stalled;
                lane.granted += claim.want;
                lane.active += 1;
                self.held -= claim.received;
                claim.stalled = 0;
                claim.phase = Phase::Granted;
                woken.extend(claim.waker.take());
            }
        }
        woken
    }

    fn release_stalled(&mut self, now: Instant) {
        for claim in self.claims.values_mut() {
            let lane = &mut self.lanes[claim.lane];
            let stalled = claim.phase == Phase::Granted
                && !claim.complete
                && now.since(claim.last_progress) >= CLAIM_STALL;
            if !stalled || lane.queue.is_empty() {
                continue;
            }
            lane.granted -= claim.want;
            lane.active -= 1;
            lane.stalled += claim.received;
            self.held += claim.received;
            claim.stalled = claim.received;
            claim.phase = Phase::Stalled;
        }
    }

    fn received(&mut self, id: u64, bytes: usize, complete: bool, now: Instant) {
        let claim = self.claims.get_mut(&id).expect("an open claim");
        claim.received += bytes;
        claim.complete = complete;
        claim.last_progress = now;
        if claim.phase != Phase::Granted {
            self.held += bytes;
        }
        if claim.phase == Phase::Stalled {
            claim.phase = Phase::Waiting;
            self.lanes[claim.lane].queue.push_back(id);
        }
    }

    fn close(&mut self, id: u64) {
        let claim = self.claims.remove(&id).expect("a claim is closed once");
        let lane = &mut self.lanes[claim.lane];
        if claim.phase == Phase::Granted {
            lane.granted -= claim.want;
            lane.active -= 1;
        } else {
            lane.stalled -= claim.stalled;
            lane.queue.retain(|&waiting| waiting != id);
            self.held -= claim.received;
        }
    }
}

impl Lane {
    /// What others have stalled with may fill the lane once over; then their connections must end first.
    fn admits(&self, claim: &ClaimState) -> bool {
        let others_stalled = self.stalled - claim.stalled;
        let fits = self.granted + claim.want <= self.capacity;
        others_stalled < self.capacity && (fits || self.active == 0)
    }
}

impl Claim {
    /// The whole frame may be read and worked on.
    pub(super) fn is_granted(&self) -> bool {
        self.phase() == Phase::Granted
    }

    /// The claim waits in its queue; the socket is not read meanwhile.
    pub(super) fn is_waiting(&self) -> bool {
        self.phase() == Phase::Waiting
    }

    pub(super) fn wake_when_granted(&self, context: &Context<'_>) {
        let mut state = self.admission.0.borrow_mut();
        let claim = state.claims.get_mut(&self.id).expect("an open claim");
        claim.waker = Some(context.waker().clone());
    }

    /// `bytes` more have arrived; `complete`: these were the last.
    pub(super) fn received(&self, bytes: usize, complete: bool, now: Instant) {
        self.admission
            .update(|state| state.received(self.id, bytes, complete, now));
    }

    fn phase(&self) -> Phase {
        let state = self.admission.0.borrow();
        state.claims.get(&self.id).expect("an open claim").phase
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.admission.update(|state| state.close(self.id));
    }
}

impl ReadAhead {
    pub(super) fn set(&mut self, bytes: usize) {
        if bytes == self.bytes {
            return;
        }
        let before = std::mem::replace(&mut self.bytes, bytes);
        let mut state = self.admission.0.borrow_mut();
        state.held = state.held + bytes - before;
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPACITY: usize = 1 << 20;
    const SMALL_FRAME: usize = CAPACITY / 128;
    const LARGE_LANE: usize = CAPACITY / 4;

    fn at(millis: u64) -> Instant {
        Instant(millis * 1_000_000)
    }

    #[test]
    fn a_huge_claim_waits_for_the_one_before_it_and_small_frames_pass() {
        let admission = Admission::new(CAPACITY);
        let first = admission.claim(100 << 20, 4, at(0));
        let second = admission.claim(100 << 20, 4, at(0));
        assert!(first.is_granted());
        assert!(second.is_waiting());
        let small = admission.claim(SMALL_FRAME, SMALL_FRAME, at(0));
        assert!(small.is_granted(), "the small lane is its own");
        drop(first);
        assert!(second.is_granted());
    }

    #[test]
    fn a_half_sent_frame_keeps_only_what_it_has_sent() {
        let admission = Admission::new(CAPACITY);
        let half = admission.claim(LARGE_LANE, 100, at(0));
        half.received(900, false, at(1));
        let next = admission.claim(LARGE_LANE - 1000, 4, at(2));
        admission.release_stalled(at(10));
        assert!(next.is_waiting(), "its bytes came a moment ago");
        admission.release_stalled(at(21));
        assert!(next.is_granted());
        assert_eq!(admission.used(), LARGE_LANE - 1000 + 1000);
        // More bytes come: it waits for its turn like everybody.
        half.received(10, false, at(30));
        assert!(half.is_waiting());
        drop(next);
        assert!(half.is_granted());
        drop(half);
        assert_eq!((admission.used(), admission.waiting()), (0, 0));
    }

    #[test]
    fn nobody_loses_a_claim_while_nobody_waits() {
        let admission = Admission::new(CAPACITY);
        let slow = admission.claim(LARGE_LANE, 4, at(0));
        admission.release_stalled(at(10_000));
        assert!(slow.is_granted());
    }

    #[test]
    fn a_complete_frame_keeps_its_memory_however_long_it_is_worked_on() {
        let admission = Admission::new(CAPACITY);
        let working = admission.claim(LARGE_LANE, LARGE_LANE, at(0));
        let next = admission.claim(LARGE_LANE, 4, at(0));
        admission.release_stalled(at(60_000));
        assert!(working.is_granted() && next.is_waiting());
    }

    #[test]
    fn frames_of_one_lane_are_served_in_the_order_they_came() {
        let admission = Admission::new(CAPACITY);
        let held = admission.claim(LARGE_LANE, 4, at(0));
        let large = admission.claim(LARGE_LANE, 4, at(0));
        let smaller = admission.claim(CAPACITY / 8 + 1, 4, at(0));
        drop(held);
        assert!(large.is_granted() && smaller.is_waiting());
        drop(large);
        assert!(smaller.is_granted());
    }

    #[test]
    fn a_thousand_huge_claims_charge_one_lane_and_what_has_arrived() {
        let admission = Admission::new(CAPACITY);
        let claims: Vec<Claim> = (0..1000)
            .map(|_| admission.claim(100 << 20, 14, at(0)))
            .collect();
        assert!(admission.used() <= LARGE_LANE + 1000 * 14);
        for round in 1..=1000 {
            admission.release_stalled(at(round * 25));
            assert!(admission.used() <= 2 * LARGE_LANE, "round {round}");
        }
        assert_eq!(admission.waiting(), 0, "every one had its turn");
        drop(claims);
        assert_eq!(admission.used(), 0);
    }

    #[test]
    fn little_is_read_ahead_when_memory_is_short() {
        let admission = Admission::new(CAPACITY);
        assert_eq!(admission.read_room(CAPACITY), CAPACITY / 8);
        let mut ahead = admission.read_ahead();
        ahead.set(CAPACITY);
        assert_eq!(admission.read_room(CAPACITY), READ_AHEAD_BYTES_MIN);
        drop(ahead);
        assert_eq!(admission.used(), 0);
    }

    #[test]
    fn what_waiting_frames_have_sent_already_stops_nobody() {
        let admission = Admission::new(CAPACITY);
        // Everybody's first read together exceeds the lane.
        let claims: Vec<Claim> = (0..64)
            .map(|_| admission.claim(LARGE_LANE - 1, LARGE_LANE / 8, at(0)))
            .collect();
        for (index, claim) in claims.into_iter().enumerate() {
            assert!(claim.is_granted(), "{index}");
        }
        assert_eq!(admission.used(), 0);
    }

    #[test]
    fn those_who_send_almost_everything_and_stall_are_bounded() {
        let admission = Admission::new(CAPACITY);
        let mut claims = Vec::new();
        for round in 0..100 {
            let claim = admission.claim(LARGE_LANE, 4, at(round * 100));
            admission.release_stalled(at(round * 100 + 50));
            if claim.is_granted() {
                claim.received(LARGE_LANE - 5, false, at(round * 100 + 60));
            }
            claims.push(claim);
            assert!(admission.used() <= 3 * LARGE_LANE, "round {round}");
        }
        drop(claims);
        assert_eq!(admission.used(), 0);
    }
}
