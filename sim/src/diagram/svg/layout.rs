//! Where everything of a drawing goes, in pixels.

use std::ops::Range;

use super::{Chart, Row, Violation, What, wrap};

pub(super) const FONT_SIZE: u32 = 13;
/// Height of a line of text.
pub(super) const LINE: u32 = 17;
/// Blank around the drawing.
pub(super) const PAD: u32 = 20;
/// Left of this, the numbers of the steps.
pub(super) const GUTTER: u32 = 48;
/// Height of a lane's name in its box.
pub(super) const HEAD: u32 = 30;

/// Lanes are at least this far from each other.
const GAP_MIN: u32 = 110;
/// Labels do not drive neighbouring lanes further apart; longer ones are wrapped.
const GAP_MAX: u32 = 250;
/// A label's lines may be this long even where its arrow is shorter.
const LABEL_WIDTH_MIN: u32 = 190;
const NOTE_WIDTH_MAX: u32 = 300;
const WIDTH_MIN: u32 = 520;
/// Drawings of more rows than fit on a screen name their lanes at the foot again.
const ROWS_WITHOUT_FEET: usize = 14;

/// Where everything goes.
pub(super) struct Layout<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    /// The middle of each lane.
    pub(super) lanes: Vec<u32>,
    pub(super) rows: Vec<Placed<'a>>,
    /// From where to where each step goes.
    pub(super) bands: Vec<Range<u32>>,
    /// The end of the last row.
    pub(super) end: u32,
    /// The top of the names at the foot, if they are there.
    pub(super) feet: Option<u32>,
    pub(super) verdict_top: u32,
}

/// A row in its place.
pub(super) struct Placed<'a> {
    pub(super) row: &'a Row,
    pub(super) top: u32,
    pub(super) height: u32,
    /// Its label, wrapped.
    pub(super) lines: Vec<String>,
    /// Whether its step has a band behind it.
    pub(super) banded: bool,
}

impl Placed<'_> {
    /// Width of the longest line.
    pub(super) fn text_width(&self) -> u32 {
        self.lines.iter().map(|line| text_width(line)).max().unwrap_or(0)
    }
}

impl<'a> Layout<'a> {
    pub(super) fn of(chart: &'a Chart) -> Self {
        let lanes = lanes(chart);
        let last = lanes.last().zip(chart.lanes.last());
        let right = last.map_or(0, |(x, name)| x + (head_width(name) / 2).max(GAP_MIN / 2));
        let width = (right + PAD).max(WIDTH_MIN);

        let mut top = PAD + HEAD + 14;
        let mut rows = Vec::new();
        let mut bands: Vec<Range<u32>> = Vec::new();
        for row in &chart.rows {
            let (label, fits) = match &row.what {
                What::Arrow(arrow) => {
                    let room = lanes[arrow.from].abs_diff(lanes[arrow.to]) - 24;
                    (&arrow.label, room.max(LABEL_WIDTH_MIN))
                }
                What::Note { label, .. } => (label, NOTE_WIDTH_MAX),
                What::Aside { label } => (label, width - GUTTER - 2 * PAD),
            };
            let lines = wrap(label, fit(fits));
            let text: u32 = lines.iter().map(|_| LINE).sum();
            let height = text + if matches!(row.what, What::Arrow(_)) { 18 } else { 13 };
            match bands.last_mut() {
                Some(band) if row.step.is_none() => band.end = top + height,
                _ => bands.push(top..top + height),
            }
            let banded = bands.len().is_multiple_of(2);
            rows.push(Placed { row, top, height, lines, banded });
            top += height;
        }

        let end = top + 10;
        let feet = (rows.len() > ROWS_WITHOUT_FEET).then_some(end);
        let verdict_top = end + feet.map_or(8, |_| HEAD + 16);
        let verdict = chart
            .violation
            .as_ref()
            .map_or(0, |violation| verdict_height(verdict_lines(violation, width).len()) + PAD);
        let height = verdict_top + verdict.max(PAD / 2);
        Self { width, height, lanes, rows, bands, end, feet, verdict_top }
    }

    /// The middle nearest to `x` at which something of this width is all on the paper.
    pub(super) fn within(&self, x: u32, width: u32) -> u32 {
        let most = self.width.saturating_sub(PAD / 2 + width / 2);
        x.min(most).max(GUTTER + width / 2)
    }
}

/// The width of the box around a lane's name.
pub(super) fn head_width(name: &str) -> u32 {
    text_width(name) + 28
}

pub(super) fn verdict_lines(violation: &Violation, width: u32) -> Vec<String> {
    wrap(&violation.says, fit(width - 2 * PAD - 28))
}

pub(super) fn verdict_height(lines: usize) -> u32 {
    let lines = u32::try_from(lines).unwrap_or(u32::MAX / LINE / 2);
    lines * LINE + 40
}

fn lanes(chart: &Chart) -> Vec<u32> {
    let names: Vec<u32> = chart.lanes.iter().map(|name| head_width(name)).collect();
    let mut gaps: Vec<u32> =
        names.windows(2).map(|pair| (u32::midpoint(pair[0], pair[1]) + 20).max(GAP_MIN)).collect();
    for arrow in chart.arrows() {
        let between = &mut gaps[arrow.from.min(arrow.to)..arrow.from.max(arrow.to)];
        let wish = text_width(&arrow.label) + 30;
        let missing = wish.saturating_sub(between.iter().sum());
        let each = missing / u32::try_from(between.len()).unwrap_or(u32::MAX);
        for gap in between {
            *gap = (*gap + each).min(GAP_MAX).max(*gap);
        }
    }
    let mut x = GUTTER + names.first().map_or(0, |width| (width / 2).max(40));
    let mut lanes: Vec<u32> = gaps
        .into_iter()
        .map(|gap| {
            let here = x;
            x += gap;
            here
        })
        .collect();
    if !chart.lanes.is_empty() {
        lanes.push(x);
    }
    lanes
}

/// An estimate, on the wide side: the fonts that come first differ by a tenth.
fn text_width(text: &str) -> u32 {
    let tenths: u32 = text
        .chars()
        .map(|c| match c {
            'i' | 'j' | 'l' | 't' | 'f' | 'r' | ' ' | '.' | ',' | ':' | ';' | '\'' | '|' | '(' | ')' => 4,
            'm' | 'w' | 'M' | 'W' | '…' | '→' => 10,
            c if c.is_ascii_uppercase() => 8,
            c if c.is_ascii() => 7,
            _ => 10,
        })
        .sum();
    tenths * FONT_SIZE / 10
}

/// How many characters of a text of the usual mixture fit into a width.
fn fit(width: u32) -> usize {
    usize::try_from(width * 10 / (6 * FONT_SIZE)).unwrap_or(usize::MAX).max(8)
}
