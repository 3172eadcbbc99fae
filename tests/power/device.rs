//! A disk in memory that remembers every write and flush, in order, and fails when it is told to.

use crate::image::Image;
use crate::power_cut::{Event, Recording};
use rustix::io::Errno;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

pub(crate) struct Device {
    bytes: u64,
    state: Mutex<State>,
    /// How many events are recorded.
    position: AtomicUsize,
    /// Descriptors of the kernel.
    open: AtomicUsize,
}

struct State {
    image: Image,
    recording: Recording,
    recorded_bytes: u64,
    faults: Faults,
}

/// What is answered EIO.
#[derive(Clone, Default)]
pub(crate) struct Faults {
    /// So many flushes to come. What was written before them stays readable and is not safe.
    pub(crate) flushes: u32,
    /// Writes that touch these bytes of the disk.
    pub(crate) writes: Range<u64>,
    /// Reads that touch these bytes of the disk.
    pub(crate) reads: Range<u64>,
}

impl Device {
    pub(crate) fn new(bytes: u64) -> Device {
        let image = Image::empty(bytes);
        Device {
            bytes,
            state: Mutex::new(State::of(image)),
            position: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Another disk in its place, and an empty recording. Nobody has it open.
    pub(crate) fn load(&self, image: Image) {
        assert_eq!(self.open(), 0, "somebody would see his disk change");
        assert_eq!(image.bytes(), self.bytes);
        *self.state() = State::of(image);
        self.position.store(0, Ordering::SeqCst);
    }

    /// Goes on with an empty recording.
    pub(crate) fn take_recording(&self) -> Recording {
        let mut state = self.state();
        let fresh = State::of(state.image.clone());
        let recording = std::mem::replace(&mut *state, fresh).recording;
        self.position.store(0, Ordering::SeqCst);
        recording
    }

    pub(crate) fn fail(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// How many events lie behind. Whoever asks after he was answered knows that whatever his answer needed is among them.
    pub(crate) fn position(&self) -> usize {
        self.position.load(Ordering::SeqCst)
    }

    pub(crate) fn recorded_bytes(&self) -> u64 {
        self.state().recorded_bytes
    }

    pub(crate) fn image(&self) -> Image {
        self.state().image.clone()
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub(crate) fn on_open(&self) {
        self.open.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn on_release(&self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }

    pub(crate) fn on_read(&self, offset: u64, bytes: &mut [u8]) -> Result<(), Errno> {
        let range = self.range(offset, bytes.len())?;
        let state = self.state();
        if overlap(&state.faults.reads, &range) {
            return Err(Errno::IO);
        }
        state.image.read(offset, bytes);
        Ok(())
    }

    pub(crate) fn on_write(&self, offset: u64, bytes: &[u8]) -> Result<(), Errno> {
        let range = self.range(offset, bytes.len())?;
        let mut state = self.state();
        if overlap(&state.faults.writes, &range) {
            return Err(Errno::IO);
        }
        state.image.write(offset, bytes);
        state.recorded_bytes += bytes.len() as u64;
        let bytes = bytes.into();
        self.record(state, Event::Write { offset, bytes });
        Ok(())
    }

    pub(crate) fn on_flush(&self) -> Result<(), Errno> {
        let mut state = self.state();
        if state.faults.flushes > 0 {
            state.faults.flushes -= 1;
            return Err(Errno::IO);
        }
        self.record(state, Event::Flush);
        Ok(())
    }

    /// A flush came while a write was under way.
    pub(crate) fn on_overlap(&self) {
        self.state().recording.overlaps += 1;
    }

    /// Before it is answered.
    fn record(&self, mut state: MutexGuard<'_, State>, event: Event) {
        state.recording.events.push(event);
        self.position
            .store(state.recording.events.len(), Ordering::SeqCst);
    }

    fn range(&self, offset: u64, bytes: usize) -> Result<Range<u64>, Errno> {
        let end = offset.checked_add(bytes as u64).ok_or(Errno::INVAL)?;
        (end <= self.bytes)
            .then_some(offset..end)
            .ok_or(Errno::INVAL)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic under this lock")
    }
}

impl State {
    fn of(image: Image) -> State {
        State {
            recording: Recording {
                base: image.clone(),
                events: Vec::new(),
                overlaps: 0,
            },
            image,
            recorded_bytes: 0,
            faults: Faults::default(),
        }
    }
}

fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}
