//! The policies of a workload, and how they are read off its annotations in all of v1's spellings.

use std::{collections::BTreeMap, fmt};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{
    guard::{Freeze, Guards, Hold, parse_duration, parse_platforms},
    pattern::{InvalidPattern, TagPattern},
    patterns::Patterns,
};
use crate::{
    finding::{Code, Problem},
    image::Platform,
    manifest::Annotations,
    position::Position,
    repo_path::RepoPath,
    similar::did_you_mean,
};

#[cfg(test)]
mod tests;

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
    /// `true` if build dates are those of the labels of images first.
    pub label_dates: bool,
    /// The guards: they keep a release back although a tag would be newer.
    pub guards: Guards,
    /// The names of policies that are there to keep something back and whose values cannot be read.
    ///
    /// It is unknown which releases they would have kept back, so nothing is released while there
    /// are any: see [`Policies::stop`].
    pub invalid_guards: Vec<String>,
    /// The problems of the annotations.
    ///
    /// Those of rules are reported where the rules are read.
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
    /// The position of the value.
    #[serde(flatten)]
    pub position: Position,
    /// The file of the rule that sets it; `None` if it is an annotation of the workload itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RepoPath>,
}

/// A lock.
///
/// Exhaustive: it is what v1's two annotations of a lock say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// The person who locked it.
    pub user: Option<String>,
    /// Why.
    pub message: Option<String>,
}

/// How a workload is left alone.
///
/// Exhaustive: v1 has these two.
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
const NAMES: [&str; 15] = [
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
    "label-dates",
];

/// Keys under the same prefixes that are no policies: the marks of this library and of Flux v1.
const MARKS: [&str; 5] = ["antecedent", "sync-adopted", "sync-checksum", "sync-gc-mark", "sync-hwm"];

/// The annotations under the same prefixes that are about syncs alone: any object may have them.
const OF_SYNCS: [&str; 8] = [
    "drift",
    "force",
    "force-conflicts",
    "ignore-fields",
    "prune",
    "suspended",
    "suspended_msg",
    "suspended_user",
];

/// The name under which a rule keeps a pattern for every container.
pub(super) const EVERY_CONTAINER: &str = "tag.*";

/// Reports that there is a policy of this name.
pub(super) fn is_policy(name: &str) -> bool {
    NAMES.contains(&name) || name.strip_prefix("tag.").is_some_and(|container| !container.is_empty())
}

/// Returns `true` if an annotation of this name is about the syncs of an object, which need not run
/// images.
pub(crate) fn is_of_syncs(name: &str) -> bool {
    OF_SYNCS.contains(&name) || name == "ignore"
}

impl Policies {
    /// Reads the policies off the annotations of a workload.
    ///
    /// A policy `P` is the annotation `fluxcd.io/P`; if there is none, `flux.weave.works/P`; and
    /// the pattern of container `C`, `tag.C`, is also `filter.fluxcd.io/C`.
    pub fn of(annotations: &Annotations) -> Self {
        Self::reading(annotations, &mut Patterns::default())
    }

    /// Does what [`Policies::of`] does, with patterns that were read before.
    pub(crate) fn reading(annotations: &Annotations, patterns: &mut Patterns) -> Self {
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
        let label_dates = reader.flag("label-dates", Malformed::IsUnset);
        reader.patterns_and_names();
        let Reader { problems, invalid_guards, .. } = reader;
        Self {
            automated,
            version_labels,
            label_dates,
            locked: locked.then_some(lock),
            ignore,
            guards,
            invalid_guards,
            problems,
            all,
        }
    }

    /// Returns the tag pattern of a container: as set for it, as a rule sets it for every
    /// container, or [`TagPattern::any`].
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

    /// Returns where a policy stands: in the workload's own file at `path`, or in the file of the
    /// rule that sets it.
    pub fn from<'p>(&'p self, policy: &str, path: &'p str) -> Option<(&'p str, Position)> {
        let text = self.all.get(policy)?;
        Some((text.rule.as_deref().unwrap_or(path), text.position))
    }

    /// Returns the annotation keys under which a policy stands, the one that counts first: all of
    /// them go when it is removed.
    pub fn keys(policy: &str, annotations: &Annotations) -> Vec<String> {
        let spelt = PREFIXES
            .iter()
            .filter_map(|(prefix, stands_for)| Some(format!("{prefix}{}", policy.strip_prefix(stands_for)?)));
        spelt.filter(|key| annotations.contains_key(key)).collect()
    }

    /// Returns the annotation key by which a policy is written: the one it stands under, or that of
    /// [`PREFIX`].
    pub fn key(&self, policy: &str) -> String {
        let there = self.all.get(policy).filter(|text| text.rule.is_none());
        there.map_or_else(|| format!("{PREFIX}{policy}"), |text| text.key.clone())
    }
}

/// Returns the annotations under the prefixes of policies, by policy name.
pub(super) fn texts(annotations: &Annotations) -> BTreeMap<String, PolicyText> {
    let mut all = BTreeMap::new();
    for (prefix, stands_for) in PREFIXES {
        for (key, annotation) in annotations.iter() {
            let is_policy = |name: &&str| !MARKS.contains(name) && !OF_SYNCS.contains(name);
            let Some(name) = key.strip_prefix(prefix).filter(is_policy) else {
                continue;
            };
            all.entry(format!("{stands_for}{name}")).or_insert_with(|| PolicyText {
                value: annotation.value.clone(),
                key: key.to_owned(),
                position: annotation.position,
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
                position: text.position,
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
