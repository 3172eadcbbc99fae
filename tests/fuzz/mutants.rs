//! Frames that no broker can read, made from honest ones.

use ottla::base::limits::Limits;
use ottla::base::prng::Prng;
use ottla::wire::ApiKey;

use super::example::varint;
use super::walk::{Mark, MarkKind};

/// A request in its parts.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) api: i16,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    /// As encoded, its length included.
    pub(crate) client_id: Vec<u8>,
    /// The header's tagged section, empty where there is none.
    pub(crate) tagged: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

impl Parts {
    pub(crate) fn frame(&self) -> Vec<u8> {
        let mut frame = vec![0; 4];
        frame.extend(self.api.to_be_bytes());
        frame.extend(self.version.to_be_bytes());
        frame.extend(self.correlation_id.to_be_bytes());
        frame.extend(&self.client_id);
        frame.extend(&self.tagged);
        frame.extend(&self.body);
        with_length(frame)
    }
}

/// `frame` with the length of what follows it in its first four bytes.
fn with_length(mut frame: Vec<u8>) -> Vec<u8> {
    let length = frame.len() as u32 - 4;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame
}

/// One lie drawn at random: what it is, and the frame. `marks` are those of the body.
pub(crate) fn unreadable(honest: &Parts, marks: &[Mark], prng: &mut Prng) -> (String, Vec<u8>) {
    let mut parts = honest.clone();
    match prng.below(12) {
        0..=2 if !parts.body.is_empty() => {
            let end = prng.below(parts.body.len() as u64) as usize;
            parts.body.truncate(end);
            (format!("body cut at {end}"), parts.frame())
        }
        3..=8 if !marks.is_empty() => {
            let mark = &marks[prng.below(marks.len() as u64) as usize];
            let lies = lies(mark.kind);
            let lie = &lies[prng.below(lies.len() as u64) as usize];
            parts.body = replaced(&parts.body, mark, lie);
            (
                format!("{:?} at {} is {lie:02x?}", mark.kind, mark.start),
                parts.frame(),
            )
        }
        9 => length_lie(&parts, prng),
        10 => stranger(parts, prng),
        _ => header_lie(parts, prng),
    }
}

/// The length before the frame is one that no request has.
fn length_lie(parts: &Parts, prng: &mut Prng) -> (String, Vec<u8>) {
    let too_long = Limits::DEFAULT.request_bytes_max() as i32 + 1;
    let lengths = [-1, i32::MIN, 0, 9, too_long, i32::MAX];
    let length = lengths[prng.below(lengths.len() as u64) as usize];
    let mut frame = parts.frame();
    frame[..4].copy_from_slice(&length.to_be_bytes());
    (format!("frame length {length}"), frame)
}

/// An API or version of nobody.
fn stranger(mut parts: Parts, prng: &mut Prng) -> (String, Vec<u8>) {
    let drawn = prng.next_u64() as i16;
    // Whatever its version, an ApiVersions request is answered.
    if parts.api != ApiKey::ApiVersions.number() && prng.chance(50) {
        let api = ApiKey::from_number(parts.api).expect("an honest request");
        parts.version = match drawn {
            drawn if api.api().decodable.contains(drawn) => api.api().decodable.last + 1,
            drawn => drawn,
        };
    } else {
        parts.api = match ApiKey::from_number(drawn) {
            Some(_) => -1,
            None => drawn,
        };
    }
    (
        format!("API {} version {}", parts.api, parts.version),
        parts.frame(),
    )
}

fn header_lie(mut parts: Parts, prng: &mut Prng) -> (String, Vec<u8>) {
    if !parts.tagged.is_empty() && prng.chance(40) {
        let count = [u32::MAX, 65, 1 << 20][prng.below(3) as usize];
        parts.tagged = varint(count);
        return (
            format!("{count} tagged fields in the header"),
            parts.frame(),
        );
    }
    match prng.below(3) {
        0 => {
            let length = [i16::MIN, -2, i16::MAX][prng.below(3) as usize];
            parts.client_id = length.to_be_bytes().to_vec();
            parts.body.truncate(1000);
            (format!("client id of {length} bytes"), parts.frame())
        }
        1 => {
            parts.client_id = vec![0, 2, 0xc3, 0x28];
            ("client id that is not UTF-8".to_owned(), parts.frame())
        }
        _ => {
            let end = 4 + prng.below(10) as usize;
            (
                format!("header cut at {}", end - 4),
                with_length(parts.frame()[..end].to_vec()),
            )
        }
    }
}

/// Encodings that no honest body has in that place, whatever follows.
pub(crate) fn lies(kind: MarkKind) -> Vec<Vec<u8>> {
    let null = |nullable: bool, null: &[u8]| (!nullable).then(|| null.to_vec());
    match kind {
        MarkKind::ShortLength { nullable } => [i16::MAX, i16::MIN, -2]
            .map(|length| length.to_be_bytes().to_vec())
            .into_iter()
            .chain(null(nullable, &[0xff; 2]))
            .collect(),
        MarkKind::LongLength { nullable } => [i32::MAX, i32::MIN, -2, 1 << 24]
            .map(|length| length.to_be_bytes().to_vec())
            .into_iter()
            .chain(null(nullable, &[0xff; 4]))
            .collect(),
        MarkKind::CompactLength { nullable } => [u32::MAX, 1 << 31, 1 << 30, 1 << 15]
            .map(varint)
            .into_iter()
            .chain([vec![0xff; 5], vec![0x80; 10]])
            .chain(null(nullable, &[0]))
            .collect(),
        MarkKind::TagCount | MarkKind::TagSize => [u32::MAX, 1 << 20].map(varint).to_vec(),
        MarkKind::Text => vec![vec![0xff], vec![0xc0, 0xaf], vec![0xed, 0xa0, 0x80]],
    }
}

/// `bytes` with those of `mark` replaced; text keeps its length, which stands before it.
pub(crate) fn replaced(bytes: &[u8], mark: &Mark, lie: &[u8]) -> Vec<u8> {
    let mut middle = lie.to_vec();
    if mark.kind == MarkKind::Text {
        middle = bytes[mark.start..mark.end].to_vec();
        let length = lie.len().min(middle.len());
        middle[..length].copy_from_slice(&lie[..length]);
    }
    [&bytes[..mark.start], &middle, &bytes[mark.end..]].concat()
}
