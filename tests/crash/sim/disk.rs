//! The disk seam of one process.

use super::boundary::{BoundaryWatch, Moment};
use super::faults::{EIO, Lie, due, planned};
use super::machine::{DiskCounters, Machine, Operation};
use super::names::{NameError, Node};
use super::world::{Process, World};
use ottla::base::align::BLOCK;
use ottla::storage::disk::{
    Buffer, DirectoryEntry, Disk, DiskError, DiskFile, DiskSpace, OpenMode,
};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// A write of a dead process is under way for this long at most: less than anybody waits for a lock.
const LATE_BY_MAX: Duration = Duration::from_secs(4);

/// A seeded disk, seen by one process. `for_process` gives the same disk to another one.
#[derive(Clone)]
pub struct SimDisk {
    machine: Rc<RefCell<Machine>>,
    world: World,
    process: Process,
    watch: Rc<RefCell<Option<WriteWatch>>>,
    boundaries: Rc<RefCell<Option<Box<dyn BoundaryWatch>>>>,
    /// Prints every change: for somebody who follows one seed.
    talks: bool,
}

/// Sees every write as it is submitted.
type WriteWatch = Box<dyn FnMut(&Path, &[u8])>;

/// An open file; clones share the lock.
#[derive(Clone)]
pub struct SimFile(Rc<OpenFile>);

struct OpenFile {
    disk: SimDisk,
    open: u64,
    mode: OpenMode,
}

/// Memory as the runtime hands it out: full of whatever was there.
pub struct SimBuffer(Vec<u8>);

impl SimDisk {
    pub fn new(world: &World, process: Process, seed: u64) -> SimDisk {
        SimDisk::of(world, process, Machine::new(seed))
    }

    /// The disk of a machine that was something else before.
    pub fn of(world: &World, process: Process, machine: Machine) -> SimDisk {
        SimDisk {
            machine: Rc::new(RefCell::new(machine)),
            world: world.clone(),
            process,
            watch: Rc::default(),
            boundaries: Rc::default(),
            talks: std::env::var("OTTLA_CRASH_TALK").is_ok(),
        }
    }

    pub fn for_process(&self, process: Process) -> SimDisk {
        SimDisk {
            process,
            ..self.clone()
        }
    }

    /// Shows every write to `watch`, for all processes.
    pub fn watch_writes(&self, watch: impl FnMut(&Path, &[u8]) + 'static) {
        *self.watch.borrow_mut() = Some(Box::new(watch));
    }

    /// Shows every change to `watch`, for all processes, or to nobody any more.
    pub fn watch_boundaries(&self, watch: Option<Box<dyn BoundaryWatch>>) {
        *self.boundaries.borrow_mut() = watch;
    }

    /// Halts the machine at the given number of further beginnings and ends of changes.
    pub fn cut_after(&self, events: Option<u64>) {
        let mut machine = self.machine.borrow_mut();
        machine.cut_at = events.map(|events| machine.events + events);
    }

    /// Beginnings and ends of changes so far.
    pub fn events(&self) -> u64 {
        self.machine.borrow().events
    }

    /// Halts the machine while the given number of segment writes from now has begun and the last has not ended.
    pub fn cut_at_segment_write(&self, writes: Option<u64>) {
        self.machine.borrow_mut().cut_at_segment_write = writes;
    }

    /// Lets the operation fail that begins or ends at the given number of further events.
    pub fn fail_after(&self, events: Option<u64>, errno: i32) {
        self.machine.borrow_mut().faults.failure = planned(events, errno);
    }

    /// Lets the read fail that is so many from now. Another one of the same place need not.
    pub fn fail_read_after(&self, reads: Option<u64>) {
        self.machine.borrow_mut().faults.read_failure = planned(reads, EIO);
    }

    /// Lets the change take so long that begins at the given number of further beginnings.
    pub fn stall_after(&self, changes: Option<u64>, wait: Duration) {
        self.machine.borrow_mut().faults.stall = planned(changes, wait);
    }

    /// Lets the drive lie about the write that is so many from now, of those to files that `hits` picks.
    pub fn lie_after(&self, writes: Option<u64>, lie: Lie, hits: fn(&Path) -> bool) {
        self.machine.borrow_mut().faults.lie = planned(writes, (lie, hits));
    }

    /// A lie was planned, and the write has not come.
    pub fn is_to_lie(&self) -> bool {
        self.machine.borrow().faults.lie.is_some()
    }

    /// Bytes that all files together may have.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.machine.borrow_mut().capacity = bytes;
    }

    /// Ends the process of this handle, as by SIGKILL.
    pub fn kill(&self) {
        self.world.kill(self.process);
        let late = self.machine.borrow_mut().kill(self.process);
        for number in late {
            let wait = self.late_by();
            let machine = self.machine.clone();
            self.world
                .call_after(wait, move || machine.borrow_mut().land_late(number));
        }
    }

    /// Takes the power from the process of this handle and from the disk.
    pub fn cut_power(&self) {
        self.world.kill(self.process);
        self.machine.borrow_mut().cut_power();
    }

    /// Leaves this many bytes to allocate.
    pub fn fill_up_to(&self, left: u64) {
        let mut machine = self.machine.borrow_mut();
        machine.capacity = Some(machine.used_bytes() + left);
    }

    pub fn counters(&self) -> DiskCounters {
        self.machine.borrow().counters
    }

    /// Bytes that reads have brought so far.
    pub fn read_bytes(&self) -> u64 {
        self.machine.borrow().read_bytes
    }

    /// What a reader of the file would find.
    pub fn bytes_of(&self, path: &Path) -> Option<Vec<u8>> {
        let mut machine = self.machine.borrow_mut();
        let open = machine.open(self.process, path).ok()?;
        let bytes = machine.bytes(machine.file_of(open)).to_vec();
        machine.close(open);
        Some(bytes)
    }

    /// All files, sorted.
    pub fn files(&self) -> Vec<PathBuf> {
        self.machine.borrow().paths()
    }

    /// Changes a file behind everybody's back, as a failing drive does.
    pub fn damage(&self, path: &Path, change: impl Fn(&mut Vec<u8>)) {
        self.machine.borrow_mut().damage(path, change);
    }

    /// The drive can no longer read a block of this file, until it is written.
    pub fn spoil(&self, path: &Path, position: usize) {
        self.machine.borrow_mut().spoil(path, position);
    }

    /// A file is no longer there.
    pub fn lose(&self, path: &Path) {
        let lost = self.machine.borrow_mut().lose(path);
        lost.expect("a file that is there");
    }

    /// Short waits are likelier than long ones, so that some writes land in every phase of the successor.
    fn late_by(&self) -> Duration {
        let mut machine = self.machine.borrow_mut();
        let scale = LATE_BY_MAX.as_nanos() as u64 >> machine.prng.below(14);
        Duration::from_nanos(machine.prng.below(scale) + 1)
    }

    /// From submission to completion, with the event that may halt the machine at either end.
    async fn perform(
        &self,
        open: Option<u64>,
        path: &Path,
        name: &'static str,
        operation: Operation,
    ) -> Result<(), DiskError> {
        let about = self
            .talks
            .then(|| format!("{name} {}{operation}", path.display()));
        let change = self.show_change(path, &operation);
        let number = self
            .machine
            .borrow_mut()
            .begin(self.process, open, operation);
        if let Some(about) = &about {
            println!(
                "{:>9} begin {number} {about}",
                self.world.now_nanos() / 1000
            );
        }
        self.world.record(self.machine.borrow().fingerprint(number));
        let mut guard = NotDropped {
            disk: self,
            finished: false,
        };
        if self.machine.borrow_mut().is_awaited_segment_write(number) {
            self.world.halt();
        }
        self.show_moment(change, Moment::Inside);
        let mut failure = self.event().await;
        self.pass_time(60, 900).await;
        self.stall().await;
        failure = failure.or(self.event_failure());
        let done = if let Some(errno) = failure {
            self.machine.borrow_mut().fail(number);
            Err(NameError::Refused(errno))
        } else {
            self.machine.borrow_mut().complete(number)
        };
        self.show_moment(change, Moment::After);
        if self.talks {
            let result = done.as_ref().err();
            println!(
                "{:>9} end {number} {result:?}",
                self.world.now_nanos() / 1000
            );
        }
        // Halted at its end: it has happened, and nobody is told.
        self.world.pass_unless_halted().await;
        guard.finished = true;
        done.map_err(|error| describe(error, name, path))
    }

    async fn event(&self) -> Option<i32> {
        let failure = self.event_failure();
        self.world.pass_unless_halted().await;
        failure
    }

    /// The error number with which the operation fails here.
    fn event_failure(&self) -> Option<i32> {
        let mut machine = self.machine.borrow_mut();
        machine.events += 1;
        if machine.cut_at == Some(machine.events) {
            self.world.halt();
        }
        due(&mut machine.faults.failure)
    }

    fn read_failure(&self) -> Option<i32> {
        let mut machine = self.machine.borrow_mut();
        let failure = due(&mut machine.faults.read_failure)?;
        machine.counters.reads_failed += 1;
        Some(failure)
    }

    async fn stall(&self) {
        let wait = due(&mut self.machine.borrow_mut().faults.stall);
        if let Some(wait) = wait {
            self.machine.borrow_mut().counters.stalls += 1;
            self.world.wait(wait).await;
        }
    }

    fn show_change(&self, path: &Path, operation: &Operation) -> Option<u64> {
        let mut watch = self.boundaries.borrow_mut();
        let watch = watch.as_mut()?;
        Some(watch.on_change(&self.machine.borrow(), path, operation))
    }

    fn show_moment(&self, change: Option<u64>, moment: Moment) {
        if let (Some(change), Some(watch)) = (change, self.boundaries.borrow_mut().as_mut()) {
            watch.on_moment(&self.machine.borrow(), change, moment);
        }
    }

    async fn pass_time(&self, from_micros: u64, to_micros: u64) {
        let micros = {
            let prng = &mut self.machine.borrow_mut().prng;
            let usual = from_micros + prng.below(to_micros - from_micros);
            if prng.chance(2) { usual * 20 } else { usual }
        };
        self.world.wait(Duration::from_micros(micros)).await;
    }

    fn no_space(&self, path: &Path) -> DiskError {
        self.machine.borrow_mut().counters.full_disk_answers += 1;
        DiskError::NoSpace {
            path: path.to_path_buf(),
        }
    }
}

/// A future that owns a buffer must run to its end while its process lives.
struct NotDropped<'a> {
    disk: &'a SimDisk,
    finished: bool,
}

impl Drop for NotDropped<'_> {
    fn drop(&mut self) {
        let alive = self.disk.world.is_alive(self.disk.process);
        if !self.finished && alive && !std::thread::panicking() {
            panic!("an operation on the disk was cancelled half-way");
        }
    }
}

impl Buffer for SimBuffer {
    fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn as_bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Disk for SimDisk {
    type Buffer = SimBuffer;
    type File = SimFile;

    fn allocate(&self, len: usize) -> SimBuffer {
        assert!(
            len.is_multiple_of(BLOCK),
            "{len} bytes are not whole blocks"
        );
        SimBuffer(vec![0xd7; len])
    }

    async fn open(&self, path: &Path, mode: OpenMode) -> Result<SimFile, DiskError> {
        if mode == OpenMode::Read {
            self.pass_time(20, 100).await;
        } else {
            let create = Operation::Create(path.to_path_buf());
            self.perform(None, path, "open", create).await?;
        }
        let open = self.machine.borrow_mut().open(self.process, path);
        Ok(SimFile(Rc::new(OpenFile {
            disk: self.clone(),
            open: open.map_err(|error| describe(error, "open", path))?,
            mode,
        })))
    }

    async fn create_directory(&self, path: &Path) -> Result<(), DiskError> {
        let operation = Operation::CreateDirectory(path.to_path_buf());
        self.perform(None, path, "mkdir", operation).await
    }

    async fn list(&self, path: &Path) -> Result<Vec<DirectoryEntry>, DiskError> {
        self.pass_time(20, 100).await;
        let machine = self.machine.borrow();
        let entries = machine.list(path);
        let entries = entries.map_err(|error| describe(error, "list", path))?;
        Ok(entries
            .iter()
            .map(|(name, node)| DirectoryEntry {
                name: name.clone(),
                is_directory: matches!(node, Node::Directory(_)),
            })
            .collect())
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let operation = Operation::Rename(from.to_path_buf(), to.to_path_buf());
        self.perform(None, from, "rename", operation).await
    }

    async fn remove_file(&self, path: &Path) -> Result<(), DiskError> {
        let operation = Operation::RemoveFile(path.to_path_buf());
        self.perform(None, path, "unlink", operation).await
    }

    async fn remove_directory(&self, path: &Path) -> Result<(), DiskError> {
        let operation = Operation::RemoveDirectory(path.to_path_buf());
        self.perform(None, path, "rmdir", operation).await
    }

    async fn sync_directory(&self, path: &Path) -> Result<(), DiskError> {
        let before = self.machine.borrow_mut().number();
        let path_buf = path.to_path_buf();
        let operation = Operation::SyncDirectory {
            path: path_buf,
            before,
        };
        self.perform(None, path, "sync directory", operation).await
    }

    async fn sync_file_system(&self, path: &Path) -> Result<(), DiskError> {
        let before = self.machine.borrow_mut().number();
        let operation = Operation::SyncFileSystem { before };
        self.perform(None, path, "sync file system", operation)
            .await
    }

    async fn space(&self, _path: &Path) -> Result<DiskSpace, DiskError> {
        let machine = self.machine.borrow();
        let free_bytes = machine.free_bytes();
        Ok(DiskSpace {
            total_bytes: machine.used_bytes() + free_bytes,
            free_bytes,
        })
    }
}

impl SimFile {
    fn file(&self) -> u64 {
        self.0.disk.machine.borrow().file_of(self.0.open)
    }

    fn path(&self) -> PathBuf {
        self.0.disk.machine.borrow().path_of(self.0.open)
    }

    async fn perform(&self, name: &'static str, operation: Operation) -> Result<(), DiskError> {
        let path = self.path();
        let open = Some(self.0.open);
        self.0.disk.perform(open, &path, name, operation).await
    }

    fn room_for(&self, end: u64) -> Result<(), DiskError> {
        let machine = self.0.disk.machine.borrow();
        let len = machine.bytes(machine.file_of(self.0.open)).len() as u64;
        let fits = end.saturating_sub(len) <= machine.free_bytes();
        drop(machine);
        if fits {
            Ok(())
        } else {
            Err(self.0.disk.no_space(&self.path()))
        }
    }
}

impl DiskFile for SimFile {
    type Buffer = SimBuffer;

    async fn read_at(&self, position: u64, len: usize) -> Result<SimBuffer, DiskError> {
        assert_aligned(position, len);
        self.0.disk.pass_time(20, 200).await;
        if let Some(errno) = self.0.disk.read_failure() {
            return Err(describe(NameError::Refused(errno), "read", &self.path()));
        }
        let mut machine = self.0.disk.machine.borrow_mut();
        let bytes = machine.bytes(machine.file_of(self.0.open));
        let start = (position as usize).min(bytes.len());
        let end = (start + len).min(bytes.len());
        if !machine.is_readable(machine.file_of(self.0.open), start, end) {
            let path = machine.path_of(self.0.open);
            return Err(describe(NameError::Refused(EIO), "read", &path));
        }
        let bytes = bytes[start..end].to_vec();
        machine.read_bytes += bytes.len() as u64;
        Ok(SimBuffer(bytes))
    }

    async fn write_at(&self, buffer: SimBuffer, position: u64) -> Result<(), DiskError> {
        assert_aligned(position, buffer.0.len());
        assert_ne!(self.0.mode, OpenMode::Read, "opened for reading");
        self.room_for(position + buffer.0.len() as u64)?;
        if let Some(watch) = &mut *self.0.disk.watch.borrow_mut() {
            watch(&self.path(), &buffer.0);
        }
        let operation = Operation::Write {
            file: self.file(),
            position: position as usize,
            bytes: Rc::new(buffer.0),
            through: self.0.mode == OpenMode::WriteThrough,
        };
        self.perform("write", operation).await
    }

    async fn sync(&self) -> Result<(), DiskError> {
        let file = self.file();
        let before = self.0.disk.machine.borrow_mut().number();
        self.perform("sync", Operation::Sync { file, before }).await
    }

    async fn len(&self) -> Result<u64, DiskError> {
        let machine = self.0.disk.machine.borrow();
        Ok(machine.bytes(machine.file_of(self.0.open)).len() as u64)
    }

    async fn set_len(&self, len: u64) -> Result<(), DiskError> {
        let file = self.file();
        let len = len as usize;
        self.perform("truncate", Operation::Len { file, len }).await
    }

    async fn allocate(&self, start: u64, end: u64) -> Result<(), DiskError> {
        assert!(start <= end);
        self.room_for(end)?;
        if end <= self.len().await? {
            return Ok(());
        }
        let file = self.file();
        let len = end as usize;
        self.perform("allocate", Operation::Len { file, len }).await
    }

    async fn try_lock(&self) -> Result<bool, DiskError> {
        Ok(self.0.disk.machine.borrow_mut().try_lock(self.0.open))
    }

    async fn close(self) -> Result<(), DiskError> {
        self.0.disk.pass_time(1, 20).await;
        Ok(())
    }
}

/// The last clone gives the descriptor and its lock back. A dead process's files are the machine's business.
impl Drop for OpenFile {
    fn drop(&mut self) {
        if self.disk.world.is_alive(self.disk.process) {
            self.disk.machine.borrow_mut().close(self.open);
        }
    }
}

fn describe(error: NameError, operation: &'static str, path: &Path) -> DiskError {
    let path = path.to_path_buf();
    match error {
        NameError::NotFound => DiskError::NotFound { path },
        NameError::Refused(errno) => DiskError::Failed {
            operation,
            path,
            errno,
        },
    }
}

fn assert_aligned(position: u64, len: usize) {
    assert!(
        position.is_multiple_of(BLOCK as u64) && len.is_multiple_of(BLOCK),
        "direct I/O at {position} for {len} bytes is not aligned"
    );
}
