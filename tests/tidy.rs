//! The rules of the house that a machine can check: who may import whom, which words belong where, how large a
//! file or function may grow, and that every folder says what it is for.
//!
//! Plain Rust over the text of the tree. A new name in one of the tables is a design change: its own commit.

#[path = "tidy/source.rs"]
mod source;

use source::{
    Source, folders, functions, identifier, line_of, relative, root, sources, word_positions,
};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Folder of `src/`, and the folders it may import. An unlisted folder fails.
const LAYERS: &[(&str, &[&str])] = &[
    // A crate of its own, below the runtime.
    ("io_uring", &[]),
    ("base", &[]),
    ("metrics", &["base"]),
    ("config", &["base"]),
    ("record", &["base"]),
    ("wire", &["base"]),
    ("log", &["base", "record"]),
    ("group", &["base", "record"]),
    ("control", &["base", "config"]),
    ("partition", &["base", "config", "record", "log"]),
    ("storage", &["base", "metrics", "record", "log"]),
    (
        "shard",
        &[
            "base",
            "metrics",
            "config",
            "record",
            "group",
            "control",
            "partition",
            "storage",
        ],
    ),
    (
        "server",
        &[
            "base", "metrics", "config", "record", "wire", "control", "shard",
        ],
    ),
    ("admin", &["base", "metrics", "config", "control", "shard"]),
    (
        "boot",
        &[
            "base",
            "metrics",
            "config",
            "record",
            "wire",
            "log",
            "group",
            "control",
            "partition",
            "storage",
            "shard",
            "server",
            "admin",
        ],
    ),
    ("main", &["base", "config", "record", "wire", "log", "boot"]),
];

/// What the load generator may know of the broker: a client of the wire, as any other.
const LOADGEN: &[&str] = &["base", "record", "wire"];

/// Where sizes are held, and words that are allowed nowhere.
const TREES: &[&str] = &["src", "tests", "bench", "schemas", "loadgen"];

/// Everything from storage up; what lies below is the pure ring.
const RUNTIME: &[&str] = &["storage/", "shard/", "server/", "admin/", "boot/", "main/"];

/// A word of product code and the places (prefixes of the path below `src/`) that may use it.
const WORDS: &[(&str, &[&str])] = &[
    (
        "glommio",
        &[
            "storage/dma",
            "shard/driver",
            "shard/mailbox",
            "shard/deadlines",
            "shard/runtime",
            "server/listener",
            "server/connection",
            "boot/",
            "main/main.rs",
        ],
    ),
    ("tokio", &["admin/"]),
    ("axum", &["admin/"]),
    ("hyper", &["admin/"]),
    ("prometheus_client", &["admin/"]),
    ("async fn", RUNTIME),
    ("async move", RUNTIME),
    (".await", RUNTIME),
    ("std::fs", RUNTIME),
    ("std::net", RUNTIME),
    ("std::thread", RUNTIME),
    ("std::env", &["boot/", "main/"]),
    ("std::process", &["boot/", "main/"]),
    ("Instant::now", &["shard/clock", "boot/", "main/"]),
    ("SystemTime", &["shard/clock", "main/"]),
    ("getrandom", &["shard/entropy"]),
    ("rand::", &[]),
    ("RandomState", &[]),
    ("HashMap", &[]),
    ("HashSet", &[]),
    ("unsafe", &["io_uring/calls"]),
    ("error_code::", &["wire/", "server/", "main/"]),
    ("ErrorCode", &["wire/", "server/", "main/"]),
    ("kafka_protocol", &[]),
    ("println!", &["main/"]),
    ("eprintln!", &["main/"]),
    (".unwrap()", &[]),
];

/// Files inside a runtime folder that stay pure, and the words they must do without.
const PURE_FILES: &[&str] = &["server/errors", "server/fetch_sessions"];
const PURE_WORDS: &[&str] = &[
    "async fn",
    "async move",
    ".await",
    "std::fs",
    "std::net",
    "std::thread",
];

/// Never, not in tests either. Spelled in two halves so that this file obeys its own rule.
const NOWHERE: &[(&str, &str)] = &[
    ("dbg", "!"),
    ("todo", "!"),
    ("unimplemented", "!"),
    ("#[ign", "ore"),
    ("super::", "super"),
];
/// Never, not in comments either.
const NOWHERE_IN_TEXT: &[(&str, &str)] = &[("FIX", "ME"), ("XX", "X:")];

const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 600;
const FRONT_PAGE_LINES_MAX: usize = 80;
const FRONT_PAGE_WORDS: &[&str] = &["**Owns**", "**Never**", "**Invariants**", "**Enter at**"];

#[test]
fn folders_import_only_what_lies_below_them() {
    let mut faults = Faults::default();
    for source in sources("src") {
        layers(&source, &mut faults);
    }
    for source in sources("loadgen") {
        loadgen_imports(&source, &mut faults);
    }
    faults.none();
}

#[test]
fn words_stay_where_they_belong() {
    let mut faults = Faults::default();
    for source in sources("src") {
        words(&source, &mut faults);
    }
    for folder in TREES {
        for source in sources(folder) {
            words_of_nowhere(&source, &mut faults);
        }
    }
    faults.none();
}

#[test]
fn files_and_functions_stay_small() {
    let mut faults = Faults::default();
    for folder in TREES {
        for source in sources(folder) {
            sizes(&source, &mut faults);
        }
    }
    faults.none();
}

#[test]
fn every_folder_has_a_front_page_without_logic() {
    let mut faults = Faults::default();
    for tree in ["src", "loadgen/src"] {
        for folder in folders(&root().join(tree)) {
            front_page(&folder, &mut faults);
        }
    }
    faults.none();
}

#[test]
fn readme_maps_every_folder() {
    let mut faults = Faults::default();
    let Ok(readme) = fs::read_to_string(root().join("README.md")) else {
        println!("skipped: there is no README yet");
        return;
    };
    for folder in mapped_folders() {
        if !readme.contains(&format!("{folder}/")) {
            faults.add(
                "README.md",
                1,
                format!("the code map does not name `{folder}/`"),
            );
        }
    }
    faults.none();
}

/// Unwinding would free buffers that the kernel still writes from, and leave a process without one of its shards.
#[test]
fn profiles_of_the_binary_abort_on_panic() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    for profile in ["[profile.dev]", "[profile.release]"] {
        let (_, rest) = manifest.split_once(profile).expect("the profile");
        let section = rest.split("\n[").next().unwrap_or(rest);
        assert!(section.contains("panic = \"abort\""), "{profile}");
    }
}

/// The checks themselves: each planted fault is found, and only that.
#[test]
fn planted_faults_are_found() {
    let rows: &[(&str, &str, &str)] = &[
        (
            "log/a.rs",
            "use crate::storage::disk;",
            "log may not import storage",
        ),
        (
            "log/a.rs",
            "use crate::{base::ids, wire::frame};",
            "log may not import wire",
        ),
        ("log/a.rs", "// crate::storage\nuse crate::base;", ""),
        ("log/a.rs", "let a = \"crate::storage .await\";", ""),
        ("log/a.rs", "x.await;", "`.await`"),
        ("shard/a.rs", "use glommio::X;", "`glommio`"),
        ("shard/driver.rs", "use glommio::X;", ""),
        ("storage/a.rs", "unsafe { }", "`unsafe`"),
        ("storage/a.rs", "let x = unsafely;", ""),
        ("server/errors.rs", "async fn x() {}", "`async fn`"),
        ("base/a.rs", "x.unwrap();", "`.unwrap()`"),
        (
            "base/a.rs",
            "#[cfg(test)]\nmod tests { fn a() { x.unwrap(); } }",
            "",
        ),
        (
            "base/a.rs",
            "#[cfg(test)]\nmod tests;\nfn b() { x.unwrap(); }",
            "`.unwrap()`",
        ),
        ("base/tests.rs", "x.unwrap();", ""),
        (
            "base/a.rs",
            "let a = '\"'; x.unwrap(); let b = '\"';",
            "`.unwrap()`",
        ),
        (
            "base/a.rs",
            "fn a<'a>(x: &'a str) { r#\"x.unwrap()\"# }",
            "",
        ),
        ("wat/a.rs", "", "unlisted folder"),
    ];
    for &(path, text, expected) in rows {
        let mut faults = Faults::default();
        let source = Source::new(path, Some(path), text);
        layers(&source, &mut faults);
        words(&source, &mut faults);
        let matches = if expected.is_empty() {
            faults.0.is_empty()
        } else {
            faults.0.len() == 1 && faults.0[0].contains(expected)
        };
        assert!(
            matches,
            "{path}: {text:?} expected {expected:?}, found {:?}",
            faults.0
        );
    }
}

#[test]
fn a_generator_that_knows_too_much_is_found() {
    for (text, count) in [
        ("use ottla::wire::frame;", 0),
        ("use ottla::{base::ids, log::cursor};", 1),
        ("#[cfg(test)]\nmod tests { use ottla::storage::x; }", 1),
    ] {
        let mut faults = Faults::default();
        loadgen_imports(&Source::new("loadgen/src/a.rs", None, text), &mut faults);
        assert_eq!(faults.0.len(), count, "{text}");
    }
}

#[test]
fn planted_sizes_are_found() {
    let long = format!("fn long(\n) {{\n{}}}\nfn short() {{}}\n", "x;\n".repeat(68));
    let large = "fn f() {}\n".repeat(601);
    let tested = format!(
        "{}#[cfg(test)]\nmod tests {{\n{}}}\n",
        "fn f() {}\n".repeat(599),
        "\nfn f() {}".repeat(50)
    );
    for (text, count) in [(&long, 1), (&large, 1), (&tested, 0)] {
        let mut faults = Faults::default();
        sizes(
            &Source::new("base/a.rs", Some("base/a.rs"), text),
            &mut faults,
        );
        assert_eq!(faults.0.len(), count, "{:?}", faults.0);
    }
    assert!(is_list_of_modules(
        "mod a; pub mod b;\n#[cfg(x)] pub(crate) use a::{b, c};"
    ));
    assert!(!is_list_of_modules("mod a; const X: u8 = 1;"));
    assert!(!is_list_of_modules("mod a { fn f() {} }"));
}

fn layers(source: &Source, faults: &mut Faults) {
    let Some(folder) = source.folder() else {
        return;
    };
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == folder) else {
        faults.add(
            &source.name,
            1,
            format!("unlisted folder `{folder}`: a layer is a design decision"),
        );
        return;
    };
    // The binary is a crate of its own, its `crate::` is its own folder.
    let roots: &[&str] = if folder == "main" {
        &["ottla::"]
    } else {
        &["crate::", "ottla::"]
    };
    for (line, import) in imports(&source.code, roots) {
        if import != folder && !allowed.contains(&import.as_str()) {
            faults.add(
                &source.name,
                line,
                format!("{folder} may not import {import}"),
            );
        }
    }
}

fn loadgen_imports(source: &Source, faults: &mut Faults) {
    for (line, import) in imports(&source.code_with_tests, &["ottla::"]) {
        if !LOADGEN.contains(&import.as_str()) {
            faults.add(
                &source.name,
                line,
                format!("loadgen may not import {import}"),
            );
        }
    }
}

/// Top-level modules named after one of the roots, with their lines; groups are looked into.
fn imports(code: &str, roots: &[&str]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for root in roots {
        for position in word_positions(code, root) {
            let rest = &code[position + root.len()..];
            let line = line_of(code, position);
            match rest.trim_start().strip_prefix('{') {
                Some(group) => {
                    found.extend(group_heads(group).into_iter().map(|name| (line, name)))
                }
                None => found.push((line, identifier(rest.trim_start()))),
            }
        }
    }
    found.retain(|(_, name)| name.starts_with(|c: char| c.is_ascii_lowercase()));
    found
}

/// First names of the comma-separated parts of a `use` group, which ends at its closing brace.
fn group_heads(group: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let mut depth = 0;
    let mut part = String::new();
    for letter in group.chars() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.push(identifier(std::mem::take(&mut part).trim_start())),
            _ => part.push(letter),
        }
    }
    heads.push(identifier(part.trim_start()));
    heads.retain(|head| !head.is_empty());
    heads
}

fn words(source: &Source, faults: &mut Faults) {
    let Some(place) = source.place.as_deref() else {
        return;
    };
    for (word, allowed) in WORDS {
        if !allowed.iter().any(|prefix| place.starts_with(prefix)) {
            forbid(source, word, &allowed.join(", "), faults);
        }
    }
    if PURE_FILES.iter().any(|prefix| place.starts_with(prefix)) {
        for word in PURE_WORDS {
            forbid(source, word, "the shells beside this pure file", faults);
        }
    }
}

fn forbid(source: &Source, word: &str, allowed: &str, faults: &mut Faults) {
    for position in word_positions(&source.code, word) {
        let place = if allowed.is_empty() {
            "nowhere"
        } else {
            allowed
        };
        faults.add(
            &source.name,
            line_of(&source.code, position),
            format!("`{word}` is allowed in: {place}"),
        );
    }
}

fn words_of_nowhere(source: &Source, faults: &mut Faults) {
    for (text, table) in [
        (&source.code_with_tests, NOWHERE),
        (&source.text, NOWHERE_IN_TEXT),
    ] {
        for (head, tail) in table {
            let word = format!("{head}{tail}");
            for position in word_positions(text, &word) {
                faults.add(
                    &source.name,
                    line_of(text, position),
                    format!("`{word}` is allowed nowhere"),
                );
            }
        }
    }
}

fn sizes(source: &Source, faults: &mut Faults) {
    let lines = source
        .counted()
        .lines()
        .filter(|line| !line.trim().is_empty())
        .count();
    if lines > FILE_LINES_MAX {
        faults.add(
            &source.name,
            1,
            format!("{lines} lines of code, at most {FILE_LINES_MAX}"),
        );
    }
    for (name, first, last) in functions(&source.code_with_tests) {
        let lines = last - first + 1;
        if lines > FUNCTION_LINES_MAX {
            faults.add(
                &source.name,
                first,
                format!("function `{name}` has {lines} lines, at most {FUNCTION_LINES_MAX}"),
            );
        }
    }
}

fn front_page(folder: &Path, faults: &mut Faults) {
    if folder.with_extension("rs").exists() {
        // Parts of one file, `x/` beside `x.rs`: the file is their front page.
        return;
    }
    let main = folder.join("main.rs");
    let page = if main.exists() {
        main
    } else {
        folder.join("mod.rs")
    };
    let name = relative(&page);
    let Ok(text) = fs::read_to_string(&page) else {
        faults.add(&name, 1, "the folder has no front page".into());
        return;
    };
    let header: String = text
        .lines()
        .filter(|line| line.starts_with("//!"))
        .collect();
    for word in FRONT_PAGE_WORDS {
        if !header.contains(word) {
            faults.add(&name, 1, format!("the front page lacks {word}"));
        }
    }
    if page.ends_with("main.rs") {
        return;
    }
    let lines = text.lines().count();
    if lines > FRONT_PAGE_LINES_MAX {
        faults.add(
            &name,
            1,
            format!("{lines} lines, at most {FRONT_PAGE_LINES_MAX}"),
        );
    }
    if !is_list_of_modules(&Source::new(&name, None, &text).code) {
        faults.add(
            &name,
            1,
            "a front page lists modules and re-exports, nothing else".into(),
        );
    }
}

/// True when each statement is `mod x;` or `use x;`, whatever its visibility and attributes.
fn is_list_of_modules(code: &str) -> bool {
    without_attributes(code)
        .split(';')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .all(|item| {
            let item = item
                .strip_prefix("pub(crate)")
                .or(item.strip_prefix("pub"))
                .unwrap_or(item)
                .trim_start();
            let module = item
                .strip_prefix("mod ")
                .is_some_and(|name| identifier(name).len() == name.len());
            module || item.starts_with("use ")
        })
}

fn without_attributes(code: &str) -> String {
    let mut kept = String::new();
    let mut rest = code;
    while let Some(start) = rest.find('#') {
        kept.push_str(&rest[..start]);
        let mut depth = 0;
        let end = rest[start..].char_indices().find_map(|(position, letter)| {
            match letter {
                '[' => depth += 1,
                ']' => depth -= 1,
                _ => return None,
            }
            (depth == 0).then_some(start + position + 1)
        });
        rest = &rest[end.unwrap_or(rest.len())..];
    }
    kept + rest
}

/// Folders a reader must find in the README: those of `src/`, and the ones beside it.
fn mapped_folders() -> BTreeSet<String> {
    let mut names: BTreeSet<String> = LAYERS
        .iter()
        .map(|(name, _)| name.to_string())
        .filter(|name| root().join("src").join(name).exists())
        .collect();
    for name in ["schemas", "bench", "loadgen", "tuning"] {
        if root().join(name).exists() {
            names.insert(name.into());
        }
    }
    for folder in folders(&root().join("tests")) {
        if folder.parent() == Some(&root().join("tests")) {
            names.insert(relative(&folder));
        }
    }
    names
}

#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, name: &str, line: usize, what: String) {
        self.0.push(format!("{name}:{line}: {what}"));
    }

    fn none(self) {
        let mut text = String::new();
        for fault in &self.0 {
            writeln!(text, "  {fault}").expect("writing to a string");
        }
        assert!(self.0.is_empty(), "{} faults\n{text}", self.0.len());
    }
}
