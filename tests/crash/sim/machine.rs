//! The drive and its file system, with everything that is on its way to it.

use super::content::{Content, Survival};
use super::faults::{Faults, Lie, due};
use super::names::{NameError, Names, Node};
use super::world::Process;
use crate::counters::counters;
use ottla::base::align::BLOCK;
use ottla::base::checksum::crc32c;
use ottla::base::prng::Prng;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

counters! {
    /// What the disk did to the program, so that a campaign can tell that it did enough.
    pub struct DiskCounters {
        power_cuts,
        kills,
        /// Writes and other changes that were under way when power or process went.
        interrupted,
        blocks_spoiled,
        /// Writes of a dead process that reached the medium while a later one ran.
        late_writes,
        late_segment_writes,
        /// Somebody asked for a lock that a dead process's write still held.
        locks_waited_for,
        errors_injected,
        reads_failed,
        /// Changes that took seconds.
        stalls,
        /// Writes that a drive said had succeeded, and that never happened or happened elsewhere.
        lies,
        full_disk_answers,
    }
}

/// A change that the drive or the file system makes; nothing of it has happened before it completes.
#[derive(Clone)]
pub enum Operation {
    Write {
        file: u64,
        position: usize,
        bytes: Rc<Vec<u8>>,
        through: bool,
    },
    Sync {
        file: u64,
        before: u64,
    },
    Len {
        file: u64,
        len: usize,
    },
    Create(PathBuf),
    CreateDirectory(PathBuf),
    Rename(PathBuf, PathBuf),
    RemoveFile(PathBuf),
    RemoveDirectory(PathBuf),
    SyncDirectory {
        path: PathBuf,
        before: u64,
    },
    SyncFileSystem {
        before: u64,
    },
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::Write {
                position, bytes, ..
            } => write!(f, " at {position}, {} bytes", bytes.len()),
            Operation::Len { len, .. } => write!(f, " to {len}"),
            Operation::Rename(_, to) => write!(f, " to {}", to.display()),
            _ => Ok(()),
        }
    }
}

#[derive(Clone)]
struct InFlight {
    process: Process,
    open: Option<u64>,
    operation: Operation,
}

#[derive(Clone)]
struct Open {
    process: Process,
    path: PathBuf,
    file: u64,
    /// Its process died; it stays until its last write has landed.
    orphan: bool,
}

/// A clone has the same bytes and the same things under way; what either does later, the other never sees.
#[derive(Clone)]
pub struct Machine {
    files: BTreeMap<u64, Content>,
    names: Names,
    opens: BTreeMap<u64, Open>,
    /// File to the open file that has its lock.
    locks: BTreeMap<u64, u64>,
    /// Files that lost a name; their bytes go when no name and no open file is left.
    unlinked: BTreeSet<u64>,
    in_flight: BTreeMap<u64, InFlight>,
    next_number: u64,
    pub prng: Prng,
    pub capacity: Option<u64>,
    pub faults: Faults,
    /// Beginnings and ends of changes so far.
    pub events: u64,
    pub cut_at: Option<u64>,
    /// Segment writes until the machine halts with one of them under way.
    pub cut_at_segment_write: Option<u64>,
    pub counters: DiskCounters,
    /// Bytes that reads have brought.
    pub read_bytes: u64,
}

impl Machine {
    pub fn new(seed: u64) -> Machine {
        Machine {
            files: BTreeMap::new(),
            names: Names::new(),
            opens: BTreeMap::new(),
            locks: BTreeMap::new(),
            unlinked: BTreeSet::new(),
            in_flight: BTreeMap::new(),
            next_number: 1,
            prng: Prng::new(seed ^ 0x0d15_c000_0000),
            capacity: None,
            faults: Faults::default(),
            events: 0,
            cut_at: None,
            cut_at_segment_write: None,
            counters: DiskCounters::default(),
            read_bytes: 0,
        }
    }

    /// The same machine once more, with dice of its own; nothing is planned to go wrong with it.
    pub fn fork(&self, seed: u64) -> Machine {
        Machine {
            prng: Prng::new(seed ^ 0x0d15_c000_0000),
            faults: Faults::default(),
            cut_at: None,
            cut_at_segment_write: None,
            ..self.clone()
        }
    }

    pub fn begin(&mut self, process: Process, open: Option<u64>, operation: Operation) -> u64 {
        let number = self.number();
        let operation = match open {
            Some(open) => self.lie_about(open, operation),
            None => operation,
        };
        let in_flight = InFlight {
            process,
            open,
            operation,
        };
        self.in_flight.insert(number, in_flight);
        number
    }

    /// The operation succeeds.
    pub fn complete(&mut self, number: u64) -> Result<(), NameError> {
        let done = self.take(number);
        let now = self.number();
        match done.operation {
            Operation::Write {
                file,
                position,
                bytes,
                through: true,
            } => self.content(file).write_through(position, &bytes),
            Operation::Sync { file, before } => self.content(file).sync(before),
            Operation::SyncDirectory { path, before } => {
                let directory = self.names.find_directory(&path)?;
                self.names.sync(before, directory);
                if !self.unlinked.is_empty() {
                    self.forget_nameless();
                }
            }
            Operation::SyncFileSystem { before } => {
                self.files.values_mut().for_each(|file| file.sync(before));
                self.names.sync_all(before);
                self.forget_nameless();
            }
            operation => return self.apply(now, operation),
        }
        Ok(())
    }

    /// The operation fails with an I/O error: a write may have happened all the same, a sync never will.
    pub fn fail(&mut self, number: u64) {
        let failed = self.take(number);
        self.counters.errors_injected += 1;
        let now = self.number();
        match failed.operation {
            Operation::Sync { file, before } => self.content(file).fail_sync(before),
            Operation::SyncFileSystem { before } => {
                let files = self.files.values_mut();
                files.for_each(|file| file.fail_sync(before));
            }
            operation @ Operation::Write { .. } => {
                self.apply(now, operation)
                    .expect("a write is no change of names");
            }
            _ => {}
        }
    }

    /// What really happens when this write is asked for.
    fn lie_about(&mut self, open: u64, operation: Operation) -> Operation {
        let Operation::Write {
            file,
            position,
            bytes,
            through,
        } = operation
        else {
            return operation;
        };
        let is_hit = |path: &Path| self.faults.lie.is_some_and(|(_, (_, hits))| hits(path));
        let lie = match is_hit(&self.opens[&open].path) {
            true => due(&mut self.faults.lie),
            false => None,
        };
        let known = self.files[&file].bytes();
        let (position, bytes) = match lie.map(|(lie, _)| lie) {
            None => (position, bytes),
            Some(Lie::Lost) => {
                let mut before = known.to_vec();
                before.resize(before.len().max(position + bytes.len()), 0);
                let before = before[position..position + bytes.len()].to_vec();
                (position, Rc::new(before))
            }
            Some(Lie::Misdirected) => {
                let last = known.len().saturating_sub(bytes.len()) / BLOCK;
                let others = (0..=last).filter(|block| block * BLOCK != position);
                let others: Vec<usize> = others.collect();
                let which = self.prng.below(others.len().max(1) as u64) as usize;
                let elsewhere = others.get(which).map_or(position, |block| block * BLOCK);
                (elsewhere, bytes)
            }
        };
        self.counters.lies += u64::from(lie.is_some());
        Operation::Write {
            file,
            position,
            bytes,
            through,
        }
    }

    /// The operation is the segment write that somebody waits for.
    pub fn is_awaited_segment_write(&mut self, number: u64) -> bool {
        let begun = &self.in_flight[&number];
        let is_write = matches!(begun.operation, Operation::Write { .. });
        if !is_write || !self.is_segment(begun.open) {
            return false;
        }
        let left = self.cut_at_segment_write.map(|writes| writes - 1);
        self.cut_at_segment_write = left.filter(|&left| left > 0);
        left == Some(0)
    }

    /// The process is gone. What it had under way happens now, later or never. Returns what happens later.
    pub fn kill(&mut self, process: Process) -> Vec<u64> {
        self.counters.kills += 1;
        for open in self.opens.values_mut() {
            open.orphan |= open.process == process;
        }
        let dying: Vec<u64> = self
            .in_flight
            .iter()
            .filter(|(_, operation)| operation.process == process)
            .map(|(&number, _)| number)
            .collect();
        let mut late = Vec::new();
        for number in dying {
            self.counters.interrupted += 1;
            let is_write = matches!(self.in_flight[&number].operation, Operation::Write { .. });
            match self.prng.below(4) {
                0 if !is_write => drop(self.take(number)),
                0 if self.prng.chance(50) => drop(self.take(number)),
                0 | 1 => self.land(number),
                _ if is_write => late.push(number),
                _ => self.land(number),
            }
        }
        self.release_orphans();
        late
    }

    /// A write of a dead process reaches the medium at last.
    pub fn land_late(&mut self, number: u64) {
        let Some(landing) = self.in_flight.get(&number) else {
            return; // The power went before.
        };
        self.counters.late_writes += 1;
        let open = landing.open;
        self.counters.late_segment_writes += u64::from(self.is_segment(open));
        self.land(number);
        self.release_orphans();
    }

    /// The power goes, for everybody.
    pub fn cut_power(&mut self) {
        self.counters.power_cuts += 1;
        let survival = match self.prng.below(8) {
            0 => Survival::Everything,
            1 | 2 => Survival::Nothing,
            _ => Survival::Some,
        };
        let garbage = self.prng.chance(60);
        let interrupted: Vec<u64> = self.in_flight.keys().copied().collect();
        for number in interrupted {
            self.counters.interrupted += 1;
            self.land(number);
        }
        self.opens.clear();
        self.locks.clear();
        self.names.cut_power(survival, &mut self.prng);
        let named = self.names.files();
        self.files.retain(|file, _| named.contains(file));
        for content in self.files.values_mut() {
            let spoiled = content.cut_power(survival, garbage, &mut self.prng);
            self.counters.blocks_spoiled += spoiled;
        }
    }

    pub fn open(&mut self, process: Process, path: &Path) -> Result<u64, NameError> {
        let Node::File(file) = self.names.find(path)? else {
            return Err(NameError::Refused(21));
        };
        let open = self.number();
        let opened = Open {
            process,
            path: path.to_path_buf(),
            file,
            orphan: false,
        };
        self.opens.insert(open, opened);
        Ok(open)
    }

    pub fn close(&mut self, open: u64) {
        let closed = self.opens.remove(&open).expect("closed once");
        if self.locks.get(&closed.file) == Some(&open) {
            self.locks.remove(&closed.file);
        }
        if self.unlinked.contains(&closed.file) {
            self.forget_nameless();
        }
    }

    pub fn try_lock(&mut self, open: u64) -> bool {
        let file = self.opens[&open].file;
        let holder = *self.locks.entry(file).or_insert(open);
        if holder != open && self.opens[&holder].orphan {
            self.counters.locks_waited_for += 1;
        }
        holder == open
    }

    pub fn damage(&mut self, path: &Path, change: impl Fn(&mut Vec<u8>)) {
        match self.names.find(path) {
            Ok(Node::File(file)) => self.content(file).damage(change),
            found => panic!("{} is {found:?}", path.display()),
        }
    }

    /// The drive can no longer read the block at this position.
    pub fn spoil(&mut self, path: &Path, position: usize) {
        match self.names.find(path) {
            Ok(Node::File(file)) => self.content(file).spoil(position),
            found => panic!("{} is {found:?}", path.display()),
        }
    }

    /// The file is gone, for certain.
    pub fn lose(&mut self, path: &Path) -> Result<(), NameError> {
        let now = self.number();
        self.apply(now, Operation::RemoveFile(path.to_path_buf()))?;
        let before = self.number();
        let folder = path.parent().expect("a file lies in a folder");
        let directory = self.names.find_directory(folder)?;
        self.names.sync(before, directory);
        self.forget_nameless();
        Ok(())
    }

    pub fn is_readable(&self, file: u64, start: usize, end: usize) -> bool {
        self.files[&file].is_readable(start, end)
    }

    /// The files that have a name.
    pub fn paths(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![PathBuf::from("/")];
        while let Some(folder) = folders.pop() {
            let entries = self.list(&folder).expect("a folder was found by its name");
            for (name, node) in entries {
                match node {
                    Node::File(_) => found.push(folder.join(name)),
                    Node::Directory(_) => folders.push(folder.join(name)),
                }
            }
        }
        found.sort();
        found
    }

    pub fn list(&self, path: &Path) -> Result<&BTreeMap<String, Node>, NameError> {
        let directory = self.names.find_directory(path)?;
        Ok(self.names.entries(directory))
    }

    pub fn is_there(&self, path: &Path) -> bool {
        self.names.find(path).is_ok()
    }

    pub fn bytes(&self, file: u64) -> &[u8] {
        self.files[&file].bytes()
    }

    pub fn file_of(&self, open: u64) -> u64 {
        self.opens[&open].file
    }

    pub fn path_of(&self, open: u64) -> PathBuf {
        self.opens[&open].path.clone()
    }

    /// Bytes that may still be allocated.
    pub fn free_bytes(&self) -> u64 {
        let Some(capacity) = self.capacity else {
            return u64::MAX / 2;
        };
        capacity.saturating_sub(self.used_bytes())
    }

    pub fn used_bytes(&self) -> u64 {
        let lens = self.files.values().map(|content| content.bytes().len());
        lens.sum::<usize>() as u64
    }

    pub fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number - 1
    }

    /// What a mutating operation adds to the fingerprint of a history.
    pub fn fingerprint(&self, number: u64) -> u64 {
        match &self.in_flight[&number].operation {
            Operation::Write {
                file,
                position,
                bytes,
                through,
            } => {
                let place = *file << 32 ^ (*position as u64) << 1 ^ u64::from(*through);
                place ^ u64::from(crc32c(bytes)) << 16
            }
            Operation::Sync { file, .. } => 0x1000_0000_0000 ^ *file,
            Operation::SyncFileSystem { .. } => 0x3000_0000_0000,
            Operation::Len { file, len } => 0x2000_0000_0000 ^ *file << 24 ^ *len as u64,
            Operation::Create(path)
            | Operation::CreateDirectory(path)
            | Operation::RemoveFile(path)
            | Operation::RemoveDirectory(path)
            | Operation::SyncDirectory { path, .. } => path_print(path),
            Operation::Rename(from, to) => path_print(from) ^ path_print(to) << 7,
        }
    }

    /// It happens, but nothing says that it is durable.
    fn land(&mut self, number: u64) {
        let landing = self.take(number);
        let now = self.number();
        // Half of the changes that were asked for and not answered never happened.
        let is_write = matches!(landing.operation, Operation::Write { .. });
        if is_write || self.prng.chance(50) {
            // A name may be gone meanwhile, or there already; then the change does not happen.
            let _ = self.apply(now, landing.operation);
        }
    }

    fn apply(&mut self, now: u64, operation: Operation) -> Result<(), NameError> {
        match operation {
            Operation::Write {
                file,
                position,
                bytes,
                ..
            } => self.content(file).write(now, position, bytes),
            Operation::Len { file, len } => self.content(file).set_len(now, len),
            Operation::Create(path) => {
                let (file, created) = self.names.create_file(now, &path)?;
                if created {
                    self.files.insert(file, Content::default());
                }
            }
            Operation::CreateDirectory(path) => self.names.create_directory(now, &path)?,
            Operation::Rename(from, to) => {
                if let Ok(Node::File(replaced)) = self.names.find(&to) {
                    self.unlinked.insert(replaced);
                }
                self.names.rename(now, &from, &to)?;
            }
            Operation::RemoveFile(path) => {
                if let Ok(Node::File(file)) = self.names.find(&path) {
                    self.unlinked.insert(file);
                }
                self.names.remove_file(now, &path)?;
            }
            Operation::RemoveDirectory(path) => self.names.remove_directory(now, &path)?,
            Operation::Sync { .. }
            | Operation::SyncDirectory { .. }
            | Operation::SyncFileSystem { .. } => {}
        }
        Ok(())
    }

    fn is_segment(&self, open: Option<u64>) -> bool {
        open.is_some_and(|open| is_segment_path(&self.opens[&open].path))
    }

    fn content(&mut self, file: u64) -> &mut Content {
        self.files
            .get_mut(&file)
            .expect("an open file keeps its bytes")
    }

    fn take(&mut self, number: u64) -> InFlight {
        self.in_flight.remove(&number).expect("completed once")
    }

    /// Open files of dead processes go, with their locks, once nothing of theirs is under way.
    fn release_orphans(&mut self) {
        let busy: BTreeSet<u64> = self.in_flight.values().filter_map(|one| one.open).collect();
        let idle: Vec<u64> = self
            .opens
            .iter()
            .filter(|(number, open)| open.orphan && !busy.contains(number))
            .map(|(&number, _)| number)
            .collect();
        for open in idle {
            self.close(open);
        }
    }

    fn forget_nameless(&mut self) {
        let named = self.names.files();
        let open: BTreeSet<u64> = self.opens.values().map(|open| open.file).collect();
        let unlinked = std::mem::take(&mut self.unlinked);
        for file in unlinked {
            if named.contains(&file) || open.contains(&file) {
                self.unlinked.insert(file);
            } else {
                self.files.remove(&file);
            }
        }
    }
}

pub fn is_segment_path(path: &Path) -> bool {
    path.extension().is_some_and(|suffix| suffix == "log")
}

fn path_print(path: &Path) -> u64 {
    let text = path.to_string_lossy();
    0x3000_0000_0000 ^ u64::from(crc32c(text.as_bytes()))
}
