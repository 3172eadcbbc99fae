//! Rust source as text: comments, literals and tests blanked, so that a search finds code and nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// One file, as written and with everything blanked that is not code. Line numbers are the same in all three.
pub(crate) struct Source {
    pub(crate) name: String,
    /// Path below `src/`.
    pub(crate) place: Option<String>,
    pub(crate) text: String,
    /// Comments and literals blanked.
    pub(crate) code_with_tests: String,
    /// Items under `#[cfg(test)]` blanked as well; nothing is left of a `tests.rs` in `src/`.
    pub(crate) code: String,
}

impl Source {
    pub(crate) fn new(name: &str, place: Option<&str>, text: &str) -> Source {
        let code_with_tests = blank_comments_and_literals(text);
        let is_test =
            place.is_some_and(|place| place.ends_with("/tests.rs") || place.contains("/tests/"));
        let code = if is_test {
            String::new()
        } else {
            blank_tests(&code_with_tests)
        };
        Source {
            name: name.into(),
            place: place.map(Into::into),
            text: text.into(),
            code,
            code_with_tests,
        }
    }

    /// What the size limit of a file is about: without its tests, unless it is tests.
    pub(crate) fn counted(&self) -> &str {
        if self.code.is_empty() {
            &self.code_with_tests
        } else {
            &self.code
        }
    }

    pub(crate) fn folder(&self) -> Option<&str> {
        self.place
            .as_deref()?
            .split_once('/')
            .map(|(folder, _)| folder)
    }
}

fn blank_tests(code: &str) -> String {
    let mut out = code.to_string();
    let marker = "#[cfg(test)]";
    let mut from = 0;
    while let Some(found) = out[from..].find(marker) {
        let start = from + found;
        let item = start + marker.len();
        let end = match body_end(&out[item..]) {
            Some(end) => item + end + 1,
            None => out[item..]
                .find(';')
                .map_or(out.len(), |end| item + end + 1),
        };
        let blank: String = out[start..end]
            .chars()
            .map(|c| if c == '\n' { '\n' } else { ' ' })
            .collect();
        out.replace_range(start..end, &blank);
        from = start + blank.len();
    }
    out
}

/// Replaces the content of comments, strings and characters by blanks, byte for byte.
fn blank_comments_and_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(bytes, at);
        if end > at {
            for (offset, byte) in out[at..end].iter_mut().enumerate() {
                let edge = bytes[at] != b'/' && (offset == 0 || at + offset + 1 == end);
                if *byte != b'\n' && !edge {
                    *byte = b' ';
                }
            }
            at = end;
        } else {
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// End of the comment or literal that starts at `at`, or `at` when none does.
fn literal_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let word_before = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    match rest {
        [b'/', b'/', ..] => at + rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => at + block_comment_len(rest),
        [b'r', b'"' | b'#', ..] if !word_before => at + raw_string_len(rest),
        [b'b', b'r', b'"' | b'#', ..] if !word_before => at + 1 + raw_string_len(&rest[1..]),
        [b'"', ..] => at + quoted_len(rest, b'"'),
        [b'\'', b'\\', ..] => at + quoted_len(rest, b'\''),
        [b'\'', ..] => {
            // A character literal closes after one character, a lifetime does not close.
            let width = 1 + rest[1..]
                .iter()
                .skip(1)
                .take_while(|b| **b & 0xc0 == 0x80)
                .count();
            if rest.get(1 + width) == Some(&b'\'') {
                at + width + 2
            } else {
                at
            }
        }
        _ => at,
    }
}

fn block_comment_len(rest: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn raw_string_len(rest: &[u8]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&b| b == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return 0;
    }
    let mut close = vec![b'"'];
    close.extend(std::iter::repeat_n(b'#', hashes));
    let body = &rest[hashes + 2..];
    let end = body.windows(close.len()).position(|window| window == close);
    end.map_or(rest.len(), |end| hashes + 2 + end + close.len())
}

fn quoted_len(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// Where `word` stands in `code`, not as a part of a longer name.
pub(crate) fn word_positions(code: &str, word: &str) -> Vec<usize> {
    let is_name = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let bytes = code.as_bytes();
    let bounded_start = is_name(word.as_bytes().first());
    let bounded_end = is_name(word.as_bytes().last());
    code.match_indices(word)
        .map(|(position, _)| position)
        .filter(|&position| {
            let before = position.checked_sub(1).and_then(|before| bytes.get(before));
            let after = bytes.get(position + word.len());
            !(bounded_start && is_name(before) || bounded_end && is_name(after))
        })
        .collect()
}

pub(crate) fn identifier(code: &str) -> String {
    code.chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect()
}

pub(crate) fn line_of(text: &str, position: usize) -> usize {
    text[..position].matches('\n').count() + 1
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn relative(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

/// All folders below `top`, not `top` itself.
pub(crate) fn folders(top: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(top) else {
        return found;
    };
    for entry in entries.flatten() {
        if entry.path().is_dir()
            && entry.file_name() != "target"
            && entry.file_name() != "__pycache__"
        {
            found.push(entry.path());
            found.extend(folders(&entry.path()));
        }
    }
    found.sort();
    found
}

/// Every Rust file below a folder of the repository.
pub(crate) fn sources(folder: &str) -> Vec<Source> {
    let top = root().join(folder);
    let mut by_name = BTreeMap::new();
    for directory in folders(&top).into_iter().chain([top.clone()]) {
        let Ok(entries) = fs::read_dir(&directory) else {
            continue;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("source files are text");
                let place = path
                    .strip_prefix(root().join("src"))
                    .ok()
                    .map(|place| place.display().to_string());
                by_name.insert(
                    relative(&path),
                    Source::new(&relative(&path), place.as_deref(), &text),
                );
            }
        }
    }
    by_name.into_values().collect()
}

/// Name, first and last line of every function with a body.
pub(crate) fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for position in word_positions(code, "fn ") {
        let name = identifier(&code[position + 3..]);
        if let Some(end) = body_end(&code[position..]) {
            found.push((name, line_of(code, position), line_of(code, position + end)));
        }
    }
    found
}

/// Where the item that starts at the head of `code` ends: at its closing brace, or None when it has no body.
pub(crate) fn body_end(code: &str) -> Option<usize> {
    let mut inner = 0;
    for (position, letter) in code.char_indices() {
        match letter {
            '(' | '[' => inner += 1,
            ')' | ']' => inner -= 1,
            ';' if inner == 0 => return None,
            '{' if inner == 0 => return Some(position + matching_brace(&code[position..])),
            _ => {}
        }
    }
    None
}

fn matching_brace(code: &str) -> usize {
    let mut depth = 0;
    for (position, letter) in code.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return position;
        }
    }
    code.len().saturating_sub(1)
}
