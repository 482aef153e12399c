//! A run's report as one page that needs nothing else: no network, no script, no other file.
//!
//! A page is a list of [`Section`]s; [`RunReport::sections`] makes those of a check, and others can be put
//! among them.

use std::fmt::Write;

use super::{
    AlwaysVerdict, Ended, RunReport, ScenarioReport, Verdict, counted, duration, grouped,
    matrix::{Cell, Matrix, Outcome, Row},
    memory,
};
use crate::diagram::escape;

/// A part of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its name in links, without the `#`.
    pub id: String,
    /// Its heading, as plain text.
    pub title: String,
    /// What it shows, as HTML.
    pub body: String,
}

impl Section {
    /// A matrix as a part of a page.
    #[must_use]
    pub fn of_matrix(id: &str, matrix: &Matrix) -> Self {
        Self { id: id.to_owned(), title: matrix.title.clone(), body: matrix.html() }
    }
}

/// Puts a page together. The lead is HTML below its title.
#[must_use]
pub fn page(title: &str, lead: &str, sections: &[Section]) -> String {
    let name = escape(title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{name}</title>\n\
         <style>\n{}</style>\n</head>\n<body>\n<header><h1>{name}</h1>\n{lead}<nav>",
        include_str!("style.css")
    );
    for section in sections {
        let _ = write!(out, "<a href=\"#{}\">{}</a> ", escape(&section.id), escape(&section.title));
    }
    out.push_str("</nav></header>\n<main>\n");
    for Section { id, title, body } in sections {
        let (id, title) = (escape(id), escape(title));
        let _ = writeln!(out, "<section id=\"{id}\">\n<h2>{title}</h2>\n{body}</section>");
    }
    let _ = writeln!(
        out,
        "</main>\n<footer>gatepass {}. <em>Holds</em> is said only where every state was visited.</footer>\n\
         </body>\n</html>",
        env!("CARGO_PKG_VERSION")
    );
    out
}

impl RunReport {
    /// The whole report as a page. `drawings` has the diagram of each scenario's violation, as SVG.
    #[must_use]
    pub fn html(&self, command: &str, drawings: &[Option<String>]) -> String {
        let lead = format!(
            "<p>{} {}</p>\n<pre class=\"command\">{}</pre>\n",
            badge(self.verdict),
            escape(self.summary().lines().next().unwrap_or("")),
            escape(command)
        );
        page("gatepass check", &lead, &self.sections(drawings))
    }

    /// The parts of the report.
    #[must_use]
    pub fn sections(&self, drawings: &[Option<String>]) -> Vec<Section> {
        let section =
            |id: &str, title: &str, body| Section { id: id.to_owned(), title: title.to_owned(), body };
        let mut sections = vec![
            section("scenarios", "Scenarios", self.scenario_table()),
            Section::of_matrix("always", &self.property_matrix()),
            section("sometimes", "Sometimes: what must happen in some run", self.goal_table()),
        ];
        for (report, drawing) in self.scenarios.iter().zip(drawings.iter().chain(std::iter::repeat(&None))) {
            if let Some(body) = report.violation_html(drawing.as_deref()) {
                sections.push(section(&report.anchor(), &format!("Violated: {}", report.scenario), body));
            }
        }
        sections
    }

    fn scenario_table(&self) -> String {
        let mut out = "<div class=\"wide\"><table>\n<thead><tr><th>scenario</th><th>rules</th><th>verdict</th>\
             <th>states</th><th>steps</th><th>depth</th><th>time</th><th>states/s</th><th>memory</th></tr></thead>\n\
             <tbody>\n"
            .to_owned();
        for report in &self.scenarios {
            let mut rules = escape(&report.policy);
            if let Some(flaw) = &report.flaw {
                let _ = write!(rules, " without a rule: {}", escape(flaw));
            }
            let why = match report.ended {
                Ended::StateBound => " bound on states",
                Ended::MemoryBound => " bound on memory",
                Ended::TimeBound => " bound on time",
                Ended::Interrupted => " interrupted",
                Ended::Exhausted | Ended::Violated => "",
            };
            let name = escape(&report.scenario);
            let name = match &report.violation {
                Some(_) => format!("<a href=\"#{}\">{name}</a>", escape(&report.anchor())),
                None => name,
            };
            let _ = write!(
                out,
                "<tr><th scope=\"row\">{name}</th><td>{rules}</td><td>{}{why}</td>",
                badge(report.verdict)
            );
            let numbers = [
                grouped(report.states),
                grouped(report.generated),
                grouped(report.depth),
                duration(report.seconds),
                grouped(report.states_per_second as u64),
                memory(report.peak_memory_bytes),
            ];
            for number in numbers {
                let _ = write!(out, "<td class=\"number\">{number}</td>");
            }
            out.push_str("</tr>\n");
        }
        out + "</tbody></table></div>\n"
    }

    /// Scenarios and properties.
    fn property_matrix(&self) -> Matrix {
        let mut columns: Vec<String> = Vec::new();
        for always in self.scenarios.iter().flat_map(|report| &report.always) {
            if !columns.contains(&always.property) {
                columns.push(always.property.clone());
            }
        }
        let cell = |report: &ScenarioReport, property: &String| {
            let verdict = report.always.iter().find(|always| always.property == *property);
            let outcome = match verdict.map(|always| always.verdict) {
                None => Outcome::NotClaimed,
                Some(AlwaysVerdict::Holds) => Outcome::Holds,
                Some(AlwaysVerdict::Vacuous) => Outcome::NotReachable,
                Some(AlwaysVerdict::NotViolatedWithinBounds) => match report.ended {
                    Ended::Violated => Outcome::Open,
                    _ => Outcome::OutOfBounds,
                },
                Some(AlwaysVerdict::Violated) => {
                    // Only one violation of a scenario is told; of the others the page knows the length.
                    let told = report.violation.as_ref().filter(|violation| violation.property == *property);
                    let trace = told.map(|_| format!("#{}", report.anchor()));
                    Outcome::Violated { steps: verdict.and_then(|always| always.steps).unwrap_or(0), trace }
                }
            };
            Cell { outcome, states: None }
        };
        Matrix {
            title: "Always: what must be true in every state".to_owned(),
            corner: "scenario".to_owned(),
            rows: (self.scenarios.iter())
                .map(|report| Row { group: String::new(), name: report.scenario.clone() })
                .collect(),
            cells: (self.scenarios.iter())
                .map(|report| columns.iter().map(|property| cell(report, property)).collect())
                .collect(),
            columns,
        }
    }

    fn goal_table(&self) -> String {
        let mut out = "<div class=\"wide\"><table>\n<tbody>\n".to_owned();
        for (goal, where_) in self.goals() {
            let _ =
                writeln!(out, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", escape(goal), escape(&where_));
        }
        out + "</tbody></table></div>\n"
    }
}

impl ScenarioReport {
    /// Where a page tells of its violation.
    fn anchor(&self) -> String {
        let keep = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        format!("violated-{}", self.scenario.chars().map(keep).collect::<String>())
    }

    fn violation_html(&self, drawing: Option<&str>) -> Option<String> {
        let violation = self.violation.as_ref()?;
        let mut out = format!(
            "<p>{} <code>{}</code> after {}: {}.</p>\n",
            badge(Verdict::Violated),
            escape(&violation.property),
            counted(violation.choices.len() as u64, "step"),
            escape(&violation.says)
        );
        if let Some(replay) = &violation.replay {
            let _ =
                writeln!(out, "<p>The same run again:</p>\n<pre class=\"command\">{}</pre>", escape(replay));
        }
        if let Some(drawing) = drawing {
            let _ = writeln!(out, "<figure class=\"wide\">{drawing}</figure>");
        }
        let _ = writeln!(
            out,
            "<details{}><summary>Step by step</summary>\n<ol>",
            if drawing.is_some() { "" } else { " open" }
        );
        for step in &violation.steps {
            let _ = writeln!(out, "<li>{}</li>", escape(step));
        }
        out.push_str(
            "</ol></details>\n<details><summary>Choices, as a replay file has them</summary>\n<pre>",
        );
        for choice in &violation.choices {
            let _ = writeln!(out, "{}", escape(choice));
        }
        out.push_str("</pre></details>\n");
        if !violation.files.is_empty() {
            out.push_str("<p>Files: ");
            let files: Vec<String> =
                violation.files.iter().map(|file| format!("<code>{}</code>", escape(file))).collect();
            let _ = writeln!(out, "{}</p>", files.join(", "));
        }
        Some(out)
    }
}

fn badge(verdict: Verdict) -> String {
    let (class, words) = match verdict {
        Verdict::Holds => ("good", "holds"),
        Verdict::Undecided => ("open", "undecided"),
        Verdict::GoalNotMet => ("bad", "goal never met"),
        Verdict::Violated => ("bad", "violated"),
    };
    format!("<span class=\"badge {class}\">{words}</span>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::run;

    /// Tags that need no end.
    const VOID: [&str; 2] = ["meta", "!doctype"];

    #[test]
    fn a_page_is_whole_and_needs_nothing_else() {
        let mut scenarios = run();
        scenarios[3].scenario = "<script>alert('x')</script>&\"".to_owned();
        let drawing = Some("<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>".to_owned());
        let page =
            RunReport::of(scenarios).html("gatepass check --scenario '<b>'", &[None, None, None, drawing]);
        assert!(!page.contains("<script") && !page.contains("<b>'"), "labels are escaped");
        let foreign = ["src=", "@import", "url(", "<link", "https://"];
        assert_eq!(foreign.map(|it| page.contains(it)), [false; 5]);
        let mut open: Vec<&str> = Vec::new();
        let (before, rest) = page.split_once("<style>").expect("a style");
        let (_, rest) = rest.split_once("</style>").expect("and its end");
        for tag in before.split('<').chain(rest.split('<')).skip(1) {
            let Some((tag, _)) = tag.split_once('>') else { continue };
            let name = tag.trim_start_matches('/').split(' ').next().unwrap_or("");
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(name), "{tag}");
            } else if !VOID.contains(&name) && name != "wbr" {
                open.push(name);
            }
        }
        assert_eq!(open, [""; 0]);
        // Every link within the page leads somewhere.
        for link in page.split("href=\"#").skip(1) {
            let (to, _) = link.split_once('"').expect("it ends");
            assert!(page.contains(&format!("id=\"{to}\"")), "nothing is called {to}");
        }
    }

    #[test]
    fn everything_of_a_report_is_on_its_page() {
        let run = RunReport::of(run());
        let page = run.html("gatepass check", &[]);
        for report in &run.scenarios {
            assert!(page.contains(&format!(">{}<", report.scenario)));
            for always in &report.always {
                assert!(page.contains(&always.property.replace('_', "_<wbr>")), "{}", always.property);
            }
            for goal in &report.sometimes {
                assert!(page.contains(&goal.goal));
            }
        }
        assert!(
            page.contains("deliver 0&gt;2 1000") && page.contains("1,234,567") && page.contains("undecided")
        );
    }
}
