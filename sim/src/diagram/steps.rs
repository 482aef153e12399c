//! A trace as stage directions: numbered, a line or two a step.

use std::fmt::Write;

use super::{clean, wrap};
use crate::trace::{Happening, Trace, TraceStep};

/// The steps of a trace as a numbered list, at most `width` columns wide, and the violation as its last line.
#[must_use]
pub fn steps(trace: &Trace, width: usize) -> String {
    let digits = trace.steps.len().to_string().len();
    let indent = digits + 2;
    let mut out = String::new();
    for (index, line) in told(trace).into_iter().enumerate() {
        let number = format!("{:>digits$}.", index + 1);
        write_item(&mut out, &number, &line, indent, width);
    }
    if let Some((property, says)) = &trace.violation {
        let line = format!("{} is violated: {}", clean(property), clean(says));
        write_item(&mut out, &format!("{:>digits$} ", "✗"), &line, indent, width);
    }
    out
}

/// Each step in one line, without its number. A cross stands before what broke a property.
#[must_use]
pub fn told(trace: &Trace) -> Vec<String> {
    let step = |(index, step): (usize, &TraceStep)| {
        let broke_at = trace.broke_at.filter(|_| index + 1 == trace.steps.len());
        let happenings = step.happenings.iter().enumerate();
        let told = happenings.map(|(at, happening)| {
            let cross = if broke_at == Some(at) { "✗ " } else { "" };
            format!("{cross}{}", tell(trace, happening))
        });
        let told: Vec<String> = told.collect();
        if told.is_empty() { clean(&step.choice) } else { told.join("; ") }
    };
    trace.steps.iter().enumerate().map(step).collect()
}

fn tell(trace: &Trace, happening: &Happening) -> String {
    let name = |node: usize| trace.nodes.get(node).map_or_else(|| format!("node {node}"), |name| clean(name));
    match happening {
        Happening::Message { from, to, label } => {
            format!("{} → {}: {}", name(*from), name(*to), clean(label))
        }
        Happening::Lost { from, to, label } => {
            format!("{} → {} lost: {}", name(*from), name(*to), clean(label))
        }
        Happening::At { node, label } => format!("{}: {}", name(*node), clean(label)),
    }
}

fn write_item(out: &mut String, mark: &str, text: &str, indent: usize, width: usize) {
    let lines = wrap(text, width.saturating_sub(indent).max(20));
    for (index, line) in lines.iter().enumerate() {
        let mark = if index == 0 { mark } else { "" };
        let pad = indent.saturating_sub(mark.chars().count());
        let _ = writeln!(out, "{mark}{:pad$}{line}", "");
    }
}
