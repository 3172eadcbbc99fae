//! Ten thousand requests that a client should not send, and how a broker must end each: answer it, refuse it with an
//! error code, or close the connection.
//!
//! A module without ties to its neighbours, so that tests of a real broker include it by its path. Everything is drawn
//! from a seed.
//!
//! **Tags**: what can be read and means something is `Valid`; what can be read but asks for the impossible is `Error`;
//! what cannot be read, or is of an API or version not served, is `Close`: there is no layout to answer in. Only an
//! ApiVersions request of an unknown version has an answer, in the layout of version 0.

use ottla::base::ids::Uuid;
use ottla::base::prng::Prng;
use ottla::wire::header::ResponseHeader;
use ottla::wire::version::APIS;
use ottla::wire::{ApiKey, ErrorCode};

#[path = "example.rs"]
pub(crate) mod example;
#[path = "mutants.rs"]
pub(crate) mod mutants;
#[path = "requests.rs"]
pub(crate) mod requests;
#[path = "walk.rs"]
pub(crate) mod walk;

use example::notation::Api;
use example::{Direction, Shape, example, schemas, varint};
use mutants::{Parts, unreadable};
use requests::{Case, cases};
use walk::walk;

/// Frames for each version of an API that is served, and of one that is not.
pub(crate) const FRAMES_SERVED: usize = 80;
pub(crate) const FRAMES_UNSERVED: usize = 40;
/// Of these at least so many that cannot be read.
const UNREADABLE_MIN: usize = 20;

/// What the frames know of the broker: one topic to spoil.
pub(crate) struct World {
    pub(crate) topic: String,
    pub(crate) topic_id: Uuid,
    pub(crate) partitions: i32,
}

/// How a frame must end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// An answer without any error code.
    Valid,
    /// An answer with an error code, which is not UNKNOWN_SERVER_ERROR.
    Error,
    /// The connection is closed without an answer.
    Close,
}

pub(crate) struct HostileFrame {
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    /// Where the frame lies.
    pub(crate) what: String,
    pub(crate) fate: Fate,
    pub(crate) correlation_id: i32,
    /// As it goes onto the socket.
    pub(crate) bytes: Vec<u8>,
}

/// All frames, in order of API and version.
pub(crate) fn frames(world: &World, seed: u64) -> Vec<HostileFrame> {
    let mut prng = Prng::new(seed);
    let mut frames = Vec::new();
    for (api, schema) in APIS.iter().zip(schemas()) {
        for version in api.decodable.iter() {
            let mut drawing = Drawing {
                api: api.key,
                version,
                schema: &schema,
                prng: &mut prng,
            };
            let drawn = match api.served {
                true => drawing.of_served(world),
                false => drawing.of_unserved(),
            };
            frames.extend(drawn);
        }
    }
    frames
}

struct Drawing<'a> {
    api: ApiKey,
    version: i16,
    schema: &'a Api,
    prng: &'a mut Prng,
}

impl Drawing<'_> {
    fn of_served(&mut self, world: &World) -> Vec<HostileFrame> {
        let cases = cases(self.api, self.version, world);
        assert!(
            cases.len() + UNREADABLE_MIN <= FRAMES_SERVED,
            "{}",
            self.api
        );
        let mut frames: Vec<HostileFrame> = cases.iter().map(|case| self.honest(case)).collect();
        if self.api == ApiKey::ApiVersions {
            frames.extend(self.unknown_versions());
        }
        while frames.len() < FRAMES_SERVED {
            let case = &cases[self.prng.below(cases.len() as u64) as usize];
            frames.push(self.unreadable(case));
        }
        frames
    }

    /// Bodies of any kind: nobody reads them.
    fn of_unserved(&mut self) -> Vec<HostileFrame> {
        let frames = 0..FRAMES_UNSERVED;
        frames
            .map(|_| {
                let direction = Direction::Request;
                let body = example(self.schema, self.version, direction, Shape::Any, self.prng);
                let parts = self.parts(body);
                self.frame("not served", Fate::Close, &parts)
            })
            .collect()
    }

    /// A body that can be read, behind one of several headers.
    fn honest(&mut self, case: &Case) -> HostileFrame {
        let mut parts = self.parts(case.body.clone());
        let mut what = case.what.clone();
        match self.prng.below(7) {
            0 => {
                parts.client_id = vec![0xff; 2];
                what.push_str(", no client id");
            }
            1 => {
                parts.client_id = [&[0x7f, 0xff][..], &[b'c'; 0x7fff]].concat();
                what.push_str(", a long client id");
            }
            2 if self.is_flexible() => {
                parts.tagged = self.tagged_section();
                what.push_str(", tagged fields in the header");
            }
            3 => {
                if let Some(body) = self.with_tagged_fields(&parts.body) {
                    parts.body = body;
                    what.push_str(", tagged fields in the body");
                }
            }
            4 => {
                let count = 1 + self.prng.below(40) as usize;
                parts.body.extend(vec![self.prng.next_u64() as u8; count]);
                what.push_str(", bytes after the body");
            }
            _ => {}
        }
        self.frame(&what, case.fate, &parts)
    }

    fn unknown_versions(&mut self) -> Vec<HostileFrame> {
        let versions = [
            ApiKey::ApiVersions.api().decodable.last + 1,
            99,
            i16::MAX,
            -1,
            i16::MIN,
        ];
        let frame = |version| {
            let mut parts = self.parts(vec![7; 11]);
            parts.version = version;
            let header_is_flexible = self.schema.is_flexible(version);
            parts.tagged = if header_is_flexible {
                vec![0]
            } else {
                Vec::new()
            };
            self.frame(&format!("version {version}"), Fate::Error, &parts)
        };
        versions.map(frame).into()
    }

    fn unreadable(&mut self, case: &Case) -> HostileFrame {
        let parts = self.parts(case.body.clone());
        let found = walk(self.schema, self.version, Direction::Request, &case.body);
        let marks = found.expect("the case can be read").marks;
        let (lie, bytes) = unreadable(&parts, &marks, self.prng);
        let what = format!("{}: {lie}", case.what);
        HostileFrame {
            bytes,
            ..self.frame(&what, Fate::Close, &parts)
        }
    }

    fn parts(&mut self, body: Vec<u8>) -> Parts {
        Parts {
            api: self.api.number(),
            version: self.version,
            correlation_id: self.prng.next_u64() as i32,
            client_id: b"\0\x07hostile".to_vec(),
            tagged: if self.is_flexible() {
                vec![0]
            } else {
                Vec::new()
            },
            body,
        }
    }

    fn frame(&self, what: &str, fate: Fate, parts: &Parts) -> HostileFrame {
        HostileFrame {
            api: self.api,
            version: parts.version,
            what: what.to_owned(),
            fate,
            correlation_id: parts.correlation_id,
            bytes: parts.frame(),
        }
    }

    /// The body with fields that no version knows, where none are yet.
    fn with_tagged_fields(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        let without = body.strip_suffix(&[0])?;
        let longer = [without, &self.tagged_section()].concat();
        walk(self.schema, self.version, Direction::Request, &longer)
            .is_ok()
            .then_some(longer)
    }

    /// Fields that no version knows.
    fn tagged_section(&mut self) -> Vec<u8> {
        let mut section = varint(2);
        for tag in [4_000, 5_000_000] {
            let size = self.prng.below(300) as usize;
            section.extend(varint(tag));
            section.extend(varint(size as u32));
            section.extend(vec![0xaa; size]);
        }
        section
    }

    fn is_flexible(&self) -> bool {
        self.schema.is_flexible(self.version)
    }
}

/// Holds what a broker did against the tags of frames.
pub(crate) struct Judge(Vec<Api>);

impl Judge {
    pub(crate) fn new() -> Judge {
        Judge(schemas())
    }

    /// `answer` is a frame without its length; `None`, the connection was closed before there was one. An error says
    /// what was expected and what was seen.
    pub(crate) fn judge(&self, frame: &HostileFrame, answer: Option<&[u8]>) -> Result<(), String> {
        let HostileFrame {
            api,
            version,
            what,
            fate,
            ..
        } = frame;
        let verdict = match (fate, answer) {
            (Fate::Close, None) => Ok(()),
            (Fate::Close, Some(_)) => Err("answered, not closed".to_owned()),
            (_, None) => Err("closed, not answered".to_owned()),
            (_, Some(answer)) => self.judge_answer(frame, answer),
        };
        verdict.map_err(|error| format!("{api} {version}, {what}: tagged {fate:?}, {error}"))
    }

    fn judge_answer(&self, frame: &HostileFrame, answer: &[u8]) -> Result<(), String> {
        let is_known = frame.api.api().decodable.contains(frame.version);
        // The one answer to an unknown version is in version 0.
        let version = if is_known { frame.version } else { 0 };
        let header = 4 + ResponseHeader::version(frame.api, version) as usize;
        let (header, body) = answer
            .split_at_checked(header)
            .ok_or("an answer without header")?;
        if header[..4] != frame.correlation_id.to_be_bytes() {
            return Err(format!(
                "the answer is to another question, {:02x?}",
                &header[..4]
            ));
        }
        let schema = self
            .0
            .iter()
            .find(|schema| schema.key == frame.api.number());
        let schema = schema.ok_or("an API without a schema")?;
        let found = walk(schema, version, Direction::Response, body)?;
        let codes = found.error_codes.into_iter();
        let codes: Vec<i16> = codes
            .filter(|&code| code != ErrorCode::None.code())
            .collect();
        match frame.fate {
            _ if codes.contains(&ErrorCode::UnknownServerError.code()) => Err("a bug".to_owned()),
            Fate::Valid if !codes.is_empty() => Err(format!("refused with {codes:?}")),
            Fate::Error if codes.is_empty() => Err("no error code".to_owned()),
            _ => Ok(()),
        }
    }
}
