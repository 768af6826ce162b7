//! The policies of a workload, and how they are read off its annotations in all of v1's spellings.

use std::{collections::BTreeMap, fmt};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{
    guard::{Freeze, Guards, Hold, parse_duration, parse_platforms},
    pattern::{InvalidPattern, TagPattern},
    patterns::Patterns,
    similar::did_you_mean,
};
use crate::{
    finding::{Code, Place},
    image::Platform,
    manifest::{Annotation, Problem},
};

/// The policies of one workload.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Policies {
    /// Every policy by its v1 name (`automated`, `locked`, `tag.web`, …), with the value as
    /// written.
    pub all: BTreeMap<String, PolicyText>,
    /// `true` if automation may release it.
    pub automated: bool,
    /// Set if nothing may release it.
    pub locked: Option<Lock>,
    /// Set if sync and releases leave it alone.
    pub ignore: Option<Ignore>,
    /// `true` if labels that repeat a container's tag follow it.
    pub version_labels: bool,
    /// The guards: they keep a release back although a tag would be newer.
    pub guards: Guards,
    /// The names of policies that are there to keep something back and whose values cannot be read.
    /// What they would have kept back is not known, so nothing is released while there are any: see
    /// [`Policies::stop`].
    pub invalid_guards: Vec<String>,
    /// The problems of the annotations. Those of rules are reported where the rules are read.
    pub problems: Vec<Problem>,
}

/// The value of a policy and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PolicyText {
    /// The value as written.
    pub value: String,
    /// The annotation key that it was read from; of a rule its place in the document, such as
    /// `spec.rules[0].policy.tag`.
    pub key: String,
    /// Line, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1.
    pub column: u32,
    /// The file of the rule that sets it; `None` if it is an annotation of the workload itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// A lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// The person who locked it.
    pub user: Option<String>,
    /// Why.
    pub message: Option<String>,
}

/// How a workload is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ignore {
    /// Neither applied nor pruned nor released.
    True,
    /// Applied, but never pruned.
    SyncOnly,
}

/// The prefix that policies are written with.
pub const PREFIX: &str = "fluxcd.io/";

/// The prefixes that policies are read with, the strongest first, and what each stands for in the
/// name.
const PREFIXES: [(&str, &str); 3] = [(PREFIX, ""), ("flux.weave.works/", ""), ("filter.fluxcd.io/", "tag.")];

/// The policies by name, beside `tag.<container>`.
const NAMES: [&str; 14] = [
    "automated",
    "locked",
    "locked_user",
    "locked_msg",
    "ignore",
    "allow-downgrade",
    "min-age",
    "freeze",
    "hold",
    "hold_msg",
    "platforms",
    "pin-digest",
    "group",
    "version-labels",
];

/// Keys under the same prefixes that are no policies: Flux v1's own marks.
const MARKS: [&str; 4] = ["antecedent", "sync-checksum", "sync-gc-mark", "sync-hwm"];

/// The name under which a rule keeps a pattern for every container.
pub(super) const EVERY_CONTAINER: &str = "tag.*";

/// Reports that there is a policy of this name.
pub(super) fn is_policy(name: &str) -> bool {
    NAMES.contains(&name) || name.strip_prefix("tag.").is_some_and(|container| !container.is_empty())
}

impl Policies {
    /// Reads the policies off the annotations of a workload.
    ///
    /// A policy `P` is the annotation `fluxcd.io/P`; if there is none, `flux.weave.works/P`; and
    /// the pattern of container `C`, `tag.C`, is also `filter.fluxcd.io/C`.
    pub fn of(annotations: &BTreeMap<String, Annotation>) -> Self {
        Self::reading(annotations, &mut Patterns::default())
    }

    /// Does what [`Policies::of`] does, with patterns that were read before.
    pub(crate) fn reading(annotations: &BTreeMap<String, Annotation>, patterns: &mut Patterns) -> Self {
        Self::from_texts(texts(annotations), patterns)
    }

    /// Reads policies, by name.
    pub(super) fn from_texts(all: BTreeMap<String, PolicyText>, patterns: &mut Patterns) -> Self {
        let mut reader = Reader { all: &all, patterns, problems: Vec::new(), invalid_guards: Vec::new() };
        let locked = reader.flag("locked", Malformed::Blocks);
        let lock = Lock { user: reader.text("locked_user"), message: reader.text("locked_msg") };
        let held = reader.flag("hold", Malformed::Blocks);
        let hold = Hold { message: reader.text("hold_msg") };
        let automated = reader.flag("automated", Malformed::IsUnset);
        let version_labels = reader.flag("version-labels", Malformed::IsUnset);
        let ignore = reader.guard("ignore", ignore).flatten();
        let guards = Guards {
            allow_downgrade: reader.flag("allow-downgrade", Malformed::IsUnset),
            min_age: reader.guard("min-age", min_age),
            freeze: reader.guard("freeze", Freeze::parse),
            hold: held.then_some(hold),
            platforms: reader.guard("platforms", platforms).unwrap_or_default(),
            pin_digest: reader.flag("pin-digest", Malformed::Blocks),
            group: reader.guard("group", group),
        };
        reader.patterns_and_names();
        let Reader { problems, invalid_guards, .. } = reader;
        Self {
            automated,
            version_labels,
            locked: locked.then_some(lock),
            ignore,
            guards,
            invalid_guards,
            problems,
            all,
        }
    }

    /// The tag pattern of a container: as set for it, as a rule sets it for every container, or
    /// [`TagPattern::any`].
    ///
    /// # Errors
    /// [`InvalidPattern`] if one is set and cannot be parsed; such a pattern matches nothing.
    pub fn pattern(&self, container: &str) -> Result<TagPattern, InvalidPattern> {
        self.pattern_text(container).map_or_else(|| Ok(TagPattern::any()), |text| text.value.parse())
    }

    /// Returns where the tag pattern of a container stands; `None` if it is the default.
    pub fn pattern_text(&self, container: &str) -> Option<&PolicyText> {
        self.all.get(&format!("tag.{container}")).or_else(|| self.all.get(EVERY_CONTAINER))
    }

    /// Where a policy stands: in the workload's own file at `path`, or in the file of the rule that
    /// sets it.
    pub fn from(&self, policy: &str, path: &str) -> Option<Place> {
        let text = self.all.get(policy)?;
        let path = text.rule.clone().unwrap_or_else(|| path.to_owned());
        Some(Place { path, line: text.line, column: text.column })
    }

    /// The annotation keys under which a policy stands, the one that counts first: all of them go
    /// when it is removed.
    pub fn keys(policy: &str, annotations: &BTreeMap<String, Annotation>) -> Vec<String> {
        let spelt = PREFIXES
            .iter()
            .filter_map(|(prefix, stands_for)| Some(format!("{prefix}{}", policy.strip_prefix(stands_for)?)));
        spelt.filter(|key| annotations.contains_key(key)).collect()
    }

    /// The annotation key by which a policy is written: the one it stands under, or that of
    /// [`PREFIX`].
    pub fn key(&self, policy: &str) -> String {
        let there = self.all.get(policy).filter(|text| text.rule.is_none());
        there.map_or_else(|| format!("{PREFIX}{policy}"), |text| text.key.clone())
    }
}

/// Returns the annotations under the prefixes of policies, by policy name.
pub(super) fn texts(annotations: &BTreeMap<String, Annotation>) -> BTreeMap<String, PolicyText> {
    let mut all = BTreeMap::new();
    for (prefix, stands_for) in PREFIXES {
        for (key, annotation) in annotations {
            let Some(name) = key.strip_prefix(prefix).filter(|name| !MARKS.contains(name)) else {
                continue;
            };
            all.entry(format!("{stands_for}{name}")).or_insert_with(|| PolicyText {
                value: annotation.value.clone(),
                key: key.clone(),
                line: annotation.line,
                column: annotation.column,
                rule: None,
            });
        }
    }
    all
}

/// The effect of a policy whose value cannot be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Malformed {
    /// It is as if it were not set: that is the careful side.
    IsUnset,
    /// Nothing is released until it is mended.
    Blocks,
}

struct Reader<'a> {
    all: &'a BTreeMap<String, PolicyText>,
    patterns: &'a mut Patterns,
    problems: Vec<Problem>,
    invalid_guards: Vec<String>,
}

impl Reader<'_> {
    fn text(&self, name: &str) -> Option<String> {
        self.all.get(name).map(|text| text.value.clone())
    }

    fn flag(&mut self, name: &str, malformed: Malformed) -> bool {
        self.read(name, malformed, flag).unwrap_or(false)
    }

    fn guard<T>(&mut self, name: &str, parse: fn(&str) -> Result<T, String>) -> Option<T> {
        self.read(name, Malformed::Blocks, parse)
    }

    fn read<T>(
        &mut self,
        name: &str,
        malformed: Malformed,
        parse: fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.all.get(name)?;
        match parse(&text.value) {
            Ok(value) => Some(value),
            Err(remedy) => {
                if malformed == Malformed::Blocks {
                    self.invalid_guards.push(name.to_owned());
                }
                self.problem(Code::InvalidPolicy, text, format!("{}: \"{}\"", text.key, text.value), remedy);
                None
            }
        }
    }

    fn patterns_and_names(&mut self) {
        for (name, text) in self.all {
            if !is_policy(name) {
                let remedy = format!(
                    "{}remove it, or write one of {}, and tag.<container>; keys start with {PREFIX}",
                    did_you_mean(name, &NAMES),
                    NAMES.join(", ")
                );
                self.problem(Code::UnknownPolicy, text, format!("{} is no policy", text.key), remedy);
            } else if name.starts_with("tag.")
                && let Err(e) = self.patterns.read(&text.value)
            {
                let remedy = "mend the pattern; until then it matches no tag".to_owned();
                self.problem(Code::InvalidPattern, text, format!("{}: {e}", text.key), remedy);
            }
        }
    }

    fn problem(&mut self, code: Code, text: &PolicyText, evidence: String, remedy: impl fmt::Display) {
        if text.rule.is_none() {
            self.problems.push(Problem {
                code,
                subject: None,
                line: text.line,
                column: text.column,
                evidence,
                remedy: remedy.to_string(),
            });
        }
    }
}

fn flag(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "write \"true\" or \"false\"".to_owned())
}

fn ignore(text: &str) -> Result<Option<Ignore>, String> {
    match text {
        "true" => Ok(Some(Ignore::True)),
        "sync_only" => Ok(Some(Ignore::SyncOnly)),
        "false" => Ok(None),
        _ => Err("write \"true\", \"sync_only\" or \"false\"".to_owned()),
    }
}

fn min_age(text: &str) -> Result<SignedDuration, String> {
    parse_duration(text).ok_or_else(|| "write a duration, such as 24h, 90m or 7d".to_owned())
}

fn platforms(text: &str) -> Result<Vec<Platform>, String> {
    parse_platforms(text)
        .map_err(|_| "write platforms with commas between, such as linux/amd64,linux/arm64".to_owned())
}

fn group(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(char::is_whitespace) {
        return Err("write a name without white space".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(annotations: &[(&str, &str)]) -> Policies {
        let annotation = |value: &str, line| Annotation { value: value.to_owned(), line, column: 5 };
        let lines = annotations.iter().zip(1..);
        Policies::of(&lines.map(|((k, v), line)| ((*k).to_owned(), annotation(v, line))).collect())
    }

    fn pattern(policies: &Policies, container: &str) -> String {
        policies.pattern(container).map_or_else(|e| e.to_string(), |p| p.to_string())
    }

    #[test]
    fn every_spelling_of_v1_is_read_in_its_order() {
        let policies = of(&[
            ("flux.weave.works/automated", "true"),
            ("filter.fluxcd.io/web", "glob:filter-*"),
            ("filter.fluxcd.io/db", "glob:filter-*"),
            ("flux.weave.works/tag.web", "glob:weave-*"),
            ("flux.weave.works/tag.cache", "glob:weave-*"),
            ("fluxcd.io/tag.cache", "semver:~1"),
            ("other.io/automated", "false"),
            ("automated", "false"),
        ]);
        assert!(policies.automated);
        assert_eq!(policies.problems, []);
        assert_eq!(pattern(&policies, "web"), "glob:weave-*");
        assert_eq!(pattern(&policies, "db"), "glob:filter-*");
        assert_eq!(pattern(&policies, "cache"), "semver:~1");
        assert_eq!(pattern(&policies, "other"), "glob:*");
        let names: Vec<&str> = policies.all.keys().map(String::as_str).collect();
        assert_eq!(names, ["automated", "tag.cache", "tag.db", "tag.web"]);
        assert_eq!(policies.key("tag.web"), "flux.weave.works/tag.web");
        assert_eq!(policies.key("tag.db"), "filter.fluxcd.io/db");
        assert_eq!(policies.key("locked"), "fluxcd.io/locked");
    }

    #[test]
    fn a_container_may_be_called_as_a_policy_is() {
        let policies = of(&[("filter.fluxcd.io/automated", "glob:x")]);
        assert!(!policies.automated);
        assert_eq!(pattern(&policies, "automated"), "glob:x");
        assert_eq!(policies.key("automated"), "fluxcd.io/automated");
    }

    #[test]
    fn values_are_read() {
        let policies = of(&[
            ("fluxcd.io/locked", "true"),
            ("fluxcd.io/locked_user", "Ann <ann@example.com>"),
            ("fluxcd.io/locked_msg", "until the fair"),
            ("fluxcd.io/ignore", "sync_only"),
            ("fluxcd.io/allow-downgrade", "true"),
            ("fluxcd.io/min-age", "1d"),
            ("fluxcd.io/freeze", "0 16 * * 5 for 64h Europe/Berlin"),
            ("fluxcd.io/hold", "true"),
            ("fluxcd.io/hold_msg", "it leaks"),
            ("fluxcd.io/platforms", "linux/amd64, linux/arm64"),
            ("fluxcd.io/pin-digest", "true"),
            ("fluxcd.io/group", "shop"),
            ("fluxcd.io/sync-checksum", "0123"),
        ]);
        assert_eq!(policies.problems, []);
        assert!(!policies.automated);
        let lock = policies.locked.unwrap();
        assert_eq!(
            (lock.user.as_deref(), lock.message.as_deref()),
            (Some("Ann <ann@example.com>"), Some("until the fair"))
        );
        assert_eq!(policies.ignore, Some(Ignore::SyncOnly));
        let guards = policies.guards;
        assert!(guards.allow_downgrade && guards.pin_digest && guards.freeze.is_some());
        assert_eq!(guards.min_age, Some(SignedDuration::from_hours(24)));
        assert_eq!(guards.hold.unwrap().message.as_deref(), Some("it leaks"));
        assert_eq!(guards.platforms.len(), 2);
        assert_eq!(guards.group.as_deref(), Some("shop"));
        assert!(!policies.all.contains_key("sync-checksum"));
    }

    #[test]
    fn false_is_as_if_it_were_not_there() {
        for name in ["automated", "locked", "ignore", "hold", "allow-downgrade", "pin-digest"] {
            let policies = of(&[(&format!("fluxcd.io/{name}"), "false")]);
            assert_eq!((policies.problems, policies.invalid_guards), (Vec::new(), Vec::new()), "{name}");
            assert!(!policies.automated && policies.locked.is_none() && policies.ignore.is_none());
            assert_eq!(policies.guards, Guards::default());
        }
    }

    #[test]
    fn a_malformed_value_is_told_with_its_place_and_a_guard_that_has_one_blocks() {
        // Name, value, whether it blocks.
        let table = [
            ("automated", "yes", false),
            ("allow-downgrade", "True", false),
            ("locked", "yes", true),
            ("ignore", "sync-only", true),
            ("min-age", "a week", true),
            ("freeze", "on fridays", true),
            ("hold", "", true),
            ("platforms", "amd64", true),
            ("pin-digest", "1", true),
            ("group", "", true),
        ];
        for (name, value, blocks) in table {
            let policies = of(&[("a", "b"), (&format!("fluxcd.io/{name}"), value)]);
            let [problem] = &policies.problems[..] else { panic!("{name}: {:?}", policies.problems) };
            assert_eq!((problem.code, problem.line, problem.column), (Code::InvalidPolicy, 2, 5), "{name}");
            assert_eq!(policies.invalid_guards, if blocks { vec![name] } else { vec![] });
            assert!(!policies.automated);
        }
    }

    #[test]
    fn an_invalid_pattern_is_told_and_matches_nothing() {
        for pattern in ["semver:abc", "regexp:(", "semver:>", "regex:[", "semver-strict:1.2.3.4"] {
            let policies = of(&[("fluxcd.io/tag.web", pattern)]);
            assert_eq!(policies.problems[0].code, Code::InvalidPattern, "{pattern}");
            assert!(policies.pattern("web").is_err());
        }
    }

    #[test]
    fn a_key_that_no_policy_has_is_told() {
        for key in [
            "fluxcd.io/automatd",
            "flux.weave.works/tag_all",
            "fluxcd.io/tag.",
            "fluxcd.io/",
            "fluxcd.io/minAge",
        ] {
            let policies = of(&[(key, "true")]);
            assert_eq!(policies.problems[0].code, Code::UnknownPolicy, "{key}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(value in "\\PC{0,20}", at in 0..NAMES.len() + 1) {
            let name = NAMES.get(at).copied().unwrap_or("tag.web");
            let policies = of(&[(&format!("fluxcd.io/{name}"), &value)]);
            prop_assert!(policies.all[name].value == value);
            if let Ok(pattern) = policies.pattern("web") {
                let _ = pattern.matches(&value);
            }
        }
    }
}
