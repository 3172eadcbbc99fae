//! What waits to be written: small parts copied, large ones shared, one vectored write for all.

use bytes::Bytes;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Write};

/// At least so large, a part is worth a slice of its own in a vectored write.
pub(crate) const SHARED_BYTES_MIN: usize = 4 * 1024;
/// Slices of one write: half a mebibyte of large batches. With more, the sink answers fetches a fifth slower.
const SLICES_MAX: usize = 16;
/// Written bytes kept in front of the copied ones before they are moved away.
const DONE_BYTES_MAX: usize = 1024 * 1024;

#[derive(Default)]
pub(crate) struct Outbound {
    copied: Vec<u8>,
    /// Of `copied`, how much has been written.
    copied_done: usize,
    pieces: VecDeque<Piece>,
    queued: u64,
    written: u64,
}

enum Piece {
    /// The next so many bytes of `copied`.
    Copied(usize),
    Shared(Bytes),
}

impl Outbound {
    pub(crate) fn copy(&mut self, bytes: &[u8]) {
        self.edit(|copied| copied.extend_from_slice(bytes));
    }

    /// Lets the caller append to the copied bytes in place.
    pub(crate) fn edit(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        let before = self.copied.len();
        append(&mut self.copied);
        let added = self
            .copied
            .len()
            .checked_sub(before)
            .expect("bytes are only appended");
        self.queued += added as u64;
        match self.pieces.back_mut() {
            Some(Piece::Copied(length)) => *length += added,
            _ => self.pieces.push_back(Piece::Copied(added)),
        }
    }

    pub(crate) fn share(&mut self, bytes: Bytes) {
        if bytes.len() < SHARED_BYTES_MIN {
            return self.copy(&bytes);
        }
        self.queued += bytes.len() as u64;
        self.pieces.push_back(Piece::Shared(bytes));
    }

    /// Bytes ever queued: where the next one stands.
    pub(crate) fn queued(&self) -> u64 {
        self.queued
    }

    /// Bytes ever written.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queued == self.written
    }

    pub(crate) fn pending(&self) -> u64 {
        self.queued - self.written
    }

    /// Writes until all is written or the socket takes no more.
    pub(crate) fn write(&mut self, socket: &mut impl Write) -> io::Result<()> {
        while !self.is_empty() {
            match self.write_once(socket) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.advance(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn write_once(&self, socket: &mut impl Write) -> io::Result<usize> {
        let mut at = self.copied_done;
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let count = self.pieces.len().min(SLICES_MAX);
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            *slice = match piece {
                Piece::Copied(length) => {
                    at += length;
                    IoSlice::new(&self.copied[at - length..at])
                }
                Piece::Shared(bytes) => IoSlice::new(bytes),
            };
        }
        match count {
            1 => socket.write(&slices[0]),
            _ => socket.write_vectored(&slices[..count]),
        }
    }

    fn advance(&mut self, mut count: usize) {
        self.written += count as u64;
        while count > 0 {
            let (piece_bytes, copied) =
                match self.pieces.front_mut().expect("written bytes were queued") {
                    Piece::Copied(length) => {
                        let taken = count.min(*length);
                        self.copied_done += taken;
                        *length -= taken;
                        (taken, *length == 0)
                    }
                    Piece::Shared(bytes) => {
                        let taken = count.min(bytes.len());
                        drop(bytes.split_to(taken));
                        (taken, bytes.is_empty())
                    }
                };
            count -= piece_bytes;
            if copied {
                self.pieces.pop_front();
            }
        }
        if self.is_empty() {
            self.pieces.clear();
            self.copied.clear();
            self.copied_done = 0;
        } else if self.copied_done > DONE_BYTES_MAX {
            self.copied.drain(..self.copied_done);
            self.copied_done = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A socket that takes a few bytes at a time.
    struct Narrow(Vec<u8>, usize);

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.1);
            self.0.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn bytes_leave_in_the_order_they_were_queued() {
        let large = Bytes::from(vec![7u8; SHARED_BYTES_MIN + 3]);
        for width in [1, 2, 1_000, 100_000] {
            let mut out = Outbound::default();
            let mut expected = Vec::new();
            for round in 0..5u8 {
                out.copy(&[round; 3]);
                out.copy(&[round; 2]);
                out.share(large.clone());
                expected.extend_from_slice(&[round; 5]);
                expected.extend_from_slice(&large);
            }
            let mut socket = Narrow(Vec::new(), width);
            out.write(&mut socket).expect("written");
            assert!(out.is_empty() && socket.0 == expected, "{width}");
        }
    }
}
