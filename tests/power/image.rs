//! What a disk holds, in chunks that copies of it share until one of them writes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

const CHUNK: usize = 4096;
type Chunk = [u8; CHUNK];

/// Never written is zero.
#[derive(Clone)]
pub(crate) struct Image {
    chunks: Vec<Option<Arc<Chunk>>>,
}

impl Image {
    /// `bytes` is a multiple of 4096.
    pub(crate) fn empty(bytes: u64) -> Image {
        assert_eq!(bytes % CHUNK as u64, 0);
        Image {
            chunks: vec![None; bytes as usize / CHUNK],
        }
    }

    /// Within the disk.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) {
        for (at, within, len) in pieces(offset, bytes.len()) {
            let chunk = self.chunks[within.0].get_or_insert_with(|| Arc::new([0; CHUNK]));
            let chunk = Arc::make_mut(chunk);
            chunk[within.1..within.1 + len].copy_from_slice(&bytes[at..at + len]);
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        (self.chunks.len() * CHUNK) as u64
    }

    /// Within the disk.
    pub(crate) fn read(&self, offset: u64, bytes: &mut [u8]) {
        for (at, within, len) in pieces(offset, bytes.len()) {
            let target = &mut bytes[at..at + len];
            match &self.chunks[within.0] {
                Some(chunk) => target.copy_from_slice(&chunk[within.1..within.1 + len]),
                None => target.fill(0),
            }
        }
    }

    /// As a sparse file, for whoever wants to look.
    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        let file = File::create(path)?;
        file.set_len(self.bytes())?;
        for (number, chunk) in self.chunks.iter().enumerate() {
            if let Some(chunk) = chunk {
                file.write_all_at(&chunk[..], (number * CHUNK) as u64)?;
            }
        }
        Ok(())
    }
}

/// Of so many bytes at `offset`: where each piece begins in them, its chunk with the place inside, and its length.
fn pieces(offset: u64, bytes: usize) -> impl Iterator<Item = (usize, (usize, usize), usize)> {
    let offset = offset as usize;
    let mut at = 0;
    std::iter::from_fn(move || {
        let (chunk, within) = ((offset + at) / CHUNK, (offset + at) % CHUNK);
        let len = (CHUNK - within).min(bytes - at);
        let piece = (at, (chunk, within), len);
        at += len;
        (len > 0).then_some(piece)
    })
}

#[test]
fn a_copy_keeps_what_the_original_overwrites() {
    let mut image = Image::empty(4 * CHUNK as u64);
    image.write(CHUNK as u64 - 3, b"across");
    let copy = image.clone();
    image.write(CHUNK as u64 - 1, b"!");
    let read = |image: &Image| {
        let mut bytes = [9; 8];
        image.read(CHUNK as u64 - 4, &mut bytes);
        bytes
    };
    assert_eq!(&read(&copy), b"\0across\0");
    assert_eq!(&read(&image), b"\0ac!oss\0");
}
