use super::*;
use crate::base::prng::Prng;

const CODECS: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

fn text(bytes: usize) -> Vec<u8> {
    let mut prng = Prng::new(3);
    (0..bytes).map(|_| b'a' + prng.below(7) as u8).collect()
}

#[test]
fn every_codec_reads_back_what_it_wrote() {
    for bytes in [0, 1, 31, 32 * 1024, 32 * 1024 + 1, 300_000] {
        let plain = text(bytes);
        for codec in Codec::ALL {
            let stored = compress(codec, &plain);
            let back = decompress(codec, &stored).map(Cow::into_owned);
            assert_eq!(back.as_ref(), Ok(&plain), "{codec:?} {bytes}");
        }
    }
}

#[test]
fn snappy_is_read_raw_and_in_xerial_frames() {
    let plain = text(100_000);
    let raw = snap::raw::Encoder::new().compress_vec(&plain).unwrap();
    let framed = compress(Codec::Snappy, &plain);
    assert!(framed.starts_with(&XERIAL_MAGIC) && !raw.starts_with(&XERIAL_MAGIC));
    for stored in [raw, framed] {
        let back = decompress(Codec::Snappy, &stored).map(Cow::into_owned);
        assert_eq!(back.as_ref(), Ok(&plain));
    }
}

fn lz4_frame(info: lz4_flex::frame::FrameInfo, plain: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// The Java client writes independent blocks of 64 KiB without a content size; others set other flags.
#[test]
fn lz4_frames_of_every_flavour_are_read() {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameInfo};
    let plain = text(200_000);
    for (mode, size) in [
        (BlockMode::Independent, BlockSize::Max64KB),
        (BlockMode::Linked, BlockSize::Max256KB),
        (BlockMode::Independent, BlockSize::Max4MB),
    ] {
        for checksums in [false, true] {
            let info = FrameInfo::new()
                .block_mode(mode)
                .block_size(size)
                .block_checksums(checksums)
                .content_checksum(checksums)
                .content_size(checksums.then_some(plain.len() as u64));
            let stored = lz4_frame(info, &plain);
            let back = decompress(Codec::Lz4, &stored).map(Cow::into_owned);
            assert_eq!(back.as_ref(), Ok(&plain), "{mode:?} {size:?} {checksums}");
        }
    }
}

/// Small inputs that expand past the floor; the snappy one only claims to.
#[test]
fn bombs_stop_at_the_cap() {
    let zeros = vec![0; DECOMPRESSED_FLOOR_BYTES + 1];
    let rows = [
        (Codec::Gzip, compress(Codec::Gzip, &zeros)),
        (Codec::Zstd, compress(Codec::Zstd, &zeros)),
        (Codec::Lz4, compress(Codec::Lz4, &zeros)),
        (Codec::Snappy, vec![0x80, 0x80, 0x80, 0x80, 0x04, 0x00]),
    ];
    for (codec, stored) in rows {
        let bytes_max = decompressed_bytes_max(stored.len());
        assert_eq!(
            bytes_max,
            DECOMPRESSED_FLOOR_BYTES,
            "{codec:?}: {}",
            stored.len()
        );
        let too_large = DecompressError::TooLarge { codec, bytes_max };
        assert_eq!(decompress(codec, &stored), Err(too_large));
    }
}

#[test]
fn xerial_blocks_share_one_cap() {
    let plain = vec![0; 1 << 20];
    let block = snap::raw::Encoder::new().compress_vec(&plain).unwrap();
    let mut stored = [XERIAL_MAGIC, XERIAL_VERSIONS].concat();
    for _ in 0..70 {
        stored.extend_from_slice(&(block.len() as u32).to_be_bytes());
        stored.extend_from_slice(&block);
    }
    let too_large = DecompressError::TooLarge {
        codec: Codec::Snappy,
        bytes_max: DECOMPRESSED_BYTES_MAX,
    };
    assert_eq!(decompress(Codec::Snappy, &stored), Err(too_large));
}

#[test]
fn zstd_window_is_bounded() {
    // A frame header that asks for a window of 2^31 bytes, then one empty last block.
    let stored = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00];
    let malformed = DecompressError::Malformed { codec: Codec::Zstd };
    assert_eq!(decompress(Codec::Zstd, &stored), Err(malformed));
    let small = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 13 << 3, 0x01, 0x00, 0x00];
    assert_eq!(decompress(Codec::Zstd, &small), Ok(Cow::Owned(Vec::new())));
}

#[test]
fn ratio_has_a_floor_and_a_ceiling() {
    for (stored, expected) in [
        (0, DECOMPRESSED_FLOOR_BYTES),
        (100, DECOMPRESSED_FLOOR_BYTES),
        (100_000, 20_000_000),
        (10_000_000, DECOMPRESSED_BYTES_MAX),
        (usize::MAX, DECOMPRESSED_BYTES_MAX),
    ] {
        assert_eq!(decompressed_bytes_max(stored), expected, "{stored}");
    }
}

/// Cut at every byte: an error, or what came before the cut. Followed by garbage: an error.
#[test]
fn damaged_input_is_an_error() {
    let plain = text(3_000);
    for codec in CODECS {
        let stored = compress(codec, &plain);
        for cut in 0..stored.len() {
            if let Ok(back) = decompress(codec, &stored[..cut]) {
                assert!(plain.starts_with(&back), "{codec:?} cut at {cut}");
            }
        }
        let garbage = [&stored[..], b"garbage"].concat();
        let malformed = DecompressError::Malformed { codec };
        assert_eq!(decompress(codec, &garbage), Err(malformed));
    }
}

#[test]
fn arbitrary_input_never_panics_and_never_exceeds_the_cap() {
    let mut prng = Prng::new(11);
    for codec in CODECS {
        let honest = compress(codec, &text(500));
        for _ in 0..500 {
            let mut stored = honest.clone();
            for _ in 0..1 + prng.below(4) {
                let at = prng.below(stored.len() as u64) as usize;
                stored[at] = prng.next_u64() as u8;
            }
            if let Ok(plain) = decompress(codec, &stored) {
                assert!(plain.len() <= decompressed_bytes_max(stored.len()));
            }
        }
    }
}
