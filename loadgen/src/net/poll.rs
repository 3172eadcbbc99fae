//! The wait for sockets and for the clock: epoll with nanosecond timeouts, or none when spinning.

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use std::io;
use std::num::NonZeroU64;
use std::os::fd::{AsFd, OwnedFd};

const EVENTS_MAX: usize = 256;

pub(crate) struct Poll {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    spin: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) number: usize,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

impl Poll {
    /// For the thread that calls it: its sleeps end within nanoseconds of their time, not within the default 50 us.
    pub(crate) fn new(spin: bool) -> io::Result<Poll> {
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
        Ok(Poll {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            events: Vec::with_capacity(EVENTS_MAX),
            spin,
        })
    }

    /// Wakes when `socket` can be read. `number` comes back in [`Ready`].
    pub(crate) fn add(&self, socket: impl AsFd, number: usize) -> io::Result<()> {
        let data = epoll::EventData::new_u64(number as u64);
        Ok(epoll::add(&self.epoll, socket, data, flags(false))?)
    }

    /// Also wakes when it can be written, or no longer does.
    pub(crate) fn want_write(
        &self,
        socket: impl AsFd,
        number: usize,
        write: bool,
    ) -> io::Result<()> {
        let data = epoll::EventData::new_u64(number as u64);
        Ok(epoll::modify(&self.epoll, socket, data, flags(write))?)
    }

    /// At most this long; an event may come at any time before.
    pub(crate) fn wait(&mut self, timeout_ns: u64) -> io::Result<()> {
        self.events.clear();
        let timeout_ns = if self.spin { 0 } else { timeout_ns };
        let timeout = Timespec {
            tv_sec: (timeout_ns / 1_000_000_000) as i64,
            tv_nsec: (timeout_ns % 1_000_000_000) as i64,
        };
        match epoll::wait(
            &self.epoll,
            spare_capacity(&mut self.events),
            Some(&timeout),
        ) {
            Err(rustix::io::Errno::INTR) => Ok(()),
            other => other.map(|_| ()).map_err(io::Error::from),
        }
    }

    /// The events of the last wait, by index.
    pub(crate) fn ready(&self, index: usize) -> Option<Ready> {
        let event = self.events.get(index)?;
        let flags = event.flags;
        let failed = flags.intersects(epoll::EventFlags::ERR | epoll::EventFlags::HUP);
        Some(Ready {
            number: event.data.u64() as usize,
            readable: failed || flags.contains(epoll::EventFlags::IN),
            writable: failed || flags.contains(epoll::EventFlags::OUT),
        })
    }
}

fn flags(write: bool) -> epoll::EventFlags {
    match write {
        true => epoll::EventFlags::IN | epoll::EventFlags::OUT,
        false => epoll::EventFlags::IN,
    }
}
