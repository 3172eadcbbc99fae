//! Text that is safe inside a page, and tables.

use std::fmt::Write as _;

/// For element contents and quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // What no page may contain.
            _ if letter.is_control() && letter != '\n' => safe.push('\u{fffd}'),
            _ => safe.push(letter),
        }
    }
    safe
}

/// JSON for a script element: nothing in it can end the element or begin a comment.
pub(super) fn script_data(id: &str, value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string(value).expect("results are plain data");
    let text = text.replace('<', "\\u003c");
    format!("<script type=\"application/json\" id=\"{id}\">{text}</script>\n")
}

/// A heading, and whether numbers stand below it.
#[derive(Clone, Copy)]
pub(super) enum Column {
    Text(&'static str),
    Number(&'static str),
}

/// Rows of cells, scrolled sideways where the screen is narrow.
pub(super) struct Table {
    caption: &'static str,
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// HTML, and a class if it should stand out.
pub(super) struct Cell {
    html: String,
    class: &'static str,
}

impl Cell {
    pub(super) fn text(text: impl AsRef<str>) -> Cell {
        Cell::html(escape(text.as_ref()))
    }

    /// Of our own making.
    pub(super) fn html(html: String) -> Cell {
        Cell { html, class: "" }
    }

    pub(super) fn none() -> Cell {
        Cell {
            html: "–".into(),
            class: "none",
        }
    }

    pub(super) fn or_none(text: Option<impl AsRef<str>>) -> Cell {
        text.map_or_else(Cell::none, Cell::text)
    }

    pub(super) fn bad_when(self, bad: bool) -> Cell {
        match bad {
            true => Cell {
                class: "bad",
                ..self
            },
            false => self,
        }
    }

    pub(super) fn class(self, class: &'static str) -> Cell {
        Cell { class, ..self }
    }

    /// A quiet second line.
    pub(super) fn with_note(self, note: Option<String>) -> Cell {
        let note = note.map(|note| format!("<small>{}</small>", escape(&note)));
        Cell {
            html: self.html + &note.unwrap_or_default(),
            ..self
        }
    }
}

impl Table {
    pub(super) fn new(caption: &'static str, columns: &[Column]) -> Table {
        Table {
            caption,
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let row: Vec<Cell> = cells.into_iter().collect();
        assert_eq!(row.len(), self.columns.len(), "a cell per column");
        self.rows.push(row);
    }

    pub(super) fn html(&self) -> String {
        let mut html = String::new();
        if !self.caption.is_empty() {
            let _ = writeln!(html, "<p class=\"caption\">{}</p>", escape(self.caption));
        }
        html.push_str("<div class=\"scroll\" tabindex=\"0\"><table>\n");
        html.push_str("<thead><tr>");
        for column in &self.columns {
            let (class, heading) = column.parts();
            let _ = write!(html, "<th scope=\"col\"{class}>{}</th>", escape(heading));
        }
        html.push_str("</tr></thead>\n<tbody>\n");
        for row in &self.rows {
            html.push_str("<tr>");
            for (index, (cell, column)) in row.iter().zip(&self.columns).enumerate() {
                html.push_str(&cell.element(*column, index == 0));
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</tbody></table></div>\n");
        html
    }
}

impl Cell {
    fn element(&self, column: Column, first: bool) -> String {
        let number = matches!(column, Column::Number(_));
        let class = match (number, self.class) {
            (false, "") => String::new(),
            (false, class) => format!(" class=\"{class}\""),
            (true, "") => " class=\"n\"".into(),
            (true, class) => format!(" class=\"n {class}\""),
        };
        match first {
            true => format!("<th scope=\"row\"{class}>{}</th>", self.html),
            false => format!("<td{class}>{}</td>", self.html),
        }
    }
}

impl Column {
    fn parts(self) -> (&'static str, &'static str) {
        match self {
            Column::Text(heading) => ("", heading),
            Column::Number(heading) => (" class=\"n\"", heading),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(
            escape("<a b=\"'&\u{1b}"),
            "&lt;a b=&quot;&#39;&amp;\u{fffd}"
        );
        let data = script_data("runs", &"</script><!--");
        assert!(!data[32..data.len() - 10].contains('<'), "{data}");
    }
}
