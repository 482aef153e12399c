use super::*;
use crate::simulate::Scheduler;

fn report(scenario: &str, ended: Ended, violated: Option<&str>, met: &[(&str, bool)]) -> ScenarioReport {
    let always: Vec<Always> = ["single_live_session", "room_token_single_use", "capacity"]
        .into_iter()
        .map(|property| Always {
            property: property.to_owned(),
            steps: (violated == Some(property)).then_some(2),
            verdict: match ended {
                _ if violated == Some(property) => AlwaysVerdict::Violated,
                Ended::Exhausted => AlwaysVerdict::Holds,
                _ => AlwaysVerdict::NotViolatedWithinBounds,
            },
        })
        .collect();
    let sometimes: Vec<Sometimes> =
        met.iter().map(|(goal, met)| Sometimes { goal: (*goal).to_owned(), met: *met }).collect();
    ScenarioReport {
        in_the_end: None,
        scenario: scenario.to_owned(),
        policy: "strict".to_owned(),
        flaw: None,
        verdict: ScenarioReport::judge(ended, &always, &sometimes),
        ended,
        states: 1_234_567,
        generated: 4_567_890,
        depth: 42,
        seconds: 3.25,
        states_per_second: 379_866.7,
        peak_memory_bytes: 123 << 20,
        always,
        sometimes,
        violation: violated.map(|property| Violation {
            property: property.to_owned(),
            says: "At most one.".to_owned(),
            choices: vec!["begin 0".to_owned(), "deliver 0>2 1000".to_owned()],
            steps: vec!["player-1 begins".to_owned(), "player-1 → login: log in".to_owned()],
            files: Vec::new(),
            replay: None,
        }),
    }
}

pub(super) fn run() -> Vec<ScenarioReport> {
    vec![
        report("login", Ended::Exhausted, None, &[("login_succeeds", true)]),
        report(
            "expiry",
            Ended::TimeBound,
            None,
            &[("login_succeeds", true), ("token_expires_unused", false)],
        ),
        report("crash-owner", Ended::Exhausted, None, &[("takeover_after_crash", false)]),
        report("lost-kick", Ended::Violated, Some("single_live_session"), &[("login_succeeds", false)]),
    ]
}

#[test]
fn a_table_a_scenario() {
    let tables: Vec<String> = run().iter().map(ScenarioReport::table).collect();
    insta::assert_snapshot!(tables.join("\n"));
}

#[test]
fn a_summary_of_a_run() {
    insta::assert_snapshot!(RunReport::of(run()).summary());
}

#[test]
fn the_names_in_json_are_stable() {
    let run = RunReport::of(vec![run().pop().expect("there is a last one")]);
    insta::assert_snapshot!(serde_json::to_string_pretty(&run).expect("a report has a form in JSON"));
}

#[test]
fn seeds_are_samples() {
    let quiet = SeedsReport {
        scenario: "lost-kick".to_owned(),
        policy: "strict".to_owned(),
        flaw: None,
        scheduler: Scheduler::Mix,
        from_seed: 0,
        seeds: 1_000,
        steps: 123_456,
        events: 150_000,
        logins: 1_996,
        seconds: 0.25,
        steps_per_second: 493_824.0,
        goals: vec![
            Reached { goal: "login_succeeds".to_owned(), seeds: 998 },
            Reached { goal: "takeover_after_lost_kick".to_owned(), seeds: 0 },
        ],
        coverage: Vec::new(),
        failing: 0,
        failure: None,
    };
    let failure = Failure {
        seed: 17,
        reproduce: "gatepass simulate --scenario lost-kick --seed 17".to_owned(),
        choices_before: 80,
        choices_needed: 4,
        violation: run().pop().and_then(|report| report.violation).expect("the last one is violated"),
    };
    let loud = SeedsReport { failing: 3, failure: Some(failure), ..quiet.clone() };
    insta::assert_snapshot!(format!("{}\n{}", quiet.table(), loud.table()));
}

#[test]
fn a_hunt_says_what_it_missed() {
    let found = Found {
        seed: 17,
        seeds: 1_017,
        choices: 80,
        needed: 12,
        shortest: 9,
        reproduce: "gatepass simulate --scenario full-room --flaw no-capacity --seed 17".to_owned(),
    };
    let hunted = |flaw: &str, property: &str, found| Hunted {
        flaw: flaw.to_owned(),
        property: property.to_owned(),
        scenario: "full-room".to_owned(),
        found,
    };
    let report = HuntReport {
        scheduler: Scheduler::Mix,
        from_seed: 1,
        seeds: 20_000,
        seconds: 0.25,
        flaws: vec![
            hunted("no-capacity", "capacity", Some(found)),
            hunted("kick-by-account", "newest_login_wins", None),
        ],
    };
    assert!(!report.found_all());
    insta::assert_snapshot!(report.table());
}

#[test]
fn the_worst_scenario_decides() {
    let verdict = |reports: &[ScenarioReport]| RunReport::of(reports.to_vec()).verdict;
    let [holds, bound, unmet, violated] = &run()[..] else { panic!("there are four") };
    assert_eq!(verdict(std::slice::from_ref(holds)).exit_code(), 0);
    assert_eq!(verdict(&[holds.clone(), bound.clone()]).exit_code(), 3);
    assert_eq!(verdict(&[bound.clone(), unmet.clone()]), Verdict::GoalNotMet);
    assert_eq!(verdict(&[unmet.clone(), violated.clone(), holds.clone()]), Verdict::Violated);
    // Nothing checked, nothing shown.
    assert_eq!(verdict(&[]).exit_code(), 3);
}

#[test]
fn numbers_read_well() {
    assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    let said = [0.0, 0.25, 3.25, 61.0, 7_300.0, f64::NAN].map(duration);
    assert_eq!(said[..5], ["0 ms", "250 ms", "3.2 s", "1 min 1 s", "2 h 1 min"]);
    assert_eq!(memory(1), "1 MiB");
}
