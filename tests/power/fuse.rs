//! A file system with one file, `disk`: the device, as far as a loop device asks for it.
//!
//! The kernel's side of `/dev/fuse` (`include/uapi/linux/fuse.h`, protocol 7.31): one request a read, one answer a write,
//! numbers in the machine's order. A flush makes safe what was answered before it was asked for, and nothing else; what is
//! there when it is read may have come while it was under way, and is recorded behind it. The file is opened for direct I/O: nothing of it stays in the page cache.
//! A loop device knows no FUA; the block layer sends a flush behind such a write.

use crate::device::Device;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

const NAME: &[u8] = b"disk\0";
const ROOT: u64 = 1;
const DISK: u64 = 2;

/// Mounted until dropped. Nobody has the file open then.
pub(crate) struct Served {
    directory: PathBuf,
    server: Option<JoinHandle<()>>,
}

impl Served {
    /// On `directory`, which is made. An error where the kernel or the user cannot.
    pub(crate) fn start(directory: &Path, device: Arc<Device>) -> io::Result<Served> {
        fs::create_dir_all(directory)?;
        let channel = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NONBLOCK.bits() as i32)
            .open("/dev/fuse")?;
        let options = format!(
            "fd={},rootmode=40000,user_id=0,group_id=0",
            channel.as_raw_fd()
        );
        let options = CString::new(options)?;
        mount(
            "ottla-power",
            directory,
            "fuse",
            MountFlags::NOSUID | MountFlags::NODEV,
            options.as_c_str(),
        )?;
        let server = thread::spawn(move || serve(channel, &device));
        Ok(Served {
            directory: directory.into(),
            server: Some(server),
        })
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.directory.join("disk")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // The server ends with the last user of the mount: when somebody is left, that is not waited for.
        let unmounted = unmount(&self.directory, UnmountFlags::empty());
        if unmounted.is_err() {
            let _ = unmount(&self.directory, UnmountFlags::DETACH);
        } else if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

/// Requests that are there together were all asked before any of them was answered.
fn serve(mut channel: File, device: &Device) {
    let mut buffer = vec![0; WRITE_BYTES_MAX + (1 << 16)];
    loop {
        let mut batch = Vec::new();
        while batch.len() < BATCH_MAX {
            match receive(&mut channel, &mut buffer) {
                Received::Request(request) => batch.push(request),
                Received::Nothing if batch.is_empty() => wait(&channel),
                Received::Nothing => break,
                Received::End => return,
            }
        }
        flushes_first(&mut batch, device);
        for request in &batch {
            let outcome = match answer(request, device) {
                Outcome::Silent => continue,
                Outcome::Answer(body) => Ok(body),
                Outcome::Error(errno) => Err(errno),
            };
            // An error: the request was given up meanwhile.
            let _ = channel.write(&framed(request.unique, outcome));
        }
    }
}

/// A flush owes nothing to a write of which nobody had been told that it is done.
fn flushes_first(batch: &mut [Request], device: &Device) {
    let first_write = batch.iter().position(|it| it.operation == WRITE);
    let last_flush = batch.iter().rposition(|it| it.operation == FSYNC);
    if first_write < last_flush && first_write.is_some() {
        device.on_overlap();
    }
    batch.sort_by_key(|request| request.operation != FSYNC);
}

enum Received {
    Request(Request),
    Nothing,
    End,
}

fn receive(channel: &mut File, buffer: &mut [u8]) -> Received {
    loop {
        return match channel.read(buffer) {
            Ok(bytes) => Received::Request(Request::parse(&buffer[..bytes])),
            // Given up before it was read.
            Err(error) if error.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => continue,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Received::Nothing,
            Err(_) => Received::End,
        };
    }
}

/// For a request, or the end. An error shows at the next read.
fn wait(channel: &File) {
    let _ = poll(&mut [PollFd::new(channel, PollFlags::IN)], None);
}

enum Outcome {
    Answer(Vec<u8>),
    Error(Errno),
    Silent,
}

/// `fuse_in_header`, and what follows it.
struct Request {
    operation: u32,
    unique: u64,
    node: u64,
    body: Vec<u8>,
}

impl Request {
    fn parse(bytes: &[u8]) -> Request {
        Request {
            operation: u32_at(bytes, 4),
            unique: u64_at(bytes, 8),
            node: u64_at(bytes, 16),
            body: bytes[40..].into(),
        }
    }
}

fn answer(request: &Request, device: &Device) -> Outcome {
    let body = &request.body[..];
    match request.operation {
        INIT => Outcome::Answer(initialized()),
        LOOKUP if request.node == ROOT && body == NAME => Outcome::Answer(entry(device)),
        LOOKUP => Outcome::Error(Errno::NOENT),
        GETATTR => Outcome::Answer(attributes(request.node, device)),
        OPEN => {
            device.on_open();
            // fuse_open_out: a handle, flags, padding.
            Outcome::Answer(Body::default().u64(0).u32(DIRECT_IO).u32(0).0)
        }
        RELEASE => {
            device.on_release();
            Outcome::Answer(Vec::new())
        }
        READ => {
            let mut bytes = vec![0; u32_at(body, 16) as usize];
            done(device.on_read(u64_at(body, 8), &mut bytes), || bytes)
        }
        WRITE => {
            let bytes = &body[40..][..u32_at(body, 16) as usize];
            done(device.on_write(u64_at(body, 8), bytes), || {
                Body::default().u32(bytes.len() as u32).u32(0).0
            })
        }
        FSYNC => done(device.on_flush(), Vec::new),
        FLUSH | DESTROY => Outcome::Answer(Vec::new()),
        STATFS => Outcome::Answer(vec![0; 80]),
        FORGET | BATCH_FORGET | INTERRUPT => Outcome::Silent,
        _ => Outcome::Error(Errno::NOSYS),
    }
}

fn done(result: Result<(), Errno>, body: impl FnOnce() -> Vec<u8>) -> Outcome {
    match result {
        Ok(()) => Outcome::Answer(body()),
        Err(errno) => Outcome::Error(errno),
    }
}

/// `fuse_init_out`
fn initialized() -> Vec<u8> {
    let body = Body::default().u32(7).u32(31).u32(0);
    let body = body.u32(ASYNC_READ | BIG_WRITES | ASYNC_DIRECT_IO | MAX_PAGES);
    // Background requests and when they are many, as two halves.
    let body = body.u32(64 | 48 << 16).u32(WRITE_BYTES_MAX as u32);
    // Nanoseconds of a timestamp; pages of a request, no alignment of mappings.
    let body = body.u32(1).u32((WRITE_BYTES_MAX / 4096) as u32);
    body.zeros(32).0
}

/// `fuse_entry_out`
fn entry(device: &Device) -> Vec<u8> {
    let body = Body::default().u64(DISK).u64(0);
    let mut body = body.u64(VALID_SECONDS).u64(VALID_SECONDS).u64(0).0;
    body.extend(attribute(DISK, device));
    body
}

/// `fuse_attr_out`
fn attributes(node: u64, device: &Device) -> Vec<u8> {
    let mut body = Body::default().u64(VALID_SECONDS).u64(0).0;
    body.extend(attribute(node, device));
    body
}

/// `fuse_attr`
fn attribute(node: u64, device: &Device) -> Vec<u8> {
    let (bytes, mode, links) = match node {
        DISK => (device.bytes(), 0o100_600, 1),
        _ => (0, 0o040_700, 2),
    };
    let body = Body::default().u64(node).u64(bytes).u64(bytes / 512);
    // Three times, and their nanoseconds.
    let body = body.zeros(24 + 12).u32(mode).u32(links);
    // User, group, device, block size, flags.
    body.zeros(12).u32(4096).u32(0).0
}

/// `fuse_out_header`, and what follows it.
fn framed(unique: u64, outcome: Result<Vec<u8>, Errno>) -> Vec<u8> {
    let (error, body) = match outcome {
        Ok(body) => (0, body),
        Err(errno) => (-errno.raw_os_error(), Vec::new()),
    };
    let header = Body::default().u32(16 + body.len() as u32);
    let mut frame = header.u32(error as u32).u64(unique).0;
    frame.extend(body);
    frame
}

#[derive(Default)]
struct Body(Vec<u8>);

impl Body {
    fn u32(mut self, value: u32) -> Body {
        self.0.extend(value.to_ne_bytes());
        self
    }

    fn u64(mut self, value: u64) -> Body {
        self.0.extend(value.to_ne_bytes());
        self
    }

    fn zeros(mut self, bytes: usize) -> Body {
        self.0.resize(self.0.len() + bytes, 0);
        self
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// What the kernel puts into one request at most: 256 pages.
const WRITE_BYTES_MAX: usize = 1 << 20;
/// More than a loop device has under way.
const BATCH_MAX: usize = 256;
/// Nothing here changes behind the kernel's back.
const VALID_SECONDS: u64 = 1 << 30;

const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const WRITE: u32 = 16;
const STATFS: u32 = 17;
const RELEASE: u32 = 18;
const FSYNC: u32 = 20;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const INTERRUPT: u32 = 36;
const DESTROY: u32 = 38;
const BATCH_FORGET: u32 = 42;

/// Of `fuse_init_out`.
const ASYNC_READ: u32 = 1 << 0;
const BIG_WRITES: u32 = 1 << 5;
const ASYNC_DIRECT_IO: u32 = 1 << 15;
const MAX_PAGES: u32 = 1 << 22;
/// Of `fuse_open_out`.
const DIRECT_IO: u32 = 1 << 0;
