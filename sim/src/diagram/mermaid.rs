//! A sequence diagram in the language of Mermaid, for documents that render it.

use std::fmt::Write;

use super::{Chart, What};
use crate::trace::Trace;

/// Draws a trace as a Mermaid `sequenceDiagram`. Messages carry the number of their step; what broke a property
/// stands on red.
#[must_use]
pub fn mermaid(trace: &Trace) -> String {
    let chart = Chart::of(trace);
    let mut out = String::from("sequenceDiagram\n");
    for (lane, name) in chart.lanes.iter().enumerate() {
        let _ = writeln!(out, "    participant n{lane} as {}", escape(name));
    }
    let all = match chart.lanes.len() {
        // A note needs a lane to stand over.
        0 => {
            out.push_str("    participant n0 as nobody\n");
            "n0".to_owned()
        }
        1 => "n0".to_owned(),
        lanes => format!("n0,n{}", lanes - 1),
    };
    for row in &chart.rows {
        let number = row.step.map_or(String::new(), |step| format!("{step}. "));
        if row.broke {
            out.push_str("    rect rgba(220, 38, 38, 0.25)\n");
        }
        let _ = match &row.what {
            What::Arrow(arrow) => {
                let shaft = if arrow.lost { "-x" } else { "->>" };
                let lost = if arrow.lost { "lost, " } else { "" };
                let label = format!("{number}{lost}{}", escape(&arrow.label));
                writeln!(out, "    n{}{shaft}n{}: {label}", arrow.from, arrow.to)
            }
            What::Note { lane, label } => writeln!(out, "    Note over n{lane}: {number}{}", escape(label)),
            What::Aside { label } => writeln!(out, "    Note over {all}: {number}{}", escape(label)),
        };
        if row.broke {
            out.push_str("    end\n");
        }
    }
    if let Some(violation) = &chart.violation {
        let (property, says) = (escape(&violation.property), escape(&violation.says));
        let _ = writeln!(out, "    Note over {all}: ✗ VIOLATED {property}<br/>{says}");
    }
    out
}

/// Writes all but letters, digits and harmless punctuation as Mermaid's character codes, so that no label can
/// end its statement, open a directive or be taken for markup.
fn escape(label: &str) -> String {
    let mut out = String::with_capacity(label.len());
    for c in label.chars() {
        if c.is_alphanumeric() || " .,_-+/=()[]'!?→✗".contains(c) {
            out.push(c);
        } else {
            let _ = write!(out, "#{};", u32::from(c));
        }
    }
    out
}
