//! The examples of the README: every command line is one that exists, and what can be repeated is repeated.

mod common;

use std::{fs, path::PathBuf, process::Command};

use common::{gatepass, read, root};

/// A command line of a `console` block and the output below it.
#[derive(Debug)]
struct Example {
    args: Vec<String>,
    output: Vec<String>,
}

/// How a command line of ours begins.
const OURS: [&str; 2] = ["$ gatepass ", "$ cargo run --release -- "];

/// All of them, in the order of the page.
fn examples() -> Vec<Example> {
    let page = read("README.md");
    let mut examples: Vec<Example> = Vec::new();
    let (mut inside, mut ours) = (false, false);
    for line in page.lines() {
        if line.starts_with("```") {
            (inside, ours) = (line == "```console", false);
        } else if inside && line.starts_with("$ ") {
            let command = OURS.iter().find_map(|start| line.strip_prefix(start));
            ours = command.is_some();
            if let Some(command) = command {
                // What is redirected, or runs beside, is the shell's.
                let words = command.split_whitespace().take_while(|word| !matches!(*word, "&" | ">" | "|"));
                examples.push(Example { args: words.map(str::to_owned).collect(), output: Vec::new() });
            }
        } else if ours && let Some(example) = examples.last_mut() {
            example.output.push(line.trim_end().to_owned());
        }
    }
    examples
}

/// What a command prints, whatever its exit code.
fn run(dir: &PathBuf, args: &[String]) -> String {
    let ran = Command::new(gatepass()).args(args).current_dir(dir).output().expect("gatepass starts");
    String::from_utf8(ran.stdout).expect("output is text")
}

fn help(of: &[&str]) -> String {
    let args: Vec<String> = of.iter().copied().chain(["--help"]).map(str::to_owned).collect();
    run(&root().to_path_buf(), &args)
}

fn subcommands() -> Vec<String> {
    let help = help(&[]);
    let list = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let names = list.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_subcommand_has_an_example() {
    let examples = examples();
    let names = subcommands();
    assert!(names.len() >= 7, "{names:?}");
    for name in names {
        assert!(examples.iter().any(|it| it.args.first() == Some(&name)), "the README shows no {name}");
    }
}

#[test]
fn every_example_can_be_typed() {
    let examples = examples();
    let names = subcommands();
    for Example { args, .. } in &examples {
        let name = args.first().expect("a command line names a subcommand");
        assert!(names.contains(name), "there is no gatepass {name}");
        let help = help(&[name]);
        let known: Vec<&str> = help
            .split(|c: char| !(c.is_alphanumeric() || c == '-'))
            .filter(|w| w.starts_with("--"))
            .collect();
        for flag in args.iter().filter(|arg| arg.starts_with("--")) {
            let flag = flag.split('=').next().unwrap_or(flag);
            assert!(known.contains(&flag), "gatepass {name} has no {flag}");
        }
    }
}

/// A line without what differs from run to run: times, memory, speed, and how far threads got.
fn steady(line: &str) -> String {
    if line.starts_with("  time ") || line.starts_with("  states ") {
        return line[..10].trim_end().to_owned();
    }
    // "1 scenario, 28 states, 1 ms: everything holds …"
    if line.contains(" scenario")
        && line.contains(" states, ")
        && let Some((_, verdict)) = line.split_once(": ")
    {
        return format!("scenarios: {verdict}");
    }
    line.trim_end().to_owned()
}

/// Whether the output is what the page shows, where `…` stands for lines left out.
fn compare(example: &Example, output: &str) {
    let output: Vec<String> = output.lines().map(steady).collect();
    let mut at = 0;
    let mut skipped = false;
    for line in &example.output {
        if line.trim() == "…" {
            skipped = true;
            continue;
        }
        let line = steady(line);
        let found = if skipped {
            output[at..].iter().position(|it| *it == line).map(|skip| at + skip)
        } else {
            (output.get(at) == Some(&line)).then_some(at)
        };
        let Some(found) = found else {
            panic!(
                "`gatepass {}` does not print what the README shows.\nThe page: {line}\nThe output from there:\n{}",
                example.args.join(" "),
                output[at.min(output.len())..].join("\n")
            );
        };
        (at, skipped) = (found + 1, false);
    }
    assert!(skipped || at == output.len(), "`gatepass {}` prints more", example.args.join(" "));
}

/// Whether a second run gives the same, and soon.
fn is_steady(args: &[String]) -> bool {
    let has = |word: &str| args.iter().any(|arg| arg == word);
    match args.first().map(String::as_str) {
        Some("vectors" | "replay" | "scenario") => true,
        // Under another policy a role's own invariant may break first, which only builds with assertions notice.
        Some("check") if has("--policy") => false,
        Some("check") => has("--scenario") || has("--flaw") || has("--list-flaws") || has("--list-scenarios"),
        _ => false,
    }
}

#[test]
fn what_can_be_repeated_comes_out_the_same() {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("readme");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(dir.join("tests/vectors")).expect("tests may write to their directory");
    fs::copy(root().join("tests/vectors/mope.json"), dir.join("tests/vectors/mope.json"))
        .expect("the vectors are there");
    let steady: Vec<Example> = examples().into_iter().filter(|it| is_steady(&it.args)).collect();
    for subcommand in ["check", "replay", "scenario", "vectors"] {
        assert!(steady.iter().any(|it| it.args[0] == subcommand), "no example of {subcommand} is repeated");
    }
    // In the order of the page: a replay reads what a check before it wrote.
    for example in &steady {
        compare(example, &run(&dir, &example.args));
    }
}

/// What is in the tables of what the three systems ask for.
#[test]
fn every_feature_is_somewhere_and_shown_by_a_test() {
    let page = read("README.md");
    let section = page.split("## What the three systems ask for").nth(1).expect("there is such a section");
    let section = section.split("\n## ").next().unwrap_or(section);
    let mut rows = 0;
    for row in section.lines().filter(|line| line.starts_with("| ") && line.contains(".rs`")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [_, place, test] = cells[..] else { panic!("three cells: {row}") };
        assert!(root().join(place.trim_matches('`')).is_file(), "{place} is nowhere");
        let (file, name) = test.split_once(' ').expect("a file and a name");
        let source = read(file.trim_matches('`'));
        assert!(source.contains(&format!("fn {name}(")), "{name} is not in {file}");
        rows += 1;
    }
    assert!(rows > 45, "{rows} rows");
}
