//! Where a file of ours is wrong: the line, with the place underlined.

use std::{fmt, ops::Range};

use toml::de::{DeTable, DeValue};

/// What is wrong with a TOML file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    why: String,
    place: Option<Place>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// Counted from 1.
    line: usize,
    /// In characters, counted from 1.
    column: usize,
    /// How many characters are meant; at least 1.
    width: usize,
    /// The line itself.
    text: String,
}

/// Longest part of a line that is shown.
const SHOWN_MAX: usize = 160;

impl Misread {
    /// What the reader of TOML says about this text.
    #[must_use]
    pub fn new(text: &str, error: &toml::de::Error) -> Self {
        Self { why: error.message().trim().to_owned(), place: error.span().map(|span| Place::of(text, span)) }
    }

    /// That the value of a key is wrong. The path leads there: keys of tables and numbers of array items. If a
    /// part of it is not in the text, the last part that is there is shown.
    #[must_use]
    pub fn at(text: &str, path: &[String], why: &impl fmt::Display) -> Self {
        let span = DeTable::parse(text).ok().and_then(|table| find(table.get_ref(), path));
        Self { why: why.to_string(), place: span.map(|span| Place::of(text, span)) }
    }

    /// The line, counted from 1, if one is to blame.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.line)
    }
}

/// Where this path ends, or its longest part.
fn find(table: &DeTable<'_>, path: &[String]) -> Option<Range<usize>> {
    let (first, rest) = path.split_first()?;
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == first.as_str())?;
    Some(deeper(value.get_ref(), rest).unwrap_or(key.span().start..value.span().end.max(key.span().end)))
}

fn deeper(value: &DeValue<'_>, path: &[String]) -> Option<Range<usize>> {
    match value {
        DeValue::Table(table) => find(table, path),
        DeValue::Array(items) => {
            let (first, rest) = path.split_first()?;
            let item = items.get(first.parse::<usize>().ok()?)?;
            Some(deeper(item.get_ref(), rest).unwrap_or(item.span()))
        }
        _ => None,
    }
}

impl Place {
    fn of(text: &str, span: Range<usize>) -> Self {
        let mut start = span.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let head = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line = text[head..].lines().next().unwrap_or("");
        let column = text[head..start].chars().count() + 1;
        let shown = line.chars().count();
        let meant = text.get(start..span.end.min(text.len())).and_then(|it| it.lines().next()).unwrap_or("");
        Self {
            line: text[..head].matches('\n').count() + 1,
            column,
            width: meant.chars().count().min((shown + 1).saturating_sub(column)).max(1),
            text: line.to_owned(),
        }
    }
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Place { line, column, width, text }) = &self.place else { return f.write_str(&self.why) };
        writeln!(f, "line {line}, column {column}: {}", self.why)?;
        let number = line.to_string();
        let margin = number.len();
        // A control character in a file is not for the terminal; each stays one column wide.
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let shown: String = text.chars().map(plain).take(SHOWN_MAX).collect();
        writeln!(f, "{:margin$} |\n{number} | {}", "", shown.trim_end())?;
        let (before, width) = ((column - 1).min(SHOWN_MAX), (*width).min(SHOWN_MAX));
        write!(f, "{:margin$} | {:before$}{}", "", "", "^".repeat(width))
    }
}

impl std::error::Error for Misread {}

#[cfg(test)]
mod tests {
    use crate::scenario::Scenario;

    #[test]
    fn every_mistake_is_shown_where_it_is() {
        let player = "[[players]]\naccount = \"ann\"\n";
        let many = format!("servers = 2\n{}", player.repeat(10_001));
        let cases = [
            ("not TOML", "name = \"open\nservers = 1\n"),
            ("an unknown key", "name = \"x\"\nserver = 1\n"),
            ("another type", "servers = \"two\"\n"),
            ("a number that does not fit", "servers = 300\n"),
            ("no number of servers", "name = \"x\"\nservers = 9\n\n[[players]]\naccount = \"ann\"\n"),
            (
                "an unknown policy",
                "name = \"x\"\n  policy = \"strickt\"  # oh\n[[players]]\naccount = \"ann\"\n",
            ),
            (
                "an unknown rule",
                "[[players]]\naccount = \"ann\"\n[rules]\ntoken_expires = true\ntoken_expire = false\n",
            ),
            ("a rule's value", "rules.conflict = \"kick_new\"\n[[players]]\naccount = \"ann\"\n"),
            ("an unknown link", "slow = [\"player-login\", \"player-romo\"]\n"),
            ("an unknown timer", "[timers]\nretry = 1\nretires = 1\n"),
            ("an unknown fault", "[faults]\ndorp = 1\n"),
            ("an unknown goal", "goals = [\"login_succeeds\",\n  \"world_peace\"]\n"),
            ("no account name", "[[players]]\naccount = \"ann\"\n[[players]]\naccount = \"\"\n"),
            ("no account", "[[players]]\naccount = \"ann\"\n[[players]]\nregister = true\n"),
            ("an unknown cheat", "[[players]]\naccount = \"ann\"\ncheat = \"flies\"\n"),
            (
                "an attacker nobody signs for",
                "[attacker]\nmembers = {}\nsigned = true\n[[players]]\naccount = \"ann\"\n",
            ),
            ("nobody", "name = \"empty\"\n"),
            ("everybody", &many),
            ("what moves a cursor", "name = \"\u{1b}[2Jä\"\u{7f}\n"),
        ];
        let mut told = String::new();
        for (what, text) in cases {
            let misread = Scenario::from_toml(text).expect_err(what);
            assert!(misread.line().is_some() || what == "nobody", "{what}: {misread}");
            assert!(misread.to_string().chars().all(|c| c == '\n' || !c.is_control()), "{what}");
            // What there is instead is a list that grows.
            let shown = misread.to_string();
            let lines =
                shown.lines().filter(|line| !line.starts_with("  ") || line.trim_start().starts_with('|'));
            let lines: Vec<&str> =
                lines.map(|line| line.split(", expected one of").next().unwrap_or("")).collect();
            told += &format!("{what}\n{}\n\n", lines.join("\n"));
        }
        insta::assert_snapshot!(told);
    }
}
