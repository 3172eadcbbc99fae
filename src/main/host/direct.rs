//! A file without a name, read and written past the page cache. It is gone with this process, however that ends.

use rustix::fs::OFlags;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Direct I/O moves whole blocks, from and to memory that begins at one.
pub(crate) const BLOCK: usize = 4096;

pub(crate) struct DirectFile {
    file: File,
    memory: Vec<u8>,
}

impl DirectFile {
    /// `bytes`: the largest single read or write.
    pub(crate) fn create(directory: &Path, bytes: usize) -> io::Result<DirectFile> {
        let file = nameless(directory)?;
        Ok(DirectFile::over(file, bytes))
    }

    /// The same file once more, each write of which is on the medium when it returns.
    pub(crate) fn write_through(&self, bytes: usize) -> io::Result<DirectFile> {
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let file = options(OFlags::DIRECT | OFlags::DSYNC).open(path)?;
        Ok(DirectFile::over(file, bytes))
    }

    fn over(file: File, bytes: usize) -> DirectFile {
        assert!(
            bytes.is_multiple_of(BLOCK),
            "{bytes} is no number of blocks"
        );
        let pattern = (0..=u8::MAX).cycle();
        DirectFile {
            file,
            memory: pattern.take(bytes + BLOCK).collect(),
        }
    }

    pub(crate) fn write_at(&mut self, position: u64) -> io::Result<()> {
        let range = aligned(&self.memory);
        self.file.write_all_at(&self.memory[range], position)
    }

    pub(crate) fn read_at(&mut self, position: u64) -> io::Result<()> {
        let range = aligned(&self.memory);
        self.file.read_exact_at(&mut self.memory[range], position)
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// What a read has brought.
    fn bytes(&self) -> &[u8] {
        &self.memory[aligned(&self.memory)]
    }
}

/// Whether what is written directly comes back.
pub(crate) fn works(directory: &Path) -> io::Result<bool> {
    let mut file = DirectFile::create(directory, BLOCK)?;
    let written = file.bytes().to_vec();
    file.write_at(0)?;
    file.memory.fill(0);
    file.read_at(0)?;
    Ok(file.bytes() == written)
}

/// All but one block of the memory: what lies before the first whole block, or after the last, is left out.
fn aligned(memory: &[u8]) -> std::ops::Range<usize> {
    let start = memory.as_ptr().align_offset(BLOCK);
    start..start + memory.len() - BLOCK
}

fn options(flags: OFlags) -> OpenOptions {
    let mut options = OpenOptions::new();
    let flags = i32::try_from(flags.bits()).expect("flags of open(2) are an int");
    options.read(true).write(true).custom_flags(flags);
    options
}

fn nameless(directory: &Path) -> io::Result<File> {
    match options(OFlags::TMPFILE | OFlags::DIRECT).open(directory) {
        Ok(file) => Ok(file),
        // Not every file system can; with a name for a moment every one does.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            let path = directory.join(format!(".ottla-doctor-{}", std::process::id()));
            let file = options(OFlags::DIRECT).create_new(true).open(&path)?;
            fs::remove_file(&path)?;
            Ok(file)
        }
        Err(error) => Err(error),
    }
}
