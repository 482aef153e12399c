use alloc::{format, vec};

use proptest::prelude::*;

use super::*;

const TURN: Duration = Duration::from_secs(7200);

fn id(kind: &str, number: u16) -> NodeId {
    NodeId { kind: kind.into(), number }
}

/// Every player has a network of his own.
fn home(player: &str) -> Addr {
    Addr(player.bytes().fold(0xffff, |addr, byte| addr << 8 | u128::from(byte)) << 64)
}

fn node(kind: &str, number: u16, capacity: u32) -> Node {
    let endpoint = Endpoint::from(&format!("{kind}-{number}:80")).expect("short");
    Node { id: id(kind, number), endpoint, capacity }
}

fn lbs(capacity: u32) -> Lbs {
    let nodes = [("IOS", 1), ("IOS", 2), ("Android", 1), ("Test", 1)];
    let nodes = nodes.map(|(kind, number)| node(kind, number, capacity));
    let mut lbs = Lbs::new(nodes.to_vec(), TURN).expect("a deployment");
    for (kind, number) in [("IOS", 1), ("IOS", 2), ("Android", 1), ("Test", 1)] {
        step(&mut lbs, &Event::Up(&id(kind, number)));
    }
    lbs
}

fn step(lbs: &mut Lbs, event: &Event<'_>) -> Vec<Effect> {
    let mut out = Vec::new();
    lbs.step(event, &mut out);
    let loads: u32 = lbs.nodes.values().map(|place| place.load).sum();
    assert_eq!(usize::try_from(loads), Ok(lbs.answers()), "every answer counts at its server");
    out
}

/// Where somebody is sent, and whether he is new.
fn check(lbs: &mut Lbs, domain: &str, player: &str, expected: Option<(&str, u16, bool)>) {
    let told = match &step(lbs, &Event::Locate { from: home(player), domain, id: player })[0] {
        Effect::Located { node, newbie, .. } => Some((node.clone(), *newbie)),
        Effect::Nowhere => None,
        other => panic!("{other:?}"),
    };
    let expected = expected.map(|(kind, number, newbie)| (id(kind, number), newbie));
    assert_eq!(told, expected, "{domain} {player}");
}

#[test]
fn a_new_id_goes_where_the_original_sends_it_and_stays() {
    let mut lbs = lbs(100);
    check(&mut lbs, "official.IOS", "u_get", Some(("IOS", 2, true)));
    check(&mut lbs, "official.IOS", "u_post", Some(("IOS", 1, true)));
    check(&mut lbs, "official.IOS", "u_get", Some(("IOS", 2, false)));
    check(&mut lbs, "official.Android", "lbs1", Some(("Android", 1, true)));
    // Kinds that do not exist, and none, are the first; the domain is hashed as it was written.
    check(&mut lbs, "foo.IOS", "lbs1", Some(("IOS", 2, true)));
    check(&mut lbs, "official", "lbs1", Some(("IOS", 1, true)));
    check(&mut lbs, "", "lbs1", Some(("IOS", 1, false)));
    for domain in ["official.ios", "official.Foo", "official.x.IOS", "official.Test", "IOS"] {
        let Effect::Located { node, .. } =
            &step(&mut lbs, &Event::Locate { from: Addr(1), domain, id: "a" })[0]
        else {
            panic!("{domain}")
        };
        assert_eq!(&*node.kind, "IOS", "{domain}");
    }
    assert!(matches!(
        step(&mut lbs, &Event::Locate { from: Addr(1), domain: "official", id: "" })[0],
        Effect::Malformed
    ));
    let long = "x".repeat(ID_MAX + 1);
    assert!(matches!(
        step(&mut lbs, &Event::Locate { from: Addr(1), domain: "official", id: &long })[0],
        Effect::Malformed
    ));
}

#[test]
fn a_server_that_is_down_gets_nobody_and_one_that_is_full_nobody_new() {
    let mut lbs = lbs(1);
    check(&mut lbs, "official.IOS", "u_get", Some(("IOS", 2, true)));
    check(&mut lbs, "official.IOS", "lbs1", Some(("IOS", 1, true)));
    check(&mut lbs, "official.IOS", "123", None);
    check(&mut lbs, "official.IOS", "u_get", Some(("IOS", 2, false)));
    step(&mut lbs, &Event::Down(&id("IOS", 2)));
    check(&mut lbs, "official.IOS", "u_get", None);
    step(&mut lbs, &Event::Down(&id("IOS", 1)));
    step(&mut lbs, &Event::Up(&id("IOS", 2)));
    check(&mut lbs, "official.IOS", "lbs1", Some(("IOS", 2, false)));
    step(&mut lbs, &Event::Down(&id("Android", 1)));
    check(&mut lbs, "official.Android", "a", None);
    step(&mut lbs, &Event::Up(&id("Windows", 1)));
}

#[test]
fn an_answer_is_forgotten_after_one_turn_and_before_two() {
    let mut lbs = lbs(100);
    check(&mut lbs, "official.IOS", "a", Some(("IOS", 1, true)));
    assert_eq!(step(&mut lbs, &Event::Turn), [Effect::Arm(TURN)]);
    check(&mut lbs, "official.IOS", "a", Some(("IOS", 1, false)));
    step(&mut lbs, &Event::Turn);
    step(&mut lbs, &Event::Turn);
    assert_eq!(lbs.answers(), 0);
    check(&mut lbs, "official.IOS", "a", Some(("IOS", 1, true)));
}

#[test]
fn memory_has_a_bound() {
    let mut lbs = lbs(u32::MAX);
    for player in 0..ANSWERS_MAX + 10 {
        let from = Addr((player as u128) << 64);
        lbs.step(&Event::Locate { from, domain: "official", id: &format!("{player}") }, &mut Vec::new());
    }
    assert!(lbs.answers() <= ANSWERS_MAX);
    for tester in 0..TESTERS_MAX {
        assert_eq!(step(&mut lbs, &Event::Tester { id: &format!("{tester}"), is: true }), []);
    }
    assert_eq!(step(&mut lbs, &Event::Tester { id: "more", is: true }), [Effect::Full]);
    assert_eq!(step(&mut lbs, &Event::Tester { id: "0", is: true }), []);
    assert_eq!(step(&mut lbs, &Event::Tester { id: "", is: true }), [Effect::Malformed]);
}

#[test]
fn a_tester_is_one_from_the_question_to_the_login() {
    let mut lbs = lbs(100);
    check(&mut lbs, "official.IOS", "a", Some(("IOS", 1, true)));
    step(&mut lbs, &Event::Tester { id: "a", is: true });
    check(&mut lbs, "official.IOS", "a", Some(("Test", 1, true)));
    assert!(lbs.belongs("official.IOS", "a", "Test") && !lbs.belongs("official.IOS", "a", "IOS"));
    assert!(lbs.belongs("official.IOS", "b", "IOS") && !lbs.belongs("official.IOS", "b", "Test"));
    assert_eq!(lbs.testers().collect::<Vec<_>>(), ["a"]);
    assert_eq!(lbs.joined("Test", "official.IOS", "a"), "official.Test.a");
    step(&mut lbs, &Event::Tester { id: "a", is: false });
    check(&mut lbs, "official.IOS", "a", Some(("IOS", 1, false)));
}

#[test]
fn only_a_deployment_is_taken() {
    let new = |nodes| Lbs::new(nodes, TURN).is_ok();
    assert!(new(vec![]) && new(vec![node("IOS", 2, 1), node("IOS", 1, 1)]));
    for nodes in [
        vec![node("IOS", 1, 1), node("IOS", 1, 1)],
        vec![node("IOS", 0, 1)],
        vec![node("IOS", 2, 1)],
        vec![node("", 1, 1)],
        vec![node("a.b", 1, 1)],
    ] {
        assert!(!new(nodes.clone()), "{nodes:?}");
    }
    let mut empty = Lbs::new(vec![], TURN).expect("nobody");
    check(&mut empty, "official", "a", None);
}

proptest! {
    #[test]
    fn nobody_is_sent_where_nothing_is(
        steps in prop::collection::vec((0..5u8, 0..6u8, 0..4usize), 0..60),
    ) {
        let mut lbs = lbs(2);
        let nodes = [id("IOS", 1), id("IOS", 2), id("Android", 1), id("Test", 1)];
        for (what, who, which) in steps {
            let player = format!("{who}");
            let domain = ["official.IOS", "official.Android", "official", "360.Foo"][which];
            let event = match what {
                0 => Event::Up(&nodes[which]),
                1 => Event::Down(&nodes[which]),
                2 => Event::Tester { id: &player, is: which % 2 == 0 },
                3 if who == 0 => Event::Turn,
                _ => Event::Locate { from: home(&player), domain, id: &player },
            };
            let belongs = lbs.kind_of(domain, &player).map(Box::<str>::from);
            for effect in step(&mut lbs, &event) {
                if let Effect::Located { node, .. } = effect {
                    prop_assert!(lbs.nodes().any(|(own, _, up)| *own == node && up));
                    prop_assert_eq!(Some(&node.kind), belongs.as_ref());
                }
            }
        }
    }
}

#[test]
fn one_network_fills_no_server_with_ids_that_it_makes_up() {
    let mut lbs = lbs(40);
    let from = Addr(7 << 64);
    let ask = |lbs: &mut Lbs, from, id: &str| match &step(
        lbs,
        &Event::Locate { from, domain: "official.Android", id },
    )[0]
    {
        Effect::Located { newbie, .. } => *newbie,
        other => panic!("{other:?}"),
    };
    for number in 0..1_000 {
        // Other addresses of the same network are the same.
        assert!(ask(&mut lbs, Addr(from.0 + number), &format!("made up {number}")));
    }
    assert_eq!(lbs.answers(), 10);
    assert!(!ask(&mut lbs, from, "made up 3") && ask(&mut lbs, from, "made up 30"));
    for number in 0..30 {
        assert!(ask(&mut lbs, home(&format!("{number}")), &format!("player {number}")));
    }
    assert_eq!(lbs.answers(), 40);
    // With the next turn it may ask again. Who was known before stays known, whoever asks for him too often.
    let _ = step(&mut lbs, &Event::Turn);
    for number in 0..10 {
        assert!(!ask(&mut lbs, from, &format!("made up {number}")));
    }
    let answers = lbs.answers();
    assert!(!ask(&mut lbs, from, "player 5") && !ask(&mut lbs, from, "player 5"));
    assert_eq!(lbs.answers(), answers, "nothing is forgotten");
    let _ = step(&mut lbs, &Event::Turn);
    assert!(ask(&mut lbs, from, "made up 30") && !ask(&mut lbs, from, "made up 30"));
}

#[test]
fn texts_are_taken_up_to_their_bounds() {
    let mut lbs = lbs(100);
    let located = |effects: &[Effect]| matches!(effects[0], Effect::Located { .. });
    for more in 0..3 {
        let (id, domain) = ("x".repeat(ID_MAX + more), "x".repeat(DOMAIN_MAX + more));
        let from = home("a");
        let fits = more == 0;
        assert_eq!(located(&step(&mut lbs, &Event::Locate { from, domain: "official", id: &id })), fits);
        assert_eq!(located(&step(&mut lbs, &Event::Locate { from, domain: &domain, id: "a" })), fits);
        let tester = step(&mut lbs, &Event::Tester { id: &id, is: true });
        assert_eq!(tester.contains(&Effect::Malformed), !fits, "{more}");
    }
}

#[test]
fn servers_are_found_by_their_address() {
    let lbs = lbs(1);
    let at = |endpoint: &str| lbs.at(&Endpoint::from(endpoint).expect("short")).cloned().collect::<Vec<_>>();
    assert_eq!(at("IOS-2:80"), [id("IOS", 2)]);
    assert_eq!(at("IOS-3:80"), []);
}
