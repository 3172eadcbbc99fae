//! What was read and is no whole frame yet.

use bytes::{Buf, Bytes, BytesMut};
use ottla::wire::frame::FRAME_LENGTH_BYTES;
use std::io::{self, ErrorKind, Read};

/// Larger than any answer or request that was asked for.
pub(crate) const FRAME_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A read offers at least so much room.
const READ_BYTES_LEAST: usize = 4 * 1024;

/// `buffer` is initialised to its end; the first `filled` bytes of it were read.
pub(crate) struct Inbound {
    buffer: BytesMut,
    filled: usize,
    read_bytes_min: usize,
}

impl Inbound {
    /// Reads so many bytes at once when the socket has them.
    pub(crate) fn new(read_bytes_min: usize) -> Inbound {
        Inbound {
            buffer: BytesMut::new(),
            filled: 0,
            read_bytes_min,
        }
    }

    /// Reads once. `Ok(false)`: there was nothing to read. The end of the stream is an error.
    pub(crate) fn read(&mut self, socket: &mut impl Read) -> io::Result<bool> {
        self.make_room();
        loop {
            match socket.read(&mut self.buffer[self.filled..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    self.filled += count;
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// True when the last read took less than it could have: the socket is empty.
    pub(crate) fn has_room(&self) -> bool {
        self.filled < self.buffer.len()
    }

    /// The next whole frame, without its length.
    pub(crate) fn frame(&mut self) -> io::Result<Option<Bytes>> {
        let Some(length) = self.frame_bytes()? else {
            return Ok(None);
        };
        let whole = FRAME_LENGTH_BYTES + length;
        if self.filled < whole {
            return Ok(None);
        }
        self.filled -= whole;
        let mut frame = self.buffer.split_to(whole).freeze();
        frame.advance(FRAME_LENGTH_BYTES);
        Ok(Some(frame))
    }

    /// As [`Inbound::frame`], for a look without ownership: no reference is counted.
    pub(crate) fn frames(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        let mut at = 0;
        while let Some(prefix) = self.buffer[at..self.filled].first_chunk() {
            let length = checked(*prefix)?;
            let end = at + FRAME_LENGTH_BYTES + length;
            if end > self.filled {
                break;
            }
            each(&self.buffer[at + FRAME_LENGTH_BYTES..end]);
            at = end;
        }
        self.buffer.copy_within(at..self.filled, 0);
        self.filled -= at;
        Ok(())
    }

    fn frame_bytes(&self) -> io::Result<Option<usize>> {
        let prefix = self.buffer[..self.filled].first_chunk();
        prefix.map(|prefix| checked(*prefix)).transpose()
    }

    fn make_room(&mut self) {
        let frame = self.frame_bytes().ok().flatten().unwrap_or(0) + FRAME_LENGTH_BYTES;
        let wanted = frame.max(self.filled + READ_BYTES_LEAST.min(self.read_bytes_min));
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted.max(self.read_bytes_min), 0);
        }
    }
}

fn checked(prefix: [u8; FRAME_LENGTH_BYTES]) -> io::Result<usize> {
    let length = u32::from_be_bytes(prefix) as usize;
    if length > FRAME_BYTES_MAX {
        let why = format!("a frame of {length} bytes: is it a Kafka listener without TLS?");
        return Err(io::Error::new(ErrorKind::InvalidData, why));
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_however_they_arrive() {
        let mut wire = Vec::new();
        for length in [10u32, 0, 5_000, 3] {
            wire.extend_from_slice(&length.to_be_bytes());
            wire.extend(vec![length as u8; length as usize]);
        }
        for (chunk, in_place) in [(1, true), (7, false), (64, true), (100_000, false)] {
            let mut inbound = Inbound::new(64);
            let mut lengths = Vec::new();
            for mut part in wire.chunks(chunk) {
                while !part.is_empty() {
                    inbound.read(&mut part).expect("read");
                    match in_place {
                        true => inbound
                            .frames(|frame| lengths.push(frame.len()))
                            .expect("frames"),
                        false => {
                            while let Some(frame) = inbound.frame().expect("a frame") {
                                lengths.push(frame.len());
                            }
                        }
                    }
                }
            }
            assert_eq!(lengths, [10, 0, 5_000, 3], "{chunk}");
        }
    }
}
