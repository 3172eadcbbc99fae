//! The file of golden frames.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use ottla::wire::ApiKey;
use ottla::wire::version::APIS;

use crate::example::Direction;

pub(crate) struct Golden {
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    pub(crate) direction: Direction,
    /// Length, header, body.
    pub(crate) bytes: Vec<u8>,
}

impl Golden {
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.api, self.version)
    }
}

pub(crate) fn golden_frames() -> Vec<Golden> {
    let text = fs::read_to_string(path()).expect("tests/golden/wire.hex is there");
    text.lines().map(parse).collect()
}

fn parse(line: &str) -> Golden {
    let words: Vec<&str> = line.split(' ').collect();
    let [name, version, direction, hex] = words[..] else {
        panic!("{line} is not `API version direction bytes`");
    };
    let api = APIS
        .iter()
        .find(|api| api.name == name)
        .expect("the API is in the table");
    let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("bytes are hexadecimal");
    Golden {
        api: api.key,
        version: version.parse().expect("a version is a number"),
        direction: match direction {
            "request" => Direction::Request,
            "response" => Direction::Response,
            _ => panic!("{direction} is no direction"),
        },
        bytes: (0..hex.len()).step_by(2).map(digits).collect(),
    }
}

#[allow(dead_code, reason = "only the golden test itself writes")]
pub(crate) fn write(frames: &[Golden]) {
    let mut text = String::new();
    for golden in frames {
        let direction = match golden.direction {
            Direction::Request => "request",
            Direction::Response => "response",
        };
        let _ = write!(text, "{} {direction} ", golden.name());
        for byte in &golden.bytes {
            let _ = write!(text, "{byte:02x}");
        }
        text.push('\n');
    }
    fs::write(path(), text).expect("tests/golden can be written");
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/wire.hex")
}
