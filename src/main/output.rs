//! What goes to standard output: a table for people or one JSON document for programs; and the question before
//! something is destroyed.

use super::failure::Failure;
use clap::{Args, ValueEnum};
use comfy_table::{CellAlignment, ContentArrangement, Table as Layout};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::io::{self, BufRead, ErrorKind, IsTerminal, Write};

#[derive(Args, Clone)]
pub(crate) struct Output {
    /// For people, or for programs: one JSON document, of a stream one object a line.
    #[arg(
        short,
        long = "output",
        value_enum,
        default_value = "table",
        global = true
    )]
    pub(crate) output: Format,
    /// Says what is asked of whom, and more about an error.
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Table,
    Json,
}

impl Output {
    pub(crate) fn is_json(&self) -> bool {
        self.output == Format::Json
    }

    /// Prints the document, or the tables that show the same.
    pub(crate) fn show(
        &self,
        document: &impl Serialize,
        tables: impl FnOnce() -> Vec<Table>,
    ) -> Result<(), Failure> {
        if self.is_json() {
            let text = serde_json::to_string_pretty(document).expect("documents are plain data");
            return print(&format!("{text}\n"));
        }
        let style = Style::of_terminal();
        let tables: Vec<String> = tables().iter().map(|table| table.render(style)).collect();
        print(&tables.join("\n"))
    }
}

/// A JSON object with one field, which others may join.
pub(crate) struct Document<T>(pub(crate) &'static str, pub(crate) T);

impl<T: Serialize> Serialize for Document<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.0, &self.1)?;
        map.end()
    }
}

/// A table under construction.
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

/// A heading, and whether numbers stand below it.
#[derive(Clone, Copy)]
pub(crate) enum Column {
    Text(&'static str),
    Number(&'static str),
}

/// What a terminal is given besides the text.
#[derive(Clone, Copy, Default)]
struct Style {
    bold: bool,
    width: Option<u16>,
}

impl Table {
    pub(crate) fn new(columns: &[Column]) -> Table {
        Table {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let row: Vec<String> = cells.into_iter().map(|cell| printable(&cell)).collect();
        assert_eq!(row.len(), self.columns.len(), "a cell per column");
        self.rows.push(row);
    }

    fn render(&self, style: Style) -> String {
        let mut layout = Layout::new();
        layout.load_style(comfy_table::presets::NOTHING);
        layout.set_header(self.columns.iter().map(|column| column.heading()));
        layout.add_rows(&self.rows);
        if let Some(width) = style.width {
            layout.set_content_arrangement(ContentArrangement::Dynamic);
            layout.set_width(width);
        }
        for (index, column) in self.columns.iter().enumerate() {
            let layout = layout.column_mut(index).expect("each column has a heading");
            layout.set_padding((0, 2));
            if let Column::Number(_) = column {
                layout.set_cell_alignment(CellAlignment::Right);
            }
        }
        let lines = layout.lines().enumerate().map(|(index, line)| {
            let line = line.trim_end();
            match style.bold && index == 0 {
                true => format!("\x1b[1m{line}\x1b[0m\n"),
                false => format!("{line}\n"),
            }
        });
        lines.collect()
    }
}

impl Column {
    fn heading(self) -> &'static str {
        match self {
            Column::Text(heading) | Column::Number(heading) => heading,
        }
    }
}

impl Style {
    fn of_terminal() -> Style {
        let output = io::stdout();
        if !output.is_terminal() {
            return Style::default();
        }
        let size = rustix::termios::tcgetwinsize(&output).ok();
        Style {
            bold: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
            width: size.map(|size| size.ws_col).filter(|columns| *columns > 0),
        }
    }
}

/// A name must not move the cursor.
pub(crate) fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// Writes all of it. A reader that has gone is no error of ours.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    let written = output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush());
    written.map_err(output_failure)
}

pub(crate) fn output_failure(error: io::Error) -> Failure {
    match error.kind() {
        ErrorKind::BrokenPipe => Failure::output_closed(),
        _ => Failure::new(format!("standard output: {error}")),
    }
}

/// Leave for something that cannot be taken back.
#[derive(Args, Clone)]
pub(crate) struct Leave {
    /// Does it without asking.
    #[arg(short, long)]
    yes: bool,
    /// Shows what would be done, and does nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl Leave {
    /// Tells the plan on standard error and asks. Without anybody to ask, only `--yes` is a yes.
    pub(crate) fn ask(&self, plan: &[String]) -> Result<(), Failure> {
        if self.yes || self.dry_run {
            return Ok(());
        }
        let input = io::stdin();
        if !input.is_terminal() {
            let first = plan.first().map_or("", String::as_str);
            let failure = Failure::usage(format!("{first}: nobody can be asked here"));
            return Err(failure.fix("--yes to do it, --dry-run to see what it would do"));
        }
        for line in plan {
            eprintln!("{}", printable(line));
        }
        eprint!("Go on? [y/N] ");
        let mut answer = String::new();
        let read = input.lock().read_line(&mut answer);
        match read.is_ok() && is_yes(&answer) {
            true => Ok(()),
            false => Err(Failure::new("nothing was changed")),
        }
    }
}

fn is_yes(answer: &str) -> bool {
    ["y", "yes"].contains(&answer.trim().to_lowercase().as_str())
}

/// A number, or a dash where there is none.
pub(crate) fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".into(), |value| value.to_string())
}

/// `1,2,3`.
pub(crate) fn list(numbers: &[i32]) -> String {
    let numbers: Vec<String> = numbers.iter().map(i32::to_string).collect();
    numbers.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&[Column::Text("NAME"), Column::Number("PARTITIONS")]);
        table.row(["orders".into(), "12".into()]);
        table.row(["日本".into(), "3".into()]);
        table
    }

    #[test]
    fn columns_are_aligned_whatever_the_script() {
        let text = table().render(Style::default());
        assert_eq!(
            text,
            "NAME    PARTITIONS\norders          12\n日本             3\n"
        );
    }

    #[test]
    fn a_terminal_gets_a_bold_heading_and_lines_of_its_width() {
        let style = Style {
            bold: true,
            width: Some(12),
        };
        let text = table().render(style);
        assert!(text.starts_with("\x1b[1mNAME"), "{text}");
        assert!(text.lines().count() > 3, "wrapped: {text}");
    }

    #[test]
    fn a_name_cannot_write_on_the_terminal() {
        let mut table = Table::new(&[Column::Text("NAME")]);
        table.row(["\x1b[2Jevil\n".into()]);
        let text = table.render(Style::default());
        assert!(
            !text.contains('\x1b') && text.lines().count() == 2,
            "{text:?}"
        );
    }

    #[test]
    fn only_yes_is_yes() {
        for (answer, is) in [
            ("y\n", true),
            ("Yes\n", true),
            ("\n", false),
            ("", false),
            ("yeah", false),
        ] {
            assert_eq!(is_yes(answer), is, "{answer:?}");
        }
    }
}
