//! Columns of plain text: the first to the left, numbers to the right.

/// Between columns.
const GAP: usize = 2;

pub(crate) struct TextTable {
    /// How many columns, from the first, are words.
    words: usize,
    rows: Vec<Vec<String>>,
}

impl TextTable {
    pub(crate) fn new<'a>(words: usize, headings: impl IntoIterator<Item = &'a str>) -> TextTable {
        let headings = headings.into_iter().map(String::from).collect();
        TextTable {
            words,
            rows: vec![headings],
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let row: Vec<String> = cells.into_iter().collect();
        assert_eq!(row.len(), self.rows[0].len(), "a cell per column");
        self.rows.push(row);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    /// Lines, each with its end.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let widths: Vec<usize> = (0..self.rows[0].len())
            .map(|index| self.width(index))
            .collect();
        for row in &self.rows {
            let mut line = String::new();
            for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let room = " ".repeat(width - letters(cell));
                match index < self.words {
                    true => line.extend([cell, &room, &" ".repeat(GAP)].map(String::as_str)),
                    false => line.extend([&room, cell, &" ".repeat(GAP)].map(String::as_str)),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    fn width(&self, index: usize) -> usize {
        let widths = self.rows.iter().map(|row| letters(&row[index]));
        widths.max().unwrap_or(0)
    }
}

fn letters(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_below_each_other() {
        let mut table = TextTable::new(1, ["run", "p99, µs"]);
        table.row(["ottla".into(), "12".into()]);
        table.row(["é".into(), "1,200".into()]);
        assert_eq!(
            table.text(),
            "run    p99, µs\nottla       12\né        1,200\n"
        );
    }
}
