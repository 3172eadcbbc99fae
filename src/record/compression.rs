//! The four codecs of the record format, with a cap on what they may expand to. Used where single records are needed:
//! never when a batch enters or leaves the log.

use std::borrow::Cow;
use std::io::{Read, Write};

use super::batch::Codec;
use crate::base::limits::{
    DECOMPRESSED_BYTES_MAX, DECOMPRESSED_FLOOR_BYTES, DECOMPRESSED_RATIO_MAX, ZSTD_WINDOW_LOG_MAX,
};

/// What snappy-java puts before its blocks: this, a version and a compatible version of four bytes each. Then, per
/// block, a big-endian length and a raw snappy block.
const XERIAL_MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
const XERIAL_VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];
const XERIAL_BLOCK_BYTES: usize = 32 * 1024;

/// Why compressed bytes were given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecompressError {
    /// Not what the codec writes, or cut short, or followed by something else.
    Malformed { codec: Codec },
    /// Larger than `bytes_max`, which depends on the compressed size. Never allocated.
    TooLarge { codec: Codec, bytes_max: usize },
}

/// The most that `stored` bytes may expand to: a multiple of them, though a small batch may always reach the floor.
pub fn decompressed_bytes_max(stored: usize) -> usize {
    stored
        .saturating_mul(DECOMPRESSED_RATIO_MAX)
        .clamp(DECOMPRESSED_FLOOR_BYTES, DECOMPRESSED_BYTES_MAX)
}

/// The plain bytes, borrowed when there is no codec.
pub fn decompress(codec: Codec, stored: &[u8]) -> Result<Cow<'_, [u8]>, DecompressError> {
    let plain = match codec {
        Codec::None => return Ok(Cow::Borrowed(stored)),
        Codec::Gzip => read_capped(codec, stored, flate2::read::MultiGzDecoder::new(stored)),
        Codec::Snappy => decompress_snappy(stored),
        Codec::Lz4 => decompress_lz4(stored),
        Codec::Zstd => decompress_zstd(stored),
    }?;
    assert!(
        plain.len() <= decompressed_bytes_max(stored.len()),
        "the cap holds for every codec"
    );
    Ok(Cow::Owned(plain))
}

fn read_capped(codec: Codec, stored: &[u8], reader: impl Read) -> Result<Vec<u8>, DecompressError> {
    let bytes_max = decompressed_bytes_max(stored.len());
    let mut plain = Vec::new();
    reader
        .take(bytes_max as u64 + 1)
        .read_to_end(&mut plain)
        .map_err(|_| DecompressError::Malformed { codec })?;
    if plain.len() > bytes_max {
        return Err(DecompressError::TooLarge { codec, bytes_max });
    }
    Ok(plain)
}

/// One frame and nothing after it: its decoder does not look beyond the end mark.
fn decompress_lz4(stored: &[u8]) -> Result<Vec<u8>, DecompressError> {
    let codec = Codec::Lz4;
    let mut rest = stored;
    let decoder = lz4_flex::frame::FrameDecoder::new(&mut rest);
    let plain = read_capped(codec, stored, decoder)?;
    if rest.is_empty() {
        Ok(plain)
    } else {
        Err(DecompressError::Malformed { codec })
    }
}

fn decompress_zstd(stored: &[u8]) -> Result<Vec<u8>, DecompressError> {
    let codec = Codec::Zstd;
    let malformed = |_| DecompressError::Malformed { codec };
    let mut decoder = zstd::stream::read::Decoder::with_buffer(stored).map_err(malformed)?;
    decoder
        .window_log_max(ZSTD_WINDOW_LOG_MAX)
        .map_err(malformed)?;
    read_capped(codec, stored, decoder)
}

/// Framed when the frame's first bytes are there, else one raw block.
fn decompress_snappy(stored: &[u8]) -> Result<Vec<u8>, DecompressError> {
    let bytes_max = decompressed_bytes_max(stored.len());
    let mut plain = Vec::new();
    let Some(framed) = stored.strip_prefix(&XERIAL_MAGIC) else {
        append_snappy_block(stored, &mut plain, bytes_max)?;
        return Ok(plain);
    };
    let mut rest = framed
        .get(XERIAL_VERSIONS.len()..)
        .ok_or(MALFORMED_SNAPPY)?;
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk().ok_or(MALFORMED_SNAPPY)?;
        let length = u32::from_be_bytes(*length) as usize;
        let (block, after) = after.split_at_checked(length).ok_or(MALFORMED_SNAPPY)?;
        append_snappy_block(block, &mut plain, bytes_max)?;
        rest = after;
    }
    Ok(plain)
}

const MALFORMED_SNAPPY: DecompressError = DecompressError::Malformed {
    codec: Codec::Snappy,
};

/// A block names its plain size first: it is judged before anything is allocated.
fn append_snappy_block(
    block: &[u8],
    plain: &mut Vec<u8>,
    bytes_max: usize,
) -> Result<(), DecompressError> {
    let block_bytes = snap::raw::decompress_len(block).map_err(|_| MALFORMED_SNAPPY)?;
    if block_bytes > bytes_max - plain.len() {
        return Err(DecompressError::TooLarge {
            codec: Codec::Snappy,
            bytes_max,
        });
    }
    let start = plain.len();
    plain.resize(start + block_bytes, 0);
    let written = snap::raw::Decoder::new()
        .decompress(block, &mut plain[start..])
        .map_err(|_| MALFORMED_SNAPPY)?;
    assert_eq!(written, block_bytes, "a block fills the size it names");
    Ok(())
}

/// Compresses as the Java client does: gzip and zstd at their default level, snappy in Xerial frames, lz4 as a frame.
pub fn compress(codec: Codec, plain: &[u8]) -> Vec<u8> {
    match codec {
        Codec::None => plain.to_vec(),
        Codec::Gzip => {
            let level = flate2::Compression::default();
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(plain).expect(MEMORY);
            encoder.finish().expect(MEMORY)
        }
        Codec::Snappy => compress_snappy(plain),
        Codec::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(plain).expect(MEMORY);
            encoder.finish().expect(MEMORY)
        }
        Codec::Zstd => {
            zstd::stream::encode_all(plain, zstd::DEFAULT_COMPRESSION_LEVEL).expect(MEMORY)
        }
    }
}

const MEMORY: &str = "writing to memory does not fail";

fn compress_snappy(plain: &[u8]) -> Vec<u8> {
    let mut framed = [XERIAL_MAGIC, XERIAL_VERSIONS].concat();
    let mut encoder = snap::raw::Encoder::new();
    for chunk in plain.chunks(XERIAL_BLOCK_BYTES) {
        let block = encoder
            .compress_vec(chunk)
            .expect("a chunk is far below snappy's limit");
        let length = u32::try_from(block.len()).expect("a block is small");
        framed.extend_from_slice(&length.to_be_bytes());
        framed.extend_from_slice(&block);
    }
    framed
}

#[cfg(test)]
mod tests;
