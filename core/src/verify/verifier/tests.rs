use super::*;

#[derive(Debug)]
struct Custom {
    name: &'static str,
    default: bool,
    routes: &'static [&'static str],
    domains: Domains,
    memory: Duration,
}

fn custom(name: &'static str, default: bool) -> Custom {
    let domains = Domains::of(&["official", "Custom"], &["IOS"]);
    Custom { name, default, routes: &[], domains, memory: Duration::ZERO }
}

impl Verifier for Custom {
    fn name(&self) -> &str {
        self.name
    }

    fn domains(&self) -> &Domains {
        &self.domains
    }

    fn is_default(&self) -> bool {
        self.default
    }

    fn routes(&self) -> &[&str] {
        self.routes
    }

    fn check(&self, _: &Evidence<'_>) -> Verdict {
        Verdict::Refused(Unproven::NoEvidence)
    }

    fn memory(&self) -> Duration {
        self.memory
    }
}

#[test]
fn a_domain_is_somebody_s_in_one_spelling_only() {
    let first = Custom { routes: &["/auth/new.html"], ..custom("first", true) };
    let all = Verifiers::new().with(first).with(custom("second", false));
    let name = |domain, control| all.find(domain, control).map(Verifier::name);
    assert_eq!(name("official.IOS", None), Some("first"));
    assert_eq!(name("official", Some("second")), Some("second"));
    assert_eq!(name("official", Some("auth/new.html")), Some("first"));
    for domain in
        ["", "Official", "official.ios", "official.IOS.", "official.IOS.x", ".IOS", "official ", "tx"]
    {
        assert_eq!(name(domain, None), None, "{domain}");
    }
    for control in ["", "Second", "third", "/second", "second/"] {
        assert_eq!(name("official", Some(control)), None, "{control}");
    }
    assert_eq!(all.at("/second").map(Verifier::name), Some("second"));
    assert_eq!(all.at("/auth/new.html").map(Verifier::name), Some("first"));
    assert!(all.at("second").is_none() && all.at("/").is_none());
}

fn identity(verifier: &Custom, domain: &str, verdict: &Verdict) -> Result<Identity, Unproven> {
    let none = Members::default();
    let evidence = Evidence { domain, shown: &none, peer: Addr(1), now: 1, nonce: 2 };
    credentials(verifier, &evidence, verdict).map(|credentials| match credentials {
        Credentials::Signed { identity, .. } => identity,
        other => panic!("{other:?}"),
    })
}

#[test]
fn no_two_people_share_an_identity() {
    let (first, second) = (custom("first", true), custom("second", false));
    let mut all = alloc::collections::BTreeSet::new();
    for verifier in [&first, &second] {
        for domain in ["official", "official.IOS", "Custom"] {
            for subject in ["ann", "Ann", "ann ", "IOS.ann", "second/official"] {
                let claimed = Verdict::Claimed(subject.into());
                assert!(
                    all.insert(identity(verifier, domain, &claimed).expect("fits")),
                    "{domain} {subject}"
                );
            }
        }
    }
    assert_eq!(all.first().map(|first| &*first.realm), Some("Custom"));
    assert_eq!(all.last().map(|last| &*last.realm), Some("second/official.IOS"));
    for subject in ["", "a\nb", &"a".repeat(200)] {
        let claimed = Verdict::Claimed(subject.into());
        assert_eq!(identity(&first, "official", &claimed), Err(Unproven::Nameless));
    }
    let question = Verdict::Ask(Question { url: String::new() });
    assert_eq!(identity(&first, "official", &question), Err(Unproven::NoAnswer));
}

#[test]
fn verifiers_that_cannot_be_told_apart_are_not_served() {
    let times = Times::default();
    let check = |all: Verifiers| all.check(&times);
    let longest = times.signature_window * 2;
    let two = |one, other| Verifiers::new().with(one).with(other);
    let routed = |name| Custom { routes: &["/a"], ..custom(name, false) };
    let remembered = |memory| Verifiers::new().with(Custom { memory, ..custom("a", true) });
    assert_eq!(check(two(custom("a", true), custom("b", false))), Ok(()));
    assert_eq!(check(two(custom("a", true), custom("b", true))), Err(Clash::SameType("official".into())));
    let long =
        Custom { domains: Domains::of(&["official"], &["Android"]), ..custom("the-portal-of-all", false) };
    let realm = "the-portal-of-all/official.Android".to_string();
    assert_eq!(check(Verifiers::new().with(long)), Err(Clash::LongRealm(realm)));
    assert_eq!(check(two(custom("a", true), custom("a", false))), Err(Clash::SameName("a".into())));
    assert_eq!(check(two(routed("c"), custom("a", false))), Err(Clash::SameName("a".into())));
    assert_eq!(check(two(routed("b"), routed("c"))), Err(Clash::SameName("a".into())));
    for name in ["", "a.b", "a/b", "a b"] {
        assert_eq!(check(Verifiers::new().with(custom(name, false))), Err(Clash::Name(name.into())));
    }
    let theirs = Custom { domains: Domains::of(&["gtarcade"], &["7"]), ..custom("a", true) };
    assert_eq!(check(Verifiers::new().with(theirs)), Err(Clash::OtherDoor("gtarcade".into())));
    assert_eq!(check(remembered(longest)), Ok(()));
    assert!(matches!(check(remembered(longest + Duration::from_secs(1))), Err(Clash::Memory(_))));
    // In whose place somebody is already, he steps back.
    let all = Verifiers::new().with(custom("a", true)).and(two(custom("b", true), custom("c", false)));
    assert_eq!(all.0.iter().map(|own| own.name()).collect::<Vec<_>>(), ["a", "c"]);
}

/// As little as a verifier can be.
#[derive(Debug)]
struct Least(Domains);

impl Verifier for Least {
    fn name(&self) -> &str {
        "least"
    }

    fn domains(&self) -> &Domains {
        &self.0
    }

    fn check(&self, _: &Evidence<'_>) -> Verdict {
        Verdict::Claimed("ann".into())
    }

    fn memory(&self) -> Duration {
        Duration::ZERO
    }
}

#[test]
fn what_a_verifier_does_not_say_of_itself() {
    let (least, none) = (Least(Domains::of(&["official"], &[])), Members::default());
    assert!(!least.is_default() && least.routes().is_empty() && least.registers());
    let issue = Issue { parameters: &none, oem: &none, peer: Addr(1), now: 1, nonce: 2 };
    assert_eq!(least.issue(&issue), Err(Unproven::IssuesNothing));
    let evidence = Evidence { domain: "official", shown: &none, peer: Addr(1), now: 3, nonce: 5 };
    assert_eq!(least.answered(&evidence, None), Verdict::Refused(Unproven::NoEvidence));
    let claimed = credentials(&least, &evidence, &least.check(&evidence));
    let Ok(Credentials::Signed { registers: true, payload, form: None, .. }) = claimed else {
        panic!("{claimed:?}")
    };
    // Nothing was signed: what is remembered of it is when it came, and as which.
    assert_eq!(
        payload,
        Payload::new([[0, 0, 0, 0, 0, 0, 0, 3], [0, 0, 0, 0, 0, 0, 0, 5]].concat().try_into().unwrap())
    );
}

#[test]
fn what_is_not_proven_is_refused_as_what_it_is() {
    for (why, told) in [
        (Unproven::Nameless, Refusal::Malformed),
        (Unproven::NoAnswer, Refusal::Unavailable),
        (Unproven::Payload(gtarcade::Reason::UnknownGame), gtarcade::Reason::UnknownGame.into()),
        (Unproven::Payload(gtarcade::Reason::NotObject), gtarcade::Reason::NotObject.into()),
        (Unproven::WrongKey, Refusal::BadSignature),
        (Unproven::Portal(7), Refusal::BadSignature),
    ] {
        assert_eq!(Refusal::from(why), told, "{why}");
    }
    let reasons = [gtarcade::Reason::UnknownGame, gtarcade::Reason::NotObject].map(Refusal::from);
    assert!(reasons.iter().any(|why| *why != Refusal::BadSignature), "{reasons:?}");
}
