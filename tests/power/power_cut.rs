//! What may be on a disk after its power was cut: everything that was flushed, and of the rest whatever chance left.
//!
//! A write may be missing as a whole, or be torn between sectors of 512 bytes. What stays is applied in the order in
//! which it came; an older write that stays where a newer one is missing is what a disk that reorders leaves.

use crate::image::Image;
use ottla::base::prng::Prng;
use std::fmt;

const SECTOR: usize = 512;

/// What a disk was asked to do, in the order in which it did it.
pub(crate) enum Event {
    Write {
        offset: u64,
        bytes: Box<[u8]>,
    },
    /// Everything before it is safe.
    Flush,
}

/// A disk and all that happened to it since.
pub(crate) struct Recording {
    pub(crate) base: Image,
    pub(crate) events: Vec<Event>,
    /// Flushes that found writes under way, to which they owe nothing.
    pub(crate) overlaps: usize,
}

/// What becomes of writes that were not flushed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Loss {
    Nothing,
    Everything,
    /// Each is missing with the first chance, torn with the second.
    Random {
        lost_percent: u64,
        torn_percent: u64,
    },
}

/// What the cuts so far took.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Taken {
    pub(crate) unflushed: usize,
    pub(crate) lost: usize,
    pub(crate) torn: usize,
}

impl Taken {
    pub(crate) fn add(&mut self, other: Taken) {
        self.unflushed += other.unflushed;
        self.lost += other.lost;
        self.torn += other.torn;
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Taken {
            unflushed,
            lost,
            torn,
        } = self;
        write!(f, "{unflushed} unflushed writes, {lost} lost, {torn} torn")
    }
}

impl Loss {
    pub(crate) fn draw(random: &mut Prng) -> Loss {
        match random.below(10) {
            0 => Loss::Nothing,
            1..=3 => Loss::Everything,
            _ => Loss::Random {
                lost_percent: random.below(100),
                torn_percent: random.below(100),
            },
        }
    }

    pub(crate) fn without_tears(self) -> Loss {
        match self {
            Loss::Random { lost_percent, .. } => Loss::Random {
                lost_percent,
                torn_percent: 0,
            },
            other => other,
        }
    }

    fn apply(self, image: &mut Image, write: (u64, &[u8]), random: &mut Prng, taken: &mut Taken) {
        let (offset, bytes) = write;
        taken.unflushed += 1;
        let (lost_percent, torn_percent) = match self {
            Loss::Nothing => (0, 0),
            Loss::Everything => (100, 0),
            Loss::Random {
                lost_percent,
                torn_percent,
            } => (lost_percent, torn_percent),
        };
        if random.chance(lost_percent) {
            taken.lost += 1;
        } else if bytes.len() > SECTOR && random.chance(torn_percent) {
            taken.torn += 1;
            tear(image, offset, bytes, random);
        } else {
            image.write(offset, bytes);
        }
    }
}

/// Some of the sectors: up to one, from one, or any.
fn tear(image: &mut Image, offset: u64, bytes: &[u8], random: &mut Prng) {
    let sectors = bytes.len().div_ceil(SECTOR) as u64;
    let (way, edge) = (random.below(3), 1 + random.below(sectors - 1));
    for (number, sector) in bytes.chunks(SECTOR).enumerate() {
        let stays = match way {
            0 => (number as u64) < edge,
            1 => (number as u64) >= edge,
            _ => random.chance(50),
        };
        if stays {
            image.write(offset + (number * SECTOR) as u64, sector);
        }
    }
}

/// Cuts of one recording, each no earlier than the one before.
pub(crate) struct Cuts<'a> {
    events: &'a [Event],
    /// With every event before `flushed`, the last of which is a flush.
    safe: Image,
    flushed: usize,
    pub(crate) taken: Taken,
}

impl<'a> Cuts<'a> {
    pub(crate) fn of(recording: &'a Recording) -> Cuts<'a> {
        Cuts {
            events: &recording.events,
            safe: recording.base.clone(),
            flushed: 0,
            taken: Taken::default(),
        }
    }

    /// The disk when the power went after so many events.
    pub(crate) fn at(&mut self, instant: usize, loss: Loss, random: &mut Prng) -> Image {
        let flushed = last_flush(&self.events[..instant]);
        assert!(flushed >= self.flushed, "cuts go forward");
        for event in &self.events[self.flushed..flushed] {
            if let Event::Write { offset, bytes } = event {
                self.safe.write(*offset, bytes);
            }
        }
        self.flushed = flushed;
        let mut image = self.safe.clone();
        for event in &self.events[flushed..instant] {
            let Event::Write { offset, bytes } = event else {
                unreachable!("behind the last flush");
            };
            loss.apply(&mut image, (*offset, bytes), random, &mut self.taken);
        }
        image
    }
}

/// How many events the last flush among them makes safe, itself counted.
pub(crate) fn last_flush(events: &[Event]) -> usize {
    let last = events
        .iter()
        .rposition(|event| matches!(event, Event::Flush));
    last.map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 2 * SECTOR;

    fn write(block: u64, fill: u8) -> Event {
        Event::Write {
            offset: block * SIZE as u64,
            bytes: vec![fill; SIZE].into(),
        }
    }

    /// First bytes of the sectors of so many blocks.
    fn sectors(image: &Image, blocks: usize) -> Vec<u8> {
        let mut bytes = vec![0; blocks * SIZE];
        image.read(0, &mut bytes);
        bytes.iter().step_by(SECTOR).copied().collect()
    }

    fn recording() -> Recording {
        let base = Image::empty(1 << 16);
        let events = vec![write(0, 1), Event::Flush, write(0, 2), write(1, 3)];
        Recording {
            base,
            events,
            overlaps: 0,
        }
    }

    #[test]
    fn what_was_flushed_stays_and_the_rest_is_lost() {
        let recording = recording();
        let mut cuts = Cuts::of(&recording);
        let mut after = |instant, loss| sectors(&cuts.at(instant, loss, &mut Prng::new(1)), 2);
        assert_eq!(after(0, Loss::Everything), [0, 0, 0, 0]);
        assert_eq!(after(1, Loss::Everything), [0, 0, 0, 0]);
        assert_eq!(after(1, Loss::Nothing), [1, 1, 0, 0]);
        assert_eq!(after(2, Loss::Everything), [1, 1, 0, 0]);
        assert_eq!(after(4, Loss::Everything), [1, 1, 0, 0]);
        assert_eq!(after(4, Loss::Nothing), [2, 2, 3, 3]);
        let expected = Taken {
            unflushed: 6,
            lost: 3,
            torn: 0,
        };
        assert_eq!(cuts.taken, expected);
    }

    #[test]
    fn any_part_of_what_was_not_flushed_may_stay() {
        let recording = recording();
        let mut found = std::collections::BTreeSet::new();
        let mut random = Prng::new(2);
        let loss = Loss::Random {
            lost_percent: 40,
            torn_percent: 50,
        };
        for _ in 0..500 {
            let image = Cuts::of(&recording).at(4, loss, &mut random);
            found.insert(sectors(&image, 2));
        }
        // Two sectors of two states each, twice.
        assert_eq!(found.len(), 16, "{found:?}");
    }
}
