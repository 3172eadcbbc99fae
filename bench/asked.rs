//! What of a bench is asked for: words of the command line select by name, none select all.

pub(crate) struct Asked {
    words: Vec<String>,
    /// `cargo bench` says so; `cargo test` runs the same, once and small.
    pub(crate) measuring: bool,
}

impl Asked {
    pub(crate) fn of_command_line() -> Asked {
        let arguments = std::env::args().skip(1);
        let (flags, words): (Vec<String>, Vec<String>) =
            arguments.partition(|argument| argument.starts_with('-'));
        let measuring = flags.iter().any(|flag| flag == "--bench");
        Asked { words, measuring }
    }

    pub(crate) fn includes(&self, name: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| name.contains(word.as_str()))
    }
}
