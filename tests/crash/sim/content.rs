//! The bytes of one file: what a reader sees, what is on the medium for certain, and what is on its way.

use ottla::base::align::BLOCK;
use ottla::base::prng::Prng;
use std::collections::BTreeSet;
use std::rc::Rc;

/// What a drive writes in one piece, whatever happens.
const SECTOR: usize = 512;

/// How much of what was on its way a power cut leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Survival {
    Everything,
    Nothing,
    /// Every sector by itself.
    Some,
}

/// A file without its name. Copies share bytes until one of them changes.
#[derive(Clone, Default)]
pub struct Content {
    current: Rc<Vec<u8>>,
    /// The same bytes in memory while nothing is on its way.
    durable: Rc<Vec<u8>>,
    on_the_way: Vec<Change>,
    /// Blocks that the drive cannot read, until they are written.
    unreadable: BTreeSet<usize>,
}

#[derive(Clone)]
struct Change {
    number: u64,
    what: What,
    /// A failed sync marked it clean: no later sync takes it along.
    forgotten: bool,
}

#[derive(Clone)]
enum What {
    Write { position: usize, bytes: Rc<Vec<u8>> },
    Len(usize),
}

impl Content {
    /// A write that a sync has yet to make durable. `number` orders changes against syncs.
    pub fn write(&mut self, number: u64, position: usize, bytes: Rc<Vec<u8>>) {
        let end = position + bytes.len();
        if end > self.current.len() {
            self.set_len(number, end);
        }
        Rc::make_mut(&mut self.current)[position..end].copy_from_slice(&bytes);
        self.make_readable(position, end);
        self.on_the_way.push(Change {
            number,
            what: What::Write { position, bytes },
            forgotten: false,
        });
    }

    /// A write that is durable when it completes, as is the length it needs.
    pub fn write_through(&mut self, position: usize, bytes: &[u8]) {
        let end = position + bytes.len();
        self.make_readable(position, end);
        let changes = std::mem::take(&mut self.on_the_way);
        for mut change in changes {
            match &mut change.what {
                What::Len(len) => Rc::make_mut(&mut self.durable).resize(*len, 0),
                What::Write { .. } => self.on_the_way.extend(without(change, position, end)),
            }
        }
        self.change_both(|content| {
            if end > content.len() {
                content.resize(end, 0);
            }
            content[position..end].copy_from_slice(bytes);
        });
    }

    /// In place where both are one.
    fn change_both(&mut self, change: impl Fn(&mut Vec<u8>)) {
        let is_one = Rc::ptr_eq(&self.current, &self.durable);
        if is_one {
            self.durable = Rc::default();
        }
        change(Rc::make_mut(&mut self.current));
        if is_one {
            self.durable = self.current.clone();
        } else {
            change(Rc::make_mut(&mut self.durable));
        }
    }

    /// Cuts or extends; an extension reads as zeros.
    pub fn set_len(&mut self, number: u64, len: usize) {
        Rc::make_mut(&mut self.current).resize(len, 0);
        self.make_readable(len, usize::MAX);
        self.on_the_way.push(Change {
            number,
            what: What::Len(len),
            forgotten: false,
        });
    }

    /// Makes all changes numbered below `before` durable.
    pub fn sync(&mut self, before: u64) {
        if self.on_the_way.is_empty() {
            return;
        }
        let mut kept: Vec<Change> = Vec::new();
        let durable = Rc::make_mut(&mut self.durable);
        for change in std::mem::take(&mut self.on_the_way) {
            if change.number >= before || change.forgotten {
                kept.push(change);
                continue;
            }
            // What came before to the same place, and was forgotten, cannot come back.
            let place = match change.what {
                What::Write { position, bytes } => {
                    apply(durable, position, &bytes);
                    (position, position + bytes.len())
                }
                What::Len(len) => {
                    durable.resize(len, 0);
                    (len, usize::MAX)
                }
            };
            let earlier = kept.into_iter();
            kept = earlier
                .flat_map(|earlier| without(earlier, place.0, place.1))
                .collect();
        }
        self.on_the_way = kept;
        if self.on_the_way.is_empty() && self.current == self.durable {
            self.durable = self.current.clone();
        }
    }

    /// A sync that fails: the kernel takes the pages for clean, so no later sync writes them.
    pub fn fail_sync(&mut self, before: u64) {
        for change in &mut self.on_the_way {
            let is_write = matches!(change.what, What::Write { .. });
            change.forgotten |= is_write && change.number < before;
        }
    }

    /// The power goes. Returns how many blocks came back as garbage.
    pub fn cut_power(&mut self, survival: Survival, garbage: bool, prng: &mut Prng) -> u64 {
        if self.on_the_way.is_empty() {
            self.current = self.durable.clone();
            return 0;
        }
        let mut spoiled = 0;
        // Lengths are the file system's own records: they survive in order.
        let mut lengths_survive = survival != Survival::Nothing;
        for change in std::mem::take(&mut self.on_the_way) {
            match change.what {
                What::Len(len) => {
                    lengths_survive &= survival == Survival::Everything || !prng.chance(30);
                    if lengths_survive {
                        Rc::make_mut(&mut self.durable).resize(len, 0);
                    }
                }
                What::Write { position, bytes } => {
                    if garbage && prng.chance(30) {
                        self.spoil_block(position, bytes.len(), prng);
                        spoiled += 1;
                    }
                    self.keep_sectors(position, &bytes, survival, prng);
                }
            }
        }
        self.current = self.durable.clone();
        spoiled
    }

    /// Bytes change without anybody writing them.
    pub fn damage(&mut self, change: impl Fn(&mut Vec<u8>)) {
        self.change_both(change);
    }

    /// The drive can no longer read the block at this position.
    pub fn spoil(&mut self, position: usize) {
        self.unreadable.insert(position / BLOCK);
    }

    pub fn is_readable(&self, start: usize, end: usize) -> bool {
        let blocks = start / BLOCK..end.div_ceil(BLOCK);
        blocks.is_empty() || self.unreadable.range(blocks).next().is_none()
    }

    fn make_readable(&mut self, start: usize, end: usize) {
        let blocks = start / BLOCK..end.div_ceil(BLOCK);
        self.unreadable.retain(|block| !blocks.contains(block));
    }

    pub fn bytes(&self) -> &[u8] {
        &self.current
    }

    fn spoil_block(&mut self, position: usize, len: usize, prng: &mut Prng) {
        let block = prng.below((len / BLOCK) as u64) as usize * BLOCK;
        let noise: Vec<u8> = (0..BLOCK / 8)
            .flat_map(|_| prng.next_u64().to_le_bytes())
            .collect();
        let durable: &mut Vec<u8> = Rc::make_mut(&mut self.durable);
        apply(durable, position + block, &noise);
    }

    fn keep_sectors(&mut self, position: usize, bytes: &[u8], survival: Survival, prng: &mut Prng) {
        // Half of the torn writes lose a sector here and there, the others nearly all.
        let percent = [50, 90, 10][prng.below(3) as usize];
        let durable = Rc::make_mut(&mut self.durable);
        for (index, sector) in bytes.chunks(SECTOR).enumerate() {
            let survives = match survival {
                Survival::Everything => true,
                Survival::Nothing => false,
                Survival::Some => prng.chance(percent),
            };
            if survives {
                apply(durable, position + index * SECTOR, sector);
            }
        }
    }
}

/// Bytes beyond the end stay lost: the length that made room for them did.
fn apply(target: &mut [u8], position: usize, bytes: &[u8]) {
    let end = (position + bytes.len()).min(target.len());
    if position < end {
        target[position..end].copy_from_slice(&bytes[..end - position]);
    }
}

/// What is left of a write on its way when a later write to `start..end` has reached the medium.
fn without(change: Change, start: usize, end: usize) -> Vec<Change> {
    let What::Write { position, bytes } = change.what else {
        return vec![change];
    };
    let write_end = position + bytes.len();
    let left = (position, start.clamp(position, write_end));
    let right = (end.clamp(position, write_end), write_end);
    [left, right]
        .into_iter()
        .filter(|(from, to)| from < to)
        .map(|(from, to)| Change {
            number: change.number,
            what: What::Write {
                position: from,
                bytes: Rc::new(bytes[from - position..to - position].to_vec()),
            },
            forgotten: change.forgotten,
        })
        .collect()
}
