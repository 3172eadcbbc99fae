//! A disk of which reading reaches the files, and writing does not: names and bytes that change are kept in memory.
//!
//! Files are opened for reading alone. Their locks are shared ones: a running broker keeps us out, as it would another,
//! and while we read none can begin.

use crate::base::align::BLOCK;
use crate::storage::disk::{
    Buffer, DirectoryEntry, Disk, DiskError, DiskFile, DiskSpace, OpenMode, READ,
};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The machine's file systems, under what was written here. Clones are the same disk.
#[derive(Clone, Default)]
pub struct RehearsalDisk(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    /// What became of a path; `None`: nothing is there any more.
    changed: BTreeMap<PathBuf, Option<Node>>,
    /// Names that were moved, and names that were removed, in order.
    moved: Vec<(PathBuf, PathBuf)>,
    removed: Vec<PathBuf>,
}

#[derive(Clone)]
enum Node {
    Directory,
    File(Rc<RefCell<Content>>),
}

/// The bytes of a file.
#[derive(Default)]
struct Content {
    /// The real file, unless it was made here.
    source: Option<PathBuf>,
    /// How many of its bytes still count.
    kept: u64,
    len: u64,
    /// Blocks that were written, by their position.
    blocks: BTreeMap<u64, Vec<u8>>,
}

/// An open file; clones share the descriptor.
#[derive(Clone)]
pub struct RehearsalFile {
    path: PathBuf,
    source: Option<Rc<File>>,
    content: Rc<RefCell<Content>>,
}

/// Ordinary memory.
pub struct Memory(Vec<u8>);

impl Buffer for Memory {
    fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn as_bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl RehearsalDisk {
    /// What would have been moved, in order: from where, to where.
    pub fn moved(&self) -> Vec<(PathBuf, PathBuf)> {
        self.0.borrow().moved.clone()
    }

    /// Files and folders that would have been removed, in order.
    pub fn removed(&self) -> Vec<PathBuf> {
        self.0.borrow().removed.clone()
    }

    /// Bytes that would have been written to each file, in whole blocks.
    pub fn written(&self) -> BTreeMap<PathBuf, u64> {
        let state = self.0.borrow();
        let files = state.changed.iter().filter_map(|(path, node)| {
            let Some(Node::File(content)) = node else {
                return None;
            };
            let bytes: usize = content.borrow().blocks.values().map(Vec::len).sum();
            (bytes > 0).then(|| (path.clone(), bytes as u64))
        });
        files.collect()
    }

    fn find(&self, path: &Path) -> Result<Node, DiskError> {
        if let Some(node) = self.0.borrow().changed.get(path) {
            return node.clone().ok_or_else(|| not_found(path));
        }
        if self.is_below_changed(path) {
            return Err(not_found(path));
        }
        let found = std::fs::metadata(path).map_err(|error| failure("stat", path, &error))?;
        if found.is_dir() {
            return Ok(Node::Directory);
        }
        Ok(Node::File(Rc::new(RefCell::new(Content {
            source: Some(path.to_path_buf()),
            kept: found.len(),
            len: found.len(),
            blocks: BTreeMap::new(),
        }))))
    }

    /// Whether the real path means nothing, because a folder above it is another one now.
    fn is_below_changed(&self, path: &Path) -> bool {
        let state = self.0.borrow();
        path.ancestors()
            .skip(1)
            .any(|above| state.changed.contains_key(above))
    }

    fn set(&self, path: &Path, node: Option<Node>) {
        self.0.borrow_mut().changed.insert(path.to_path_buf(), node);
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.find(path)?;
        self.set(path, None);
        self.0.borrow_mut().removed.push(path.to_path_buf());
        Ok(())
    }
}

impl Disk for RehearsalDisk {
    type Buffer = Memory;
    type File = RehearsalFile;

    fn allocate(&self, len: usize) -> Memory {
        assert!(len.is_multiple_of(BLOCK), "whole blocks, not {len} bytes");
        Memory(vec![0; len])
    }

    async fn open(&self, path: &Path, mode: OpenMode) -> Result<RehearsalFile, DiskError> {
        let content = match self.find(path) {
            Ok(Node::File(content)) => content,
            Ok(Node::Directory) => return Err(failed("open", path, Errno::ISDIR)),
            Err(DiskError::NotFound { .. }) if mode != OpenMode::Read => Rc::default(),
            Err(error) => return Err(error),
        };
        if mode != OpenMode::Read {
            // Whoever opens it after a write has to see it.
            self.set(path, Some(Node::File(content.clone())));
        }
        let source = content.borrow().source.as_ref().map(File::open);
        let source = source
            .transpose()
            .map_err(|error| failure("open", path, &error))?;
        Ok(RehearsalFile {
            path: path.to_path_buf(),
            source: source.map(Rc::new),
            content,
        })
    }

    async fn create_directory(&self, path: &Path) -> Result<(), DiskError> {
        let missing = path
            .ancestors()
            .take_while(|above| matches!(self.find(above), Err(DiskError::NotFound { .. })));
        let missing: Vec<&Path> = missing.collect();
        for path in missing {
            self.set(path, Some(Node::Directory));
        }
        Ok(())
    }

    async fn list(&self, path: &Path) -> Result<Vec<DirectoryEntry>, DiskError> {
        if !matches!(self.find(path)?, Node::Directory) {
            return Err(failed("list", path, Errno::NOTDIR));
        }
        let mut entries = BTreeMap::new();
        let is_real = !self.0.borrow().changed.contains_key(path) && !self.is_below_changed(path);
        if is_real {
            let listed = std::fs::read_dir(path).map_err(|error| failure("list", path, &error))?;
            for entry in listed {
                let entry = entry.map_err(|error| failure("list", path, &error))?;
                let kind = entry.file_type();
                let kind = kind.map_err(|error| failure("list", path, &error))?;
                let name = entry.file_name().to_string_lossy().into_owned();
                entries.insert(name, kind.is_dir());
            }
        }
        let state = self.0.borrow();
        for (changed, node) in &state.changed {
            let Some(name) = changed
                .file_name()
                .filter(|_| changed.parent() == Some(path))
            else {
                continue;
            };
            let name = name.to_string_lossy().into_owned();
            match node {
                None => entries.remove(&name),
                Some(node) => entries.insert(name, matches!(node, Node::Directory)),
            };
        }
        let entries = entries
            .into_iter()
            .map(|(name, is_directory)| DirectoryEntry { name, is_directory });
        Ok(entries.collect())
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let node = self.find(from)?;
        self.set(from, None);
        self.set(to, Some(node));
        let names = (from.to_path_buf(), to.to_path_buf());
        self.0.borrow_mut().moved.push(names);
        Ok(())
    }

    async fn remove_file(&self, path: &Path) -> Result<(), DiskError> {
        self.remove(path)
    }

    async fn remove_directory(&self, path: &Path) -> Result<(), DiskError> {
        self.remove(path)
    }

    async fn sync_directory(&self, path: &Path) -> Result<(), DiskError> {
        self.find(path).map(drop)
    }

    async fn sync_file_system(&self, path: &Path) -> Result<(), DiskError> {
        self.find(path).map(drop)
    }

    /// As much as anybody wants: whether there is room is not what a rehearsal is for.
    async fn space(&self, _path: &Path) -> Result<DiskSpace, DiskError> {
        Ok(DiskSpace {
            total_bytes: u64::MAX,
            free_bytes: u64::MAX,
        })
    }
}

impl DiskFile for RehearsalFile {
    type Buffer = Memory;

    async fn read_at(&self, position: u64, len: usize) -> Result<Memory, DiskError> {
        let content = self.content.borrow();
        let left = content.len.saturating_sub(position);
        let mut bytes = vec![0; usize::try_from(left).unwrap_or(len).min(len)];
        let real = content.kept.saturating_sub(position);
        let real = usize::try_from(real).unwrap_or(len).min(bytes.len());
        if let Some(source) = self.source.as_ref().filter(|_| real > 0) {
            source
                .read_exact_at(&mut bytes[..real], position)
                .map_err(|error| failure(READ, &self.path, &error))?;
        }
        let end = position + bytes.len() as u64;
        for (at, block) in content.blocks.range(position..end) {
            let from = (at - position) as usize;
            let len = block.len().min(bytes.len() - from);
            bytes[from..from + len].copy_from_slice(&block[..len]);
        }
        Ok(Memory(bytes))
    }

    async fn write_at(&self, buffer: Memory, position: u64) -> Result<(), DiskError> {
        let mut content = self.content.borrow_mut();
        for (index, block) in buffer.0.chunks_exact(BLOCK).enumerate() {
            let at = position + (index * BLOCK) as u64;
            content.blocks.insert(at, block.to_vec());
        }
        content.len = content.len.max(position + buffer.0.len() as u64);
        Ok(())
    }

    async fn sync(&self) -> Result<(), DiskError> {
        Ok(())
    }

    async fn len(&self) -> Result<u64, DiskError> {
        Ok(self.content.borrow().len)
    }

    async fn set_len(&self, len: u64) -> Result<(), DiskError> {
        let mut content = self.content.borrow_mut();
        content.kept = content.kept.min(len);
        content.blocks.split_off(&len);
        if let Some(mut last) = content.blocks.last_entry() {
            // What is cut off and grown again reads as zeros.
            let kept = usize::try_from(len - last.key()).unwrap_or(BLOCK);
            last.get_mut()
                .iter_mut()
                .skip(kept)
                .for_each(|byte| *byte = 0);
        }
        content.len = len;
        Ok(())
    }

    async fn allocate(&self, _start: u64, end: u64) -> Result<(), DiskError> {
        let mut content = self.content.borrow_mut();
        content.len = content.len.max(end);
        Ok(())
    }

    async fn try_lock(&self) -> Result<bool, DiskError> {
        let Some(source) = &self.source else {
            return Ok(true);
        };
        match flock(source, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(errno) => Err(failed("lock", &self.path, errno)),
        }
    }

    async fn close(self) -> Result<(), DiskError> {
        Ok(())
    }
}

fn not_found(path: &Path) -> DiskError {
    DiskError::NotFound {
        path: path.to_path_buf(),
    }
}

fn failed(operation: &'static str, path: &Path, errno: Errno) -> DiskError {
    DiskError::Failed {
        operation,
        path: path.to_path_buf(),
        errno: errno.raw_os_error(),
    }
}

fn failure(operation: &'static str, path: &Path, error: &io::Error) -> DiskError {
    match error.kind() {
        io::ErrorKind::NotFound => not_found(path),
        _ => DiskError::Failed {
            operation,
            path: path.to_path_buf(),
            errno: error.raw_os_error().unwrap_or(Errno::IO.raw_os_error()),
        },
    }
}
