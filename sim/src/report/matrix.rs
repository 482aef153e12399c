//! A table of verdicts: what holds under which circumstances, as text, Markdown, JSON and HTML.

use std::fmt::Write;

use serde::Serialize;

use super::{counted, grouped};
use crate::diagram::escape;

/// A table of verdicts. Every row has a cell for each column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Matrix {
    /// What it shows.
    pub title: String,
    /// What the rows are, and what the columns: the words in its corner.
    pub corner: String,
    /// The rows.
    pub rows: Vec<Row>,
    /// The columns.
    pub columns: Vec<String>,
    /// The cells, row by row.
    pub cells: Vec<Vec<Cell>>,
}

/// The head of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What it has in common with its neighbours: a heading above the first of them. Empty if nothing.
    pub group: String,
    /// Its own name.
    pub name: String,
}

/// A verdict, and what it stands on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// The verdict.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// States that were visited for it, where that says something.
    pub states: Option<u64>,
}

/// A verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// True in every state.
    Holds,
    /// Not true in some state.
    Violated {
        /// Choices on the shortest way there that was found.
        steps: u64,
        /// Where it is told: a file, or a place in the page such as `#takeover-remote`.
        trace: Option<String>,
    },
    /// True because what it speaks of never happens here.
    NotReachable,
    /// A bound ended the check before there was a verdict.
    OutOfBounds,
    /// The violation of another property ended the check before there was a verdict.
    Open,
    /// Nobody says that it holds here.
    NotClaimed,
}

impl Outcome {
    /// In a word or two.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Holds => "holds".to_owned(),
            Self::Violated { steps, .. } => format!("✗ {steps} step{}", if *steps == 1 { "" } else { "s" }),
            Self::NotReachable => "vacuous".to_owned(),
            Self::OutOfBounds => "bound".to_owned(),
            Self::Open => "open".to_owned(),
            Self::NotClaimed => "–".to_owned(),
        }
    }

    /// The sign for the words, where a line explains it.
    const fn sign(&self) -> (&'static str, &'static str) {
        match self {
            Self::Holds => ("holds", "every state was visited, and it is true in all of them"),
            Self::Violated { .. } => ("✗", "violated, by a run of so many steps"),
            Self::NotReachable => ("vacuous", "true because what it speaks of never happens"),
            Self::OutOfBounds => ("bound", "a bound ended the check before there was a verdict"),
            Self::Open => ("open", "another violation ended the check before there was a verdict"),
            Self::NotClaimed => ("–", "not claimed"),
        }
    }

    const fn class(&self) -> &'static str {
        match self {
            Self::Holds => "good",
            Self::Violated { .. } => "bad",
            Self::NotReachable | Self::Open | Self::NotClaimed => "none",
            Self::OutOfBounds => "open",
        }
    }

    const fn trace(&self) -> Option<&String> {
        match self {
            Self::Violated { trace, .. } => trace.as_ref(),
            _ => None,
        }
    }
}

impl Cell {
    fn words(&self) -> String {
        let states = self.states.map_or(String::new(), |states| format!(" {}", short(states)));
        format!("{}{states}", self.outcome.words())
    }
}

impl Matrix {
    /// For a terminal: columns have letters, explained below the table.
    #[must_use]
    pub fn text(&self) -> String {
        let indent = if self.rows.iter().any(|row| !row.group.is_empty()) { 2 } else { 0 };
        let names = self.rows.iter().map(|row| row.name.chars().count() + indent);
        let first = names.chain([self.corner.chars().count()]).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.cells.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.words().chars().count()).chain([2]).max().unwrap_or(2)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let mut out = format!("{}\n\n{:first$}", self.title, self.corner);
        for (column, width) in widths.iter().enumerate() {
            let _ = write!(out, "  {:width$}", letter(column));
        }
        let mut group = "";
        for (row, cells) in self.rows.iter().zip(&self.cells) {
            if row.group != group {
                group = &row.group;
                let _ = write!(out, "\n{group}");
            }
            let _ = write!(out, "\n{:indent$}{:rest$}", "", row.name, rest = first - indent);
            for (cell, width) in cells.iter().zip(&widths) {
                let _ = write!(out, "  {:width$}", cell.words());
            }
        }
        let trimmed: Vec<&str> = out.lines().map(str::trim_end).collect();
        let mut out = trimmed.join("\n") + "\n\n";
        for (column, name) in self.columns.iter().enumerate() {
            let _ = writeln!(out, "{:2} {name}", letter(column));
        }
        out.push('\n');
        for (sign, says) in self.signs() {
            let _ = writeln!(out, "{sign:7}  {says}");
        }
        out
    }

    /// For documents: a table of Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let plain = |text: &str| {
            text.replace('\\', "\\\\").replace('|', "\\|").replace('\n', " ").replace('<', "&lt;")
        };
        let mut out = format!("### {}\n\n| {} |", plain(&self.title), plain(&self.corner));
        for column in &self.columns {
            let _ = write!(out, " {} |", plain(column));
        }
        let _ = write!(out, "\n|---|{}", "---|".repeat(self.columns.len()));
        for (row, cells) in self.rows.iter().zip(&self.cells) {
            let _ = write!(out, "\n| {} |", plain(&row.full_name()));
            for cell in cells {
                let words = plain(&cell.outcome.words());
                let words = match cell.outcome.trace() {
                    Some(trace) => format!("[{words}](<{}>)", trace.replace(['<', '>', '\n', '|'], "-")),
                    None => words,
                };
                let states = cell.states.map_or(String::new(), |states| format!(" ({})", grouped(states)));
                let _ = write!(out, " {words}{states} |");
            }
        }
        out.push_str("\n\n");
        for (sign, says) in self.signs() {
            let _ = writeln!(out, "- {sign}: {says}");
        }
        out
    }

    /// For a page that brings the style: a table, with what its signs mean below it.
    #[must_use]
    pub fn html(&self) -> String {
        let mut out = format!(
            "<div class=\"wide\"><table class=\"matrix\">\n<thead><tr><th>{}</th>",
            escape(&self.corner)
        );
        for column in &self.columns {
            let _ = write!(out, "<th scope=\"col\">{}</th>", escape(column).replace('_', "_<wbr>"));
        }
        out.push_str("</tr></thead>\n<tbody>\n");
        let mut group = "";
        for (row, cells) in self.rows.iter().zip(&self.cells) {
            if row.group != group {
                group = &row.group;
                let span = self.columns.len() + 1;
                let _ =
                    writeln!(out, "<tr class=\"group\"><th colspan=\"{span}\">{}</th></tr>", escape(group));
            }
            let _ = write!(out, "<tr><th scope=\"row\">{}</th>", escape(&row.name));
            for cell in cells {
                let words = escape(&cell.outcome.words());
                let words = match cell.outcome.trace() {
                    Some(trace) => format!("<a href=\"{}\">{words}</a>", escape(trace)),
                    None => words,
                };
                let states = cell.states.map_or(String::new(), |states| {
                    let said = counted(states, "state");
                    format!(" <small title=\"{said}\">{}</small>", short(states))
                });
                let _ = write!(out, "<td class=\"{}\">{words}{states}</td>", cell.outcome.class());
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</tbody></table></div>\n<p class=\"legend\">");
        for (sign, says) in self.signs() {
            let _ = write!(out, "<span><b>{}</b> {}</span> ", escape(sign), escape(says));
        }
        out.push_str("</p>\n");
        out
    }

    /// What the signs in its cells mean, each once, in a fixed order.
    fn signs(&self) -> Vec<(&'static str, &'static str)> {
        let all = [
            Outcome::Holds,
            Outcome::Violated { steps: 0, trace: None },
            Outcome::NotReachable,
            Outcome::OutOfBounds,
            Outcome::Open,
            Outcome::NotClaimed,
        ];
        let used =
            |outcome: &Outcome| self.cells.iter().flatten().any(|cell| cell.outcome.sign() == outcome.sign());
        all.iter().filter(|outcome| used(outcome)).map(Outcome::sign).collect()
    }
}

impl Row {
    fn full_name(&self) -> String {
        if self.group.is_empty() { self.name.clone() } else { format!("{}, {}", self.group, self.name) }
    }
}

/// The letters of columns: A to Z, then AA and so on.
fn letter(mut column: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(b'A' + (column % 26) as u8));
        if column < 26 {
            return letters.iter().rev().collect();
        }
        column = column / 26 - 1;
    }
}

/// A number in a few characters.
fn short(number: u64) -> String {
    let (unit, sign) = match number {
        0..1_000 => return number.to_string(),
        1_000..1_000_000 => (1_000, "k"),
        1_000_000..1_000_000_000 => (1_000_000, "M"),
        _ => (1_000_000_000, "G"),
    };
    let (whole, tenth) = (number / unit, number % unit * 10 / unit);
    if whole < 10 { format!("{whole}.{tenth}{sign}") } else { format!("{whole}{sign}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix() -> Matrix {
        let cell = |outcome, states| Cell { outcome, states };
        let row = |group: &str, name: &str| Row { group: group.to_owned(), name: name.to_owned() };
        let trace = Some("out/<a>|&\"b.svg".to_owned());
        Matrix {
            title: "Which rule which fault needs".to_owned(),
            corner: "fault / property".to_owned(),
            rows: vec![row("strict", "drop 1"), row("strict", "lose_cache | 1"), row("mope", "<none>")],
            columns: vec!["single_live_session".to_owned(), "authentic".to_owned(), "a|b".to_owned()],
            cells: vec![
                vec![
                    cell(Outcome::Holds, Some(335_293)),
                    cell(Outcome::NotReachable, Some(1_000)),
                    cell(Outcome::NotClaimed, None),
                ],
                vec![
                    cell(Outcome::OutOfBounds, Some(200_000_000)),
                    cell(Outcome::Holds, Some(9_999)),
                    cell(Outcome::Open, Some(0)),
                ],
                vec![
                    cell(Outcome::Violated { steps: 12, trace }, Some(158)),
                    cell(Outcome::Violated { steps: 1, trace: None }, None),
                    cell(Outcome::Holds, None),
                ],
            ],
        }
    }

    #[test]
    fn a_matrix_in_every_form() {
        let matrix = matrix();
        let json = serde_json::to_string_pretty(&matrix).expect("a matrix is data");
        insta::assert_snapshot!([matrix.text(), matrix.markdown(), matrix.html(), json].join("\n----\n"));
    }

    #[test]
    fn nothing_is_a_matrix_too() {
        let empty = Matrix::default();
        assert!(empty.text().lines().all(|line| line.trim().is_empty()));
        assert!(empty.html().contains("<table") && empty.markdown().contains("|---|"));
    }

    #[test]
    fn numbers_and_letters_are_short() {
        let numbers = [0, 999, 1_000, 9_999, 10_000, 999_999, 1_234_567, u64::MAX];
        assert_eq!(numbers.map(short), ["0", "999", "1.0k", "9.9k", "10k", "999k", "1.2M", "18446744073G"]);
        assert_eq!(
            [0, 25, 26, 27, 51, 52, 701, 702].map(letter),
            ["A", "Z", "AA", "AB", "AZ", "BA", "ZZ", "AAA"]
        );
    }
}
