use super::*;
use crate::trace::TraceStep;

/// A run with everything that can happen in one, over two servers; `banker` sees nothing of it.
fn takeover() -> Trace {
    let [alice, eve, login, cache, room1, room2] = [0, 1, 3, 4, 5, 6];
    let message = |from, to, label: &str| Happening::Message { from, to, label: label.to_owned() };
    let lost = |from, to, label: &str| Happening::Lost { from, to, label: label.to_owned() };
    let at = |node, label: &str| Happening::At { node, label: label.to_owned() };
    let step = |choice: &str, happenings: &[Happening]| TraceStep {
        choice: choice.to_owned(),
        happenings: happenings.to_vec(),
    };
    Trace {
        nodes: ["alice", "eve", "banker", "login-1", "cache", "room-1", "room-2"].map(str::to_owned).to_vec(),
        steps: vec![
            step("start alice", &[message(alice, login, "Login alice")]),
            step(
                "deliver 1",
                &[message(login, cache, "Open session s1 for alice"), at(cache, "session s1 opened")],
            ),
            step("deliver 2", &[message(alice, room1, "MsgLogin t1"), message(room1, cache, "Redeem t1")]),
            step("deliver 3", &[message(cache, room1, "Granted"), at(room1, "alice admitted, login 1")]),
            step("expire t2", &[]),
            step("lose 4", &[lost(login, room1, "Kick alice, logins up to 1")]),
            step("deliver 5", &[message(eve, room2, "MsgLogin t3"), message(room2, room2, "tick")]),
            step("lose 6", &[lost(room2, cache, "Release")]),
            step(
                "deliver 7",
                &[at(room2, "alice admitted, login 2, while room-1 still serves her in room 1")],
            ),
        ],
        violation: Some((
            "single_live_session".to_owned(),
            "At most one live connection per account, over all servers that are up and hold their lease."
                .to_owned(),
        )),
        broke_at: Some(0),
    }
}

/// What a label must not be able to do, all at once.
const HOSTILE: &str =
    "a;end\n%%{init}%% #lt; wrap: <b onload=\"x()\">'&]]></text>\u{1b}[2J\u{202e}Note over n0: b";

fn hostile() -> Trace {
    let label = HOSTILE.to_owned();
    Trace {
        nodes: vec![label.clone(), "b".to_owned()],
        steps: vec![
            TraceStep {
                choice: label.clone(),
                happenings: vec![
                    Happening::Message { from: 0, to: 1, label: label.clone() },
                    Happening::Lost { from: 1, to: 0, label: label.clone() },
                    Happening::At { node: 0, label: label.clone() },
                ],
            },
            TraceStep { choice: label.clone(), happenings: Vec::new() },
        ],
        violation: Some((label.clone(), label)),
        broke_at: None,
    }
}

#[test]
fn a_takeover_as_text() {
    insta::assert_snapshot!(text(&takeover(), 110));
}

#[test]
fn a_takeover_in_a_narrow_terminal() {
    insta::assert_snapshot!(text(&takeover(), 72));
}

#[test]
fn a_takeover_as_steps() {
    insta::assert_snapshot!(steps(&takeover(), 80));
}

#[test]
fn a_takeover_as_mermaid() {
    insta::assert_snapshot!(mermaid(&takeover()));
}

#[test]
fn a_takeover_as_svg() {
    insta::assert_snapshot!(svg(&takeover()));
}

#[test]
fn text_keeps_to_its_width() {
    for trace in [takeover(), hostile()] {
        for width in [60, 72, 100, 110, 120] {
            let wide = text(&trace, width).lines().map(|line| line.chars().count()).max();
            let names: usize = trace.nodes.iter().map(|name| name.chars().count() + BETWEEN).sum();
            assert!(wide <= Some(width.max(names)), "{wide:?} columns in {width}");
        }
    }
}

const BETWEEN: usize = 6;

#[test]
fn a_label_cannot_move_the_terminal() {
    for drawn in [text(&hostile(), 110), steps(&hostile(), 110)] {
        assert!(drawn.chars().all(|c| c == '\n' || is_harmless(c)), "{drawn}");
    }
}

#[test]
fn a_label_stays_in_its_mermaid_statement() {
    let drawn = mermaid(&hostile());
    let mut lines = drawn.lines();
    assert_eq!(lines.next(), Some("sequenceDiagram"));
    let starts: Vec<&str> = lines
        .map(|line| {
            let statement = line.trim_start();
            let text = statement.split_once(" as ").or_else(|| statement.split_once(": "));
            let (start, text) = text.unwrap();
            let text = text.replace("<br/>", "");
            // Only the characters of codes are left of what Mermaid takes for more than text.
            let bare: String =
                text.split('#').map(|part| part.split_once(';').map_or(part, |p| p.1)).collect();
            assert!(!bare.contains(['#', ';', '<', '>', '&', '"', '%', '{', '}', ':', '\u{1b}']), "{text}");
            start
        })
        .collect();
    let expected = [
        "participant n0",
        "participant n1",
        "n0->>n1",
        "n1-xn0",
        "Note over n0",
        "Note over n0,n1",
        "Note over n0,n1",
    ];
    assert_eq!(starts, expected);
}

#[test]
fn a_label_stays_in_its_svg_element() {
    let (plain, injected) =
        (svg(&Trace { nodes: vec!["a".into(), "b".into()], ..hostile() }), svg(&hostile()));
    for drawn in [plain, injected] {
        assert!(!drawn.contains('\u{1b}'));
        let mut open = Vec::new();
        for tag in drawn.split('<').skip(1) {
            let (tag, text) = tag.split_once('>').unwrap();
            assert!(!text.contains('>') && !tag.contains("onload") && !tag.contains('&'), "{tag}");
            let name = tag.split([' ', '/']).find(|name| !name.is_empty()).unwrap();
            assert!(["svg", "title", "rect", "line", "path", "text"].contains(&name), "{tag}");
            match (tag.starts_with('/'), tag.ends_with('/')) {
                (true, _) => assert_eq!(open.pop(), Some(name)),
                (false, true) => {}
                (false, false) => open.push(name),
            }
        }
        assert_eq!(open, [""; 0]);
    }
}

#[test]
fn every_trace_can_be_drawn() {
    let outside = Happening::Lost { from: 9, to: 3, label: String::new() };
    let step = TraceStep { choice: String::new(), happenings: vec![outside] };
    let odd = Trace {
        nodes: Vec::new(),
        steps: vec![step],
        violation: Some(Default::default()),
        broke_at: Some(7),
    };
    let aside = Trace { steps: vec![TraceStep::default()], ..Trace::default() };
    for trace in [Trace::default(), odd, aside] {
        for form in [Form::Text, Form::Mermaid, Form::Svg] {
            let _ = form.draw(&trace);
        }
        let _ = steps(&trace, 0);
        let _ = text(&trace, 0);
    }
}
