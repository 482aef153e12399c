//! A sequence diagram of box-drawing characters.
//!
//! A label stands in its arrow if the arrow is long enough, and above it if not. Every character is taken to be
//! one column wide.

use super::{Arrow, Chart, Violation, What, wrap};
use crate::trace::Trace;

/// Draws a trace for a terminal of `width` columns. Only names that need more than that make it wider.
#[must_use]
pub fn text(trace: &Trace, width: usize) -> String {
    let chart = Chart::of(trace);
    let mut canvas = Canvas::new(&chart, width);
    canvas.head(&chart.lanes);
    for row in &chart.rows {
        let first = canvas.lines.len();
        match &row.what {
            What::Arrow(arrow) => canvas.arrow(arrow),
            What::Note { lane, label } => canvas.note(*lane, label),
            What::Aside { label } => canvas.aside(label),
        }
        if let Some(step) = row.step {
            canvas.number(first, step);
        }
        if row.broke {
            canvas.broke(first);
        }
    }
    if let Some(violation) = &chart.violation {
        canvas.violation(violation);
    }
    canvas.finish()
}

/// Columns that a label in an arrow needs besides its own: a lane, a shaft and a blank before, and a blank and
/// the point after.
const AROUND_LABEL: usize = 5;
/// Blank columns between the names of neighbouring lanes.
const BETWEEN_NAMES: usize = 2;

struct Canvas {
    lines: Vec<Vec<char>>,
    /// The column of each lane.
    lanes: Vec<usize>,
    /// Columns for the numbers of steps.
    margin: usize,
    width: usize,
}

impl Canvas {
    fn new(chart: &Chart, width: usize) -> Self {
        let margin = chart.last_step().to_string().len() + 2;
        let lanes = columns(chart, margin, width);
        let last = lanes.last().zip(chart.lanes.last());
        let needed = last.map_or(0, |(column, name)| column + name.chars().count().div_ceil(2) + 1);
        Self { lines: Vec::new(), lanes, margin, width: width.max(needed).max(margin + 40) }
    }

    /// A new line with nothing but the lanes on it.
    fn lifelines(&mut self) -> &mut Vec<char> {
        let mut line = vec![' '; self.width];
        for &column in &self.lanes {
            line[column] = '│';
        }
        self.lines.push(line);
        self.lines.last_mut().expect("just pushed")
    }

    fn head(&mut self, names: &[String]) {
        let mut line = vec![' '; self.width];
        for (&column, name) in self.lanes.iter().zip(names) {
            put(&mut line, column - name.chars().count() / 2, name);
        }
        self.lines.push(line);
        self.lifelines();
    }

    fn number(&mut self, line: usize, step: usize) {
        let digits = self.margin - 2;
        put(&mut self.lines[line], 0, &format!("{step:>digits$}"));
    }

    /// A cross in the margin of these lines, and instead of the bullet of a note.
    fn broke(&mut self, first: usize) {
        let column = self.margin - 2;
        for line in &mut self.lines[first..] {
            line[column] = '✗';
            if let Some(bullet) = line.iter_mut().find(|cell| **cell == '●') {
                *bullet = '✗';
            }
        }
    }

    fn arrow(&mut self, arrow: &Arrow) {
        let (from, to) = (self.lanes[arrow.from], self.lanes[arrow.to]);
        let (left, right) = (from.min(to), from.max(to));
        let length = arrow.label.chars().count();
        let inside = length + AROUND_LABEL + usize::from(arrow.lost) <= right - left;
        if !inside {
            self.label_above(&arrow.label, usize::midpoint(left, right));
        }
        let crossed = self.lanes.clone();
        let line = self.lifelines();
        for (column, cell) in line.iter_mut().enumerate().take(right).skip(left + 1) {
            *cell = match (arrow.lost, crossed.contains(&column)) {
                (true, _) => '╌',
                (false, true) => '┼',
                (false, false) => '─',
            };
        }
        let (start, point, end) = match (from < to, arrow.lost) {
            (true, false) => ('├', '▶', to - 1),
            (false, false) => ('┤', '◀', to + 1),
            (true, true) => ('├', '✗', to - 2),
            (false, true) => ('┤', '✗', to + 2),
        };
        line[from] = start;
        line[end] = point;
        if arrow.lost {
            // It ends short of the lane that it does not reach.
            line[if from < to { to - 1 } else { to + 1 }] = ' ';
        }
        if inside {
            let room = right - left - 1 - usize::from(arrow.lost);
            let offset = if from < to { 1 } else { 1 + usize::from(arrow.lost) };
            put(line, left + offset + (room - length - 2) / 2, &format!(" {} ", arrow.label));
        }
    }

    /// The label of an arrow that is too short for it, around the middle of the arrow.
    fn label_above(&mut self, label: &str, middle: usize) {
        let (margin, width) = (self.margin, self.width);
        for part in wrap(label, width - margin - 2) {
            let length = part.chars().count() + 2;
            let start = middle.saturating_sub(length / 2).min(width - length).max(margin);
            put(self.lifelines(), start, &format!(" {part} "));
        }
    }

    fn note(&mut self, lane: usize, label: &str) {
        let column = self.lanes[lane];
        let length = label.chars().count();
        let (before, after) = (column - self.margin, self.width - column - 1);
        // To the right if it fits there, for that is the way to read; else where there is more room.
        let right = length + 2 <= after || after >= before;
        for (index, part) in wrap(label, after.max(before) - 2).into_iter().enumerate() {
            let line = self.lifelines();
            let mark = if index == 0 { '●' } else { '│' };
            if right {
                put(line, column + 1, &format!(" {part} "));
            } else {
                put(line, column - part.chars().count() - 2, &format!(" {part} "));
            }
            line[column] = mark;
        }
    }

    fn aside(&mut self, label: &str) {
        let (margin, width) = (self.margin, self.width);
        for part in wrap(label, width - margin - 8) {
            put(self.lifelines(), margin, &format!("── {part} ──"));
        }
    }

    fn violation(&mut self, violation: &Violation) {
        let (margin, width) = (self.margin, self.width);
        self.lifelines();
        self.lines.push("═".repeat(width).chars().collect());
        let text = format!("{} is violated: {}", violation.property, violation.says);
        for (index, part) in wrap(&text, width - margin).into_iter().enumerate() {
            let mut line = vec![' '; width];
            put(&mut line, margin, &part);
            if index == 0 {
                line[margin.saturating_sub(2)] = '✗';
            }
            self.lines.push(line);
        }
    }

    fn finish(self) -> String {
        let mut out = String::new();
        for line in self.lines {
            let line: String = line.into_iter().collect();
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

/// Writes text over a line; what does not fit is cut.
fn put(line: &mut [char], start: usize, text: &str) {
    for (cell, c) in line.iter_mut().skip(start).zip(text.chars()) {
        *cell = c;
    }
}

/// The column of each lane: as near to each other as the names allow, then apart until the labels fit, the
/// shortest first, as far as the width goes.
fn columns(chart: &Chart, margin: usize, width: usize) -> Vec<usize> {
    let lengths: Vec<usize> = chart.lanes.iter().map(|name| name.chars().count()).collect();
    let mut gaps: Vec<usize> =
        lengths.windows(2).map(|pair| (pair[0].div_ceil(2) + pair[1] / 2 + BETWEEN_NAMES).max(6)).collect();
    let first = margin + lengths.first().map_or(0, |length| length / 2);
    let end = lengths.last().map_or(0, |length| length.div_ceil(2) + 1);

    let mut wishes: Vec<(usize, usize, usize)> = chart
        .arrows()
        .map(|arrow| {
            let length = arrow.label.chars().count() + AROUND_LABEL + usize::from(arrow.lost);
            (length, arrow.from.min(arrow.to), arrow.from.max(arrow.to))
        })
        .collect();
    wishes.sort_unstable();
    for (length, left, right) in wishes {
        let between = &gaps[left..right];
        let missing = length.saturating_sub(between.iter().sum());
        let spare = width.saturating_sub(first + gaps.iter().sum::<usize>() + end);
        if missing <= spare {
            for (index, gap) in gaps[left..right].iter_mut().enumerate() {
                let count = right - left;
                *gap += missing / count + usize::from(index < missing % count);
            }
        }
    }

    let mut column = first;
    let mut columns: Vec<usize> = gaps
        .into_iter()
        .map(|gap| {
            let here = column;
            column += gap;
            here
        })
        .collect();
    if !chart.lanes.is_empty() {
        columns.push(column);
    }
    columns
}
