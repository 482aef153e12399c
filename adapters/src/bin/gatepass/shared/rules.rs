//! A set of rules by its name: a profile, a flaw, or a file.

use std::fs;

use gatepass_core::policy::Policy;
use gatepass_sim::{
    flaws::{FLAWS, Flaw},
    misread::Misread,
    names::unknown,
    scenario::{Player, Scenario, rules_of},
};
use serde::Deserialize;

/// A profile and the rules that differ from it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rules {
    /// What it was asked for as.
    pub(crate) name: String,
    profile: String,
    rules: toml::Table,
}

/// A file of rules.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default = "strict")]
    policy: String,
    #[serde(default)]
    rules: toml::Table,
}

fn strict() -> String {
    "strict".to_owned()
}

impl Rules {
    /// The rules of this name: a profile, a flaw, or a TOML file.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        let made = |profile: String, rules| Self { name: name.to_owned(), profile, rules };
        if name.ends_with(".toml") {
            let text = fs::read_to_string(name).map_err(|error| format!("{name}: {error}"))?;
            let File { policy, rules } = Self::read(&text).map_err(|why| format!("{name}: {why}"))?;
            return Ok(made(policy, rules));
        }
        if Policy::named(name).is_some() {
            return Ok(made(name.to_owned(), toml::Table::new()));
        }
        let Some(flaw) = Flaw::named(name) else {
            let profiles = Policy::PROFILES.into_iter().map(|(known, _)| known);
            let known = profiles.chain(FLAWS.iter().map(|flaw| flaw.name));
            return Err(format!("{}\n  or a TOML file with [rules]", unknown("policy or flaw", name, known)));
        };
        let kept = rules_of(&Policy::STRICT);
        let changed =
            rules_of(&flaw.policy()).into_iter().filter(|(rule, value)| kept.get(rule) != Some(value));
        Ok(made(strict(), changed.collect()))
    }

    fn read(text: &str) -> Result<File, Misread> {
        let file: File = toml::from_str(text).map_err(|error| Misread::new(text, &error))?;
        let somebody = Player { account: "ann".to_owned(), ..Player::default() };
        let played = Scenario {
            policy: file.policy.clone(),
            rules: file.rules.clone(),
            players: vec![somebody],
            ..Scenario::default()
        };
        played.validate().map_err(|error| Misread::at(text, &error.path(), &error))?;
        Ok(file)
    }

    /// A scenario by these rules. Its own rules are a part of it and stay, but where these say something else.
    pub(crate) fn applied_to(&self, scenario: &Scenario) -> Scenario {
        let mut scenario = Scenario { policy: self.profile.clone(), ..scenario.clone() };
        scenario.rules.extend(self.rules.clone());
        scenario
    }

    /// The rules themselves.
    pub(crate) fn policy(&self) -> Result<Policy, String> {
        self.applied_to(&Scenario::default()).policy().map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_and_flaws_are_rules() {
        for (name, policy) in Policy::PROFILES {
            assert_eq!(Rules::named(name).and_then(|it| it.policy()), Ok(policy));
        }
        for flaw in FLAWS {
            assert_eq!(
                Rules::named(flaw.name).and_then(|it| it.policy()),
                Ok(flaw.policy()),
                "{}",
                flaw.name
            );
        }
        assert!(Rules::named("mopey").is_err_and(|why| why.contains("did you mean mope?")));
    }

    #[test]
    fn a_file_of_rules_is_read_with_care() {
        let file = Rules::read("policy = \"mope\"\n[rules]\none_session = true\n").expect("it reads");
        assert_eq!((&file.policy[..], file.rules.len()), ("mope", 1));
        let cases = [
            ("policy = \"mopey\"\n", "line 1, column 1: there is no policy"),
            ("\n[rules]\none_sesion = true\n", "line 3, column 1: there is no rule"),
            ("rule = 1\n", "line 1, column 1: unknown field"),
        ];
        for (text, expected) in cases {
            let why = Rules::read(text).expect_err(expected).to_string();
            assert!(why.starts_with(expected), "{why}");
        }
    }
}
