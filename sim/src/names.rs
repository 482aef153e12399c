//! What was probably meant by a name that does not exist.

use crate::diagram::{TERMINAL_WIDTH, wrap};

/// That there is no such thing, what was probably meant, and what there is.
#[must_use]
pub fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let nearest = known.iter().map(|other| (distance(name, other), other)).min();
    let meant = match nearest {
        Some((steps, other)) if steps <= name.len() / 3 + 1 => format!("; did you mean {other}?"),
        _ => String::new(),
    };
    let list = wrap(&known.join(", "), TERMINAL_WIDTH - 2).join("\n  ");
    format!("there is no {what} {name:?}{meant}\nThere are:\n  {list}")
}

/// Letters to put in, take out or change to get from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, b) in to.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_is_noticed() {
        let known = || ["takeover-local", "takeover-remote"].into_iter();
        assert!(unknown("scenario", "takover-remote", known()).contains("did you mean takeover-remote?"));
        let far = unknown("scenario", "x", known());
        assert!(!far.contains("did you mean") && far.contains("takeover-local, takeover-remote"), "{far}");
    }

    #[test]
    fn distances() {
        let cases = [("", "", 0), ("abc", "", 3), ("", "ab", 2), ("kick", "kicks", 1), ("lost", "list", 1)];
        for (from, to, expected) in cases {
            assert_eq!(distance(from, to), expected, "{from:?} {to:?}");
        }
    }
}
