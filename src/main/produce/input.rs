//! Standard input as records: read by a thread of its own, a little ahead, so that a slow writer is not waited for.

use super::Source;
use crate::failure::Failure;
use crate::json_record::Given;
use ottla::base::limits::{TOOL_LINE_BYTES_MAX, TOOL_READ_BYTES, TOOL_READS_AHEAD};
use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// One record to be.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Input {
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub(super) partition: Option<i32>,
    pub(super) timestamp: Option<i64>,
}

/// Whole lines, each with its end, except perhaps the last of all.
type Block = Result<Vec<u8>, Failure>;

/// What came of waiting for input.
pub(super) enum Next {
    Block(Vec<u8>),
    Nothing,
    End,
}

pub(super) struct Lines(Receiver<Block>);

impl Lines {
    /// `is_whole`: all of the input is one.
    pub(super) fn start(input: impl Read + Send + 'static, is_whole: bool) -> Lines {
        let (sender, receiver) = sync_channel(TOOL_READS_AHEAD);
        let mut input = BufReader::with_capacity(TOOL_READ_BYTES, input);
        thread::spawn(move || {
            if let Err(failure) = read(&mut input, is_whole, &sender) {
                // Nobody waits any more: the end is near anyway.
                let _ = sender.send(Err(failure));
            }
        });
        Lines(receiver)
    }

    pub(super) fn next(&self, wait: Duration) -> Result<Next, Failure> {
        match self.0.recv_timeout(wait) {
            Ok(block) => Ok(Next::Block(block?)),
            Err(RecvTimeoutError::Timeout) => Ok(Next::Nothing),
            Err(RecvTimeoutError::Disconnected) => Ok(Next::End),
        }
    }
}

/// Sends on what is there up to the last end of a line, and keeps the rest until its line is whole.
fn read(
    input: &mut impl BufRead,
    is_whole: bool,
    sender: &SyncSender<Block>,
) -> Result<(), Failure> {
    let mut rest = Vec::new();
    loop {
        let found = input.fill_buf();
        let found = found.map_err(|error| Failure::new(format!("standard input: {error}")))?;
        if found.is_empty() {
            break;
        }
        let lines = match is_whole {
            true => 0,
            false => found
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |last| last + 1),
        };
        let bytes = found.len();
        if lines > 0 {
            rest.extend_from_slice(&found[..lines]);
            if sender.send(Ok(std::mem::take(&mut rest))).is_err() {
                return Ok(());
            }
        }
        rest.extend_from_slice(&found[lines..]);
        input.consume(bytes);
        if rest.len() > TOOL_LINE_BYTES_MAX {
            let failure = Failure::new(format!(
                "standard input: a record of more than {TOOL_LINE_BYTES_MAX} bytes"
            ));
            return Err(failure.fix("end records with newlines"));
        }
    }
    if !rest.is_empty() {
        // Gone with whoever would read it.
        let _ = sender.send(Ok(rest));
    }
    Ok(())
}

/// Records of a block, in order.
pub(super) fn split(block: &[u8], is_whole: bool) -> Vec<&[u8]> {
    match is_whole {
        true => vec![block],
        false => {
            let lines = block.split_inclusive(|byte| *byte == b'\n');
            lines
                .map(|line| line.strip_suffix(b"\n").unwrap_or(line))
                .collect()
        }
    }
}

/// What one line of input means.
pub(super) fn parse(line: &[u8], source: &Source) -> Result<Input, String> {
    let mut input = match source.json {
        true => from_json(line, source)?,
        false => from_line(line, source),
    };
    if let Some(key) = &source.key {
        input.key = Some(key.clone().into_bytes());
    }
    let extra = source.headers.iter();
    let extra = extra.map(|header| {
        (
            header.key.clone().into_bytes(),
            Some(header.value.clone().into_bytes()),
        )
    });
    input.headers.extend(extra);
    if source.null_if_empty && input.value.as_deref() == Some(b"") {
        input.value = None;
    }
    Ok(input)
}

fn from_line(line: &[u8], source: &Source) -> Input {
    let separator = source.key_separator.as_deref().map(str::as_bytes);
    let cut = separator.and_then(|separator| {
        let at = line
            .windows(separator.len())
            .position(|window| window == separator)?;
        Some((&line[..at], &line[at + separator.len()..]))
    });
    let (key, value) = cut.map_or((None, line), |(key, value)| (Some(key), value));
    Input {
        key: key.map(<[u8]>::to_vec),
        value: Some(value.to_vec()),
        ..Input::default()
    }
}

fn from_json(line: &[u8], source: &Source) -> Result<Input, String> {
    if line.trim_ascii_start().first() != Some(&b'{') {
        return Err("no JSON object".into());
    }
    let mut given: Given = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    Ok(Input {
        key: given.take_key()?,
        value: given.take_value()?,
        headers: given.take_headers()?,
        partition: given.partition.filter(|_| source.keep_partitions),
        timestamp: given.timestamp()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(text: &[u8], is_whole: bool) -> Vec<Vec<u8>> {
        let (sender, receiver) = sync_channel(100);
        let mut input = BufReader::with_capacity(8, text);
        read(&mut input, is_whole, &sender).expect("bytes in memory");
        drop(sender);
        receiver
            .into_iter()
            .map(|block| block.expect("bytes"))
            .collect()
    }

    #[test]
    fn a_block_ends_with_a_line_wherever_the_input_was_cut() {
        let text: &[u8] = b"one\ntwo\nsomething longer than a buffer\n\nlast";
        let found = blocks(text, false);
        assert_eq!(found.concat(), text);
        let all: Vec<&[u8]> = found.iter().flat_map(|block| split(block, false)).collect();
        let expected: [&[u8]; 5] = [
            b"one",
            b"two",
            b"something longer than a buffer",
            b"",
            b"last",
        ];
        assert_eq!(all, expected);
        assert_eq!(blocks(text, true), [text]);
        assert_eq!(split(text, true), [text]);
        assert!(blocks(b"", false).is_empty());
    }

    fn source() -> Source {
        Source {
            json: false,
            key_separator: None,
            key: None,
            headers: Vec::new(),
            null_if_empty: false,
            keep_partitions: false,
            whole: false,
        }
    }

    #[test]
    fn a_line_is_a_value_or_a_key_and_a_value() {
        let with = |separator: &str| Source {
            key_separator: Some(separator.into()),
            null_if_empty: true,
            ..source()
        };
        for (line, source, key, value) in [
            (&b"a:b"[..], source(), None, Some(&b"a:b"[..])),
            (b"", source(), None, Some(b"")),
            (b"a:b:c", with(":"), Some(&b"a"[..]), Some(b"b:c")),
            (b":b", with(":"), Some(b""), Some(b"b")),
            (b"a:", with(":"), Some(b"a"), None),
            (b"ab", with(":"), None, Some(b"ab")),
            (b"a\xff=>\0", with("=>"), Some(b"a\xff"), Some(b"\0")),
        ] {
            let input = parse(line, &source).expect("any line is a record");
            assert_eq!(
                (input.key.as_deref(), input.value.as_deref()),
                (key, value),
                "{line:?}"
            );
        }
    }

    #[test]
    fn json_is_a_record_and_its_partition_is_kept_on_demand() {
        let json = Source {
            json: true,
            ..source()
        };
        let line = br#"{"partition":3,"offset":7,"key":"k","value":null,"timestamp":5}"#;
        let input = parse(line, &json).expect("a record");
        let expected = Input {
            key: Some(b"k".to_vec()),
            timestamp: Some(5),
            ..Input::default()
        };
        assert_eq!(input, expected);
        let kept = Source {
            keep_partitions: true,
            ..json
        };
        assert_eq!(parse(line, &kept).map(|input| input.partition), Ok(Some(3)));
        assert!(parse(b"{", &kept).is_err() && parse(b"[]", &kept).is_err());
    }
}
