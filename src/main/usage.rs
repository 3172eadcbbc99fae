//! A command line that cannot be meant: one line like any other error, where clap has a paragraph.

use super::arguments::Arguments;
use super::failure::Failure;
use clap::error::ErrorKind;
use clap::{CommandFactory, Error};
use std::process::ExitCode;

/// Help and version are no errors, and go to standard output as clap writes them.
pub(crate) fn tell(error: &Error) -> ExitCode {
    if !error.use_stderr() {
        // A closed standard output is nobody's business.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let words: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let failure = failure(error, &words);
    failure.tell(false);
    failure.exit()
}

fn failure(error: &Error, words: &[String]) -> Failure {
    let command = command(words);
    let line = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            format!("{command} needs a subcommand")
        }
        _ => said(&error.render().to_string()),
    };
    Failure::usage(line).fix(format!("{command} --help shows what it takes"))
}

/// What is wrong, in one line: the first paragraph. What follows are tips and usage.
fn said(text: &str) -> String {
    let paragraph = text.lines().take_while(|line| !line.is_empty());
    let lines: Vec<&str> = paragraph.map(str::trim).collect();
    let line = lines.join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

/// The subcommand that the words name, as far as they name one.
fn command(words: &[String]) -> String {
    let mut path = "ottla".to_owned();
    let mut command = Arguments::command();
    for word in words {
        if let Some(inner) = command.find_subcommand(word) {
            path = format!("{path} {}", inner.get_name());
            command = inner.clone();
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn wrong_usage_is_one_line_that_names_the_help() {
        for (words, text) in [
            (
                "group list --bogus",
                "unexpected argument '--bogus' found. Fix: ottla group list --help shows what it takes",
            ),
            (
                "produce",
                "the following required arguments were not provided: <TOPIC>. Fix: ottla produce --help shows what it \
                 takes",
            ),
            (
                "topic list -o xml",
                "invalid value 'xml' for '--output <OUTPUT>' [possible values: table, json]. Fix: ottla topic list \
                 --help shows what it takes",
            ),
            (
                "topic",
                "ottla topic needs a subcommand. Fix: ottla topic --help shows what it takes",
            ),
            (
                "acl list",
                "unrecognized subcommand 'acl'. Fix: ottla --help shows what it takes",
            ),
        ] {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            let parsed = Arguments::try_parse_from([&["ottla".to_owned()], &words[..]].concat());
            let error = parsed.err().expect("it cannot be meant");
            assert_eq!(failure(&error, &words).text(), text);
        }
    }
}
