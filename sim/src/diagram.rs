//! A [`Trace`] drawn: for the terminal, as Mermaid for documents, as SVG for everything else.
//!
//! All forms show the same chart: a lane for each node to which something happens, a row for each thing
//! that happens, a lost message crossed out, and the one that broke a property marked; at the end the property. Nothing here knows what a message means;
//! labels are text from outside and are escaped for the form they go into.

use serde::{Deserialize, Serialize};

use crate::trace::{Happening, Trace};

mod mermaid;
mod steps;
mod svg;
mod text;

pub use mermaid::mermaid;
pub use steps::{steps, told};
pub use svg::svg;
pub use text::text;

/// Columns that a diagram or a list of steps may take in a terminal.
pub const TERMINAL_WIDTH: usize = 110;

/// A form that a diagram can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Lanes of box-drawing characters.
    Text,
    /// A Mermaid `sequenceDiagram`.
    Mermaid,
    /// A drawing that needs nothing else: no script, no style sheet, no font file.
    Svg,
}

impl Form {
    /// Draws the trace in this form.
    #[must_use]
    pub fn draw(self, trace: &Trace) -> String {
        match self {
            Self::Text => text(trace, TERMINAL_WIDTH),
            Self::Mermaid => mermaid(trace),
            Self::Svg => svg(trace),
        }
    }
}

/// What all forms draw.
struct Chart {
    /// Names of the lanes, left to right. Nodes to which nothing happens have none.
    lanes: Vec<String>,
    rows: Vec<Row>,
    violation: Option<Violation>,
}

/// One thing that happens.
struct Row {
    /// The number of the step, on the first row that the step has.
    step: Option<usize>,
    what: What,
    /// This is what broke the property.
    broke: bool,
}

enum What {
    Arrow(Arrow),
    /// Something at a lane.
    Note {
        lane: usize,
        label: String,
    },
    /// A step that no lane has anything to say about.
    Aside {
        label: String,
    },
}

struct Arrow {
    from: usize,
    to: usize,
    label: String,
    lost: bool,
}

struct Violation {
    property: String,
    says: String,
}

impl Chart {
    fn of(trace: &Trace) -> Self {
        let lanes = Lanes::of(trace);
        let mut rows = Vec::new();
        for (index, step) in trace.steps.iter().enumerate() {
            let mut number = Some(index + 1);
            if step.happenings.is_empty() {
                let what = What::Aside { label: clean(&step.choice) };
                rows.push(Row { step: number.take(), what, broke: false });
            }
            let broke_at = trace.broke_at.filter(|_| index + 1 == trace.steps.len());
            for (at, happening) in step.happenings.iter().enumerate() {
                let what = lanes.place(happening);
                rows.push(Row { step: number.take(), what, broke: broke_at == Some(at) });
            }
        }
        let violation = trace
            .violation
            .as_ref()
            .map(|(property, says)| Violation { property: clean(property), says: clean(says) });
        Self { lanes: lanes.names, rows, violation }
    }

    /// The number of the last step that is drawn.
    fn last_step(&self) -> usize {
        self.rows.iter().filter_map(|row| row.step).max().unwrap_or(0)
    }

    fn arrows(&self) -> impl Iterator<Item = &Arrow> {
        self.rows.iter().filter_map(|row| match &row.what {
            What::Arrow(arrow) => Some(arrow),
            _ => None,
        })
    }
}

/// The lanes in use, and where the nodes went.
struct Lanes {
    names: Vec<String>,
    /// The nodes that have a lane, in its order.
    nodes: Vec<usize>,
}

impl Lanes {
    fn of(trace: &Trace) -> Self {
        let happenings = trace.steps.iter().flat_map(|step| &step.happenings);
        let mut nodes: Vec<usize> = happenings
            .flat_map(|happening| match *happening {
                Happening::Message { from, to, .. } | Happening::Lost { from, to, .. } => [from, to],
                Happening::At { node, .. } => [node, node],
            })
            .collect();
        nodes.sort_unstable();
        nodes.dedup();
        // A file may name a node that it does not list.
        let name = |&node: &usize| match trace.nodes.get(node) {
            Some(name) => clean(name),
            None => format!("node {node}"),
        };
        Self { names: nodes.iter().map(name).collect(), nodes }
    }

    fn lane(&self, node: usize) -> usize {
        self.nodes.binary_search(&node).expect("each node of a happening got a lane")
    }

    fn place(&self, happening: &Happening) -> What {
        let (from, to, label, lost) = match happening {
            Happening::Message { from, to, label } => (*from, *to, label, false),
            Happening::Lost { from, to, label } => (*from, *to, label, true),
            Happening::At { node, label } => {
                return What::Note { lane: self.lane(*node), label: clean(label) };
            }
        };
        let (from, to, label) = (self.lane(from), self.lane(to), clean(label));
        if from == to {
            let label = format!("to itself{}: {label}", if lost { ", lost" } else { "" });
            return What::Note { lane: from, label };
        }
        What::Arrow(Arrow { from, to, label, lost })
    }
}

/// Text in one line that neither a terminal nor a parser takes for anything but text.
fn clean(label: &str) -> String {
    let words: Vec<&str> = label.split_whitespace().collect();
    words.join(" ").chars().map(|c| if is_harmless(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// Text for SVG and HTML, in elements and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Control characters move a terminal's cursor, and so do those that turn the direction of writing; some others
/// are no characters of XML.
fn is_harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        && !matches!(c, '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}')
}

/// Breaks text between words into lines of at most `width` characters; a longer word has a line of its own, cut.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        if word.len() > width {
            word.truncate(width.saturating_sub(1));
            word.push('…');
        }
        let line = lines.last_mut().expect("there is always a last line");
        if line.is_empty() {
            line.extend(word);
        } else if line.chars().count() + 1 + word.len() <= width {
            line.push(' ');
            line.extend(word);
        } else {
            lines.push(word.into_iter().collect());
        }
    }
    lines
}

#[cfg(test)]
mod tests;
