//! The values of records: filler of a given size, or pieces of a real file.

use crate::failure::Failure;
use ottla::base::prng::Prng;
use std::path::Path;

/// Larger files are refused: the payload is held in memory.
const PAYLOAD_BYTES_MAX: u64 = 1024 * 1024 * 1024;

#[derive(Clone, Debug)]
pub(crate) enum Values {
    /// Between two sizes, each as likely.
    Filler { bytes: (usize, usize) },
    /// Pieces of a file in turn: its lines, or slices of one size.
    Pieces { pieces: Vec<Vec<u8>>, next: usize },
}

impl Values {
    /// `bytes` cuts the file into slices; without it a record is a line.
    pub(crate) fn of_file(path: &Path, bytes: Option<usize>) -> Result<Values, Failure> {
        let unreadable = |error: std::io::Error| {
            Failure::usage(format!("--payload {}: {error}", path.display()))
        };
        let length = std::fs::metadata(path).map_err(unreadable)?.len();
        if length > PAYLOAD_BYTES_MAX {
            return Err(Failure::usage(format!(
                "--payload {} is larger than 1 GiB",
                path.display()
            )));
        }
        let content = std::fs::read(path).map_err(unreadable)?;
        let pieces: Vec<Vec<u8>> = match bytes {
            Some(bytes) => content.chunks(bytes.max(1)).map(<[u8]>::to_vec).collect(),
            None => content
                .split(|&byte| byte == b'\n')
                .filter(|line| !line.is_empty())
                .map(<[u8]>::to_vec)
                .collect(),
        };
        match pieces.is_empty() {
            true => Err(Failure::usage(format!(
                "--payload {} is empty",
                path.display()
            ))),
            false => Ok(Values::Pieces { pieces, next: 0 }),
        }
    }

    pub(crate) fn bytes_min(&self) -> usize {
        match self {
            Values::Filler { bytes } => bytes.0,
            Values::Pieces { pieces, .. } => pieces.iter().map(Vec::len).min().unwrap_or(0),
        }
    }

    pub(crate) fn bytes_max(&self) -> usize {
        match self {
            Values::Filler { bytes } => bytes.1,
            Values::Pieces { pieces, .. } => pieces.iter().map(Vec::len).max().unwrap_or(0),
        }
    }

    pub(crate) fn next(&mut self, prng: &mut Prng) -> Vec<u8> {
        match self {
            Values::Filler {
                bytes: (least, most),
            } => {
                let bytes = *least as u64 + prng.below((*most - *least) as u64 + 1);
                filler(bytes as usize, prng)
            }
            Values::Pieces { pieces, next } => {
                let piece = pieces[*next].clone();
                *next = (*next + 1) % pieces.len();
                piece
            }
        }
    }
}

/// Half a byte of chance in each: compresses to about half, as records of programs do.
fn filler(bytes: usize, prng: &mut Prng) -> Vec<u8> {
    const LETTERS: &[u8; 16] = b"abcdefghijklmnop";
    (0..bytes)
        .map(|_| LETTERS[prng.below(16) as usize])
        .collect()
}
