//! A sequence diagram as a drawing that stands alone.
//!
//! All styles are attributes and every arrow brings its own head, so that a page may contain several drawings
//! without their mixing. The width of text is estimated: a drawing does not know the fonts of its viewer.

use std::fmt::Write;

use super::{Arrow, Chart, Row, Violation, What, escape, wrap};
use crate::trace::Trace;

mod layout;

use layout::{Layout, Placed};

/// Draws a trace as an SVG document, for a light background, which it brings along.
#[must_use]
pub fn svg(trace: &Trace) -> String {
    let chart = Chart::of(trace);
    let layout = Layout::of(&chart);
    let mut drawing = Drawing { out: String::new(), layout: &layout };
    drawing.open(&chart);
    drawing.bands();
    drawing.broken();
    drawing.lifelines();
    drawing.heads(&chart.lanes, layout::PAD);
    for placed in &layout.rows {
        drawing.row(placed);
    }
    if let Some(top) = layout.feet {
        drawing.heads(&chart.lanes, top);
    }
    if let Some(violation) = &chart.violation {
        drawing.violation(violation);
    }
    drawing.out.push_str("</svg>\n");
    drawing.out
}

const INK: &str = "#1e293b";
const FAINT: &str = "#94a3b8";
const PAPER: &str = "#ffffff";
const BAND: &str = "#f6f8fb";
const BROKEN: &str = "#fbd5d5";
const LOST: &str = "#b45309";
const RED: &str = "#b91c1c";
const FONT: &str = "ui-sans-serif, system-ui, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif";

struct Drawing<'a> {
    out: String,
    layout: &'a Layout<'a>,
}

impl Drawing<'_> {
    fn open(&mut self, chart: &Chart) {
        let Layout { width, height, .. } = *self.layout;
        let _ = writeln!(
            self.out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"{FONT}\" font-size=\"{}\">",
            layout::FONT_SIZE
        );
        let title = match &chart.violation {
            Some(violation) => format!("Sequence of messages that violates {}", violation.property),
            None => "Sequence of messages".to_owned(),
        };
        let _ = writeln!(self.out, "<title>{}</title>", escape(&title));
        self.rect(0, 0, width, height, &format!("fill=\"{PAPER}\""));
    }

    /// Every other step on a faint band, so that the eye finds what belongs together.
    fn bands(&mut self) {
        for band in self.layout.bands.iter().skip(1).step_by(2) {
            self.rect(0, band.start, self.layout.width, band.end - band.start, &format!("fill=\"{BAND}\""));
        }
    }

    /// What broke the property, on red from side to side.
    fn broken(&mut self) {
        for placed in self.layout.rows.iter().filter(|placed| placed.row.broke) {
            self.rect(0, placed.top, self.layout.width, placed.height, &format!("fill=\"{BROKEN}\""));
            self.rect(0, placed.top, 4, placed.height, &format!("fill=\"{RED}\""));
        }
    }

    fn lifelines(&mut self) {
        let bottom = self.layout.feet.unwrap_or(self.layout.end);
        for &x in &self.layout.lanes {
            let _ = writeln!(
                self.out,
                "<line x1=\"{x}\" y1=\"{}\" x2=\"{x}\" y2=\"{bottom}\" stroke=\"#cbd5e1\" stroke-width=\"1.5\"/>",
                layout::PAD + layout::HEAD
            );
        }
    }

    fn heads(&mut self, names: &[String], top: u32) {
        for (&x, name) in self.layout.lanes.iter().zip(names) {
            let width = layout::head_width(name);
            let style = "rx=\"6\" fill=\"#e8eefc\" stroke=\"#7c93d1\"";
            self.rect(x - width / 2, top, width, layout::HEAD, style);
            let style = format!("fill=\"{INK}\" font-weight=\"600\"");
            self.text(x, top + layout::HEAD / 2 + 5, "middle", &style, name);
        }
    }

    fn row(&mut self, placed: &Placed<'_>) {
        let Placed { row: Row { step, what, broke }, top, .. } = placed;
        if *broke {
            let style = format!("fill=\"{RED}\" font-size=\"16\" font-weight=\"700\"");
            self.text(8, top + layout::LINE, "start", &style, "✗");
        }
        if let Some(step) = step {
            let style = format!("fill=\"{FAINT}\" font-size=\"12\"");
            let y = top + layout::LINE;
            self.text(layout::GUTTER - 12, y, "end", &style, &step.to_string());
        }
        match what {
            What::Arrow(arrow) => self.arrow(arrow, placed),
            What::Note { lane, .. } => {
                let style = "rx=\"4\" fill=\"#fdf6d8\" stroke=\"#d9b949\"";
                self.boxed(self.layout.lanes[*lane], placed, style);
            }
            What::Aside { .. } => {
                let style = format!("rx=\"4\" fill=\"#eef1f5\" stroke=\"{FAINT}\"");
                self.boxed((layout::GUTTER + self.layout.width - layout::PAD) / 2, placed, &style);
            }
        }
    }

    fn arrow(&mut self, arrow: &Arrow, placed: &Placed<'_>) {
        let (from, to) = (self.layout.lanes[arrow.from], self.layout.lanes[arrow.to]);
        let y = placed.top + placed.height - 9;
        let ink = if arrow.lost { LOST } else { INK };
        // A halo in the colour of the paper, for labels that are wider than their arrow and cross a lane.
        let halo = match placed {
            Placed { row: Row { broke: true, .. }, .. } => BROKEN,
            Placed { banded: true, .. } => BAND,
            Placed { .. } => PAPER,
        };
        let struck = if arrow.lost { "text-decoration=\"line-through\" " } else { "" };
        let style = format!(
            "{struck}fill=\"{ink}\" stroke=\"{halo}\" stroke-width=\"5\" stroke-linejoin=\"round\" paint-order=\"stroke\""
        );
        let middle = self.layout.within(u32::midpoint(from, to), placed.text_width());
        for (index, line) in (0..).zip(&placed.lines) {
            self.text(middle, placed.top + layout::LINE + index * layout::LINE, "middle", &style, line);
        }
        let back = |distance: u32| if from < to { to - distance } else { to + distance };
        if arrow.lost {
            let end = back(26);
            let _ = writeln!(
                self.out,
                "<line x1=\"{from}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\" stroke=\"{LOST}\" stroke-width=\"1.5\" \
                 stroke-dasharray=\"6 4\"/>",
                back(34)
            );
            let _ = writeln!(
                self.out,
                "<path d=\"M{} {}l12 12m0 -12l-12 12\" stroke=\"{LOST}\" stroke-width=\"2.5\" \
                 stroke-linecap=\"round\" fill=\"none\"/>",
                end - 6,
                y - 6
            );
        } else {
            let _ = writeln!(
                self.out,
                "<line x1=\"{from}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\" stroke=\"{INK}\" stroke-width=\"1.5\"/>",
                back(8)
            );
            let _ = writeln!(
                self.out,
                "<path d=\"M{} {y}L{} {}L{} {}z\" fill=\"{INK}\"/>",
                back(1),
                back(11),
                y - 5,
                back(11),
                y + 5
            );
        }
    }

    /// Lines of text in a box around `x`.
    fn boxed(&mut self, x: u32, placed: &Placed<'_>, style: &str) {
        let width = placed.text_width() + 16;
        let middle = self.layout.within(x, width);
        self.rect(middle - width / 2, placed.top + 2, width, placed.height - 6, style);
        for (index, line) in (0..).zip(&placed.lines) {
            let y = placed.top + layout::LINE + index * layout::LINE;
            self.text(middle, y, "middle", &format!("fill=\"{INK}\""), line);
        }
    }

    fn violation(&mut self, violation: &Violation) {
        let layout = self.layout;
        let (x, width) = (layout::PAD, layout.width - 2 * layout::PAD);
        let top = layout.verdict_top;
        let lines = layout::verdict_lines(violation, layout.width);
        let height = layout::verdict_height(lines.len());
        let style = format!("rx=\"6\" fill=\"#fdecec\" stroke=\"{RED}\" stroke-width=\"1.5\"");
        self.rect(x, top, width, height, &style);
        let style = format!("fill=\"{RED}\" font-weight=\"700\"");
        self.text(x + 14, top + 24, "start", &style, &format!("✗ {} is violated", violation.property));
        for (index, line) in (0..).zip(&lines) {
            let y = top + 24 + (index + 1) * layout::LINE;
            self.text(x + 14, y, "start", &format!("fill=\"{RED}\""), line);
        }
    }

    fn rect(&mut self, x: u32, y: u32, width: u32, height: u32, style: &str) {
        let _ =
            writeln!(self.out, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" {style}/>");
    }

    fn text(&mut self, x: u32, y: u32, anchor: &str, style: &str, text: &str) {
        let text = escape(text);
        let _ =
            writeln!(self.out, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" {style}>{text}</text>");
    }
}
