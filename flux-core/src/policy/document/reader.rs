//! Reading the rules of a policy document, and saying what is wrong with them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::rule::{Rule, Select};
use crate::{
    finding::{Code, Problem},
    manifest::Resource,
    pointer::{escape, unescape},
    policy::{
        annotations::{EVERY_CONTAINER, Policies, PolicyText},
        glob::Glob,
        patterns::Patterns,
    },
    position::Position,
    repo_path::RepoPath,
    similar::did_you_mean,
    yaml::Places,
};

/// The policies of a rule: its name there, its v1 name, what separates the items of a list.
const POLICIES: [(&str, &str, Option<&str>); 14] = [
    ("automated", "automated", None),
    ("locked", "locked", None),
    ("lockedUser", "locked_user", None),
    ("lockedMsg", "locked_msg", None),
    ("allowDowngrade", "allow-downgrade", None),
    ("minAge", "min-age", None),
    ("freeze", "freeze", Some(";")),
    ("hold", "hold", None),
    ("holdMsg", "hold_msg", None),
    ("platforms", "platforms", Some(",")),
    ("pinDigest", "pin-digest", None),
    ("group", "group", None),
    ("versionLabels", "version-labels", None),
    ("labelDates", "label-dates", None),
];

const DOCUMENT_KEYS: [&str; 3] = ["rules", "suspended", "workloads"];
const RULE_KEYS: [&str; 3] = ["select", "policy", "enforce"];
const SUSPENDED_KEYS: [&str; 2] = ["by", "reason"];
const SELECT_KEYS: [&str; 5] = ["namespaces", "kinds", "names", "images", "labels"];

pub(super) struct Reader<'a> {
    path: &'a RepoPath,
    document: &'a Resource,
    places: Places,
    rules: Vec<Rule>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(path: &'a RepoPath, document: &'a Resource, places: Places) -> Self {
        Self { path, document, places, rules: Vec::new(), problems: Vec::new() }
    }

    pub(super) fn done(self) -> (Vec<Rule>, Vec<Problem>) {
        (self.rules, self.problems)
    }

    pub(super) fn document(&mut self, object: &Value) {
        let Some(spec) = self.map("/spec", object.get("spec")) else {
            return self.broken_document();
        };
        // What `workloads` says is read where the manifests are.
        for key in spec.keys().filter(|key| !DOCUMENT_KEYS.contains(&key.as_str())) {
            self.unknown(&format!("/spec/{}", escape(key)), key, &DOCUMENT_KEYS);
        }
        self.suspended(spec.get("suspended"));
        match spec.get("rules") {
            None | Some(Value::Null) => {}
            Some(Value::Array(rules)) => {
                for (index, rule) in rules.iter().enumerate() {
                    let rule = self.rule(index, rule);
                    self.rules.push(rule);
                }
            }
            Some(_) => {
                self.wrong("/spec/rules", "write a list of rules");
                self.broken_document();
            }
        }
    }

    /// Checks the form of what suspends the syncs; those read it themselves.
    fn suspended(&mut self, value: Option<&Value>) {
        let Some(value) = value.filter(|value| !value.is_null() && !value.is_boolean()) else { return };
        for (key, value) in self.map("/spec/suspended", Some(value)).into_iter().flatten() {
            let at = format!("/spec/suspended/{}", escape(key));
            if !SUSPENDED_KEYS.contains(&key.as_str()) {
                self.unknown(&at, key, &SUSPENDED_KEYS);
            } else if !value.is_string() {
                self.wrong(&at, "write text; quote it");
            }
        }
    }

    /// The document cannot be read at all, so it may be for any workload.
    pub(super) fn broken_document(&mut self) {
        let broken =
            Some(format!("{}:{} FluxPolicy {}", self.path, self.document.position.line, self.document.name));
        self.rules.push(Rule { select: Select::default(), policy: BTreeMap::new(), enforce: false, broken });
    }

    fn rule(&mut self, index: usize, value: &Value) -> Rule {
        let before = self.problems.len();
        let at = format!("/spec/rules/{index}");
        let mut rule =
            Rule { select: Select::default(), policy: BTreeMap::new(), enforce: false, broken: None };
        if let Some(map) = self.map(&at, Some(value)) {
            for (key, value) in map {
                let at = format!("{at}/{}", escape(key));
                match key.as_str() {
                    "select" => rule.select = self.select(&at, value),
                    "policy" => rule.policy = self.policy(&at, value),
                    "enforce" => match value {
                        Value::Bool(enforce) => rule.enforce = *enforce,
                        _ => self.wrong(&at, "write true or false"),
                    },
                    _ => self.unknown(&at, key, &RULE_KEYS),
                }
            }
        }
        // The problems of values are those of annotations, at the places of the rule.
        self.problems.extend(Policies::from_texts(rule.policy.clone(), &mut Patterns::default()).problems);
        if self.problems.len() > before {
            let line = self.position_of(&at).line;
            rule.broken =
                Some(format!("{}:{line} rule {index} of FluxPolicy {}", self.path, self.document.name));
            rule.policy.clear();
        }
        for text in rule.policy.values_mut() {
            text.rule = Some(self.path.clone());
        }
        rule
    }

    fn select(&mut self, at: &str, value: &Value) -> Select {
        let mut select = Select::default();
        for (key, value) in self.map(at, Some(value)).into_iter().flatten() {
            let at = format!("{at}/{}", escape(key));
            match key.as_str() {
                "namespaces" => select.namespaces = self.globs(&at, value, str::to_owned),
                "kinds" => select.kinds = self.globs(&at, value, str::to_lowercase),
                "names" => select.names = self.globs(&at, value, str::to_owned),
                "images" => select.images = self.globs(&at, value, str::to_owned),
                "labels" => {
                    for (label, value) in self.map(&at, Some(value)).into_iter().flatten() {
                        match value {
                            Value::String(value) => drop(select.labels.insert(label.clone(), value.clone())),
                            _ => self.wrong(
                                &format!("{at}/{}", escape(label)),
                                "the value of a label is text; quote it",
                            ),
                        }
                    }
                }
                _ => self.unknown(&at, key, &SELECT_KEYS),
            }
        }
        select
    }

    fn globs(&mut self, at: &str, value: &Value, case: fn(&str) -> String) -> Option<Vec<Glob>> {
        let items =
            value.as_array().map(|items| items.iter().map(|item| Some(Glob::new(&case(item.as_str()?)))));
        let globs = items.and_then(Iterator::collect::<Option<Vec<Glob>>>);
        if globs.is_none() {
            self.wrong(at, "write a list of names, in which * stands for any text");
        }
        globs
    }

    fn policy(&mut self, at: &str, value: &Value) -> BTreeMap<String, PolicyText> {
        let mut found = BTreeMap::new();
        for (key, value) in self.map(at, Some(value)).into_iter().flatten() {
            let at = format!("{at}/{}", escape(key));
            let known = POLICIES.iter().find(|(name, ..)| name == key);
            match (key.as_str(), known) {
                ("tag", _) => self.set(&mut found, EVERY_CONTAINER, &at, value, None),
                ("tags", _) => {
                    for (container, value) in self.map(&at, Some(value)).into_iter().flatten() {
                        let at = format!("{at}/{}", escape(container));
                        self.set(&mut found, &format!("tag.{container}"), &at, value, None);
                    }
                }
                (_, Some((_, name, separator))) => self.set(&mut found, name, &at, value, *separator),
                _ => {
                    let names = POLICIES.iter().map(|(name, ..)| *name);
                    let names: Vec<&str> = ["tag", "tags"].into_iter().chain(names).collect();
                    self.unknown(&at, key, &names);
                }
            }
        }
        found
    }

    fn set(
        &mut self,
        found: &mut BTreeMap<String, PolicyText>,
        name: &str,
        at: &str,
        value: &Value,
        separator: Option<&str>,
    ) {
        let text = match (value, separator) {
            (Value::Array(items), Some(separator)) => {
                items.iter().map(scalar).collect::<Option<Vec<_>>>().map(|items| items.join(separator))
            }
            _ => scalar(value),
        };
        let Some(value) = text else {
            return self.wrong(at, "write text, true, false or a number");
        };
        let (key, position) = (dotted(at), self.position_of(at));
        found.insert(name.to_owned(), PolicyText { value, key, position, rule: None });
    }

    /// Returns a value as a mapping.
    ///
    /// Any other value, and a missing one, is a problem.
    fn map<'v>(&mut self, at: &str, value: Option<&'v Value>) -> Option<&'v Map<String, Value>> {
        let map = value.and_then(Value::as_object);
        if map.is_none() {
            self.wrong(at, "write a mapping of keys to values");
        }
        map
    }

    fn unknown(&mut self, at: &str, key: &str, known: &[&str]) {
        let evidence = format!("{} is no key of a FluxPolicy", dotted(at));
        let hint = did_you_mean(key, known);
        let remedy = format!("{hint}write one of {}", and(known));
        self.problem(Code::InvalidPolicy, at, evidence, remedy);
    }

    fn wrong(&mut self, at: &str, remedy: &str) {
        self.problem(Code::InvalidPolicy, at, format!("{} cannot be read", dotted(at)), remedy.to_owned());
    }

    pub(super) fn problem(&mut self, code: Code, at: &str, evidence: String, remedy: String) {
        let position = self.position_of(at);
        let subject = Some(format!("FluxPolicy {}", self.document.name));
        self.problems.push(Problem { code, subject, position, evidence, remedy });
    }

    /// Returns the position of a key, or of the nearest one around it whose position is known.
    fn position_of(&self, at: &str) -> Position {
        self.places.nearest(at).unwrap_or(self.document.position)
    }
}

/// `/spec/rules/0/policy` as people write it, `spec.rules[0].policy`.
fn dotted(pointer: &str) -> String {
    let mut text = String::new();
    for part in pointer.split('/').skip(1) {
        if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) {
            text += &format!("[{part}]");
        } else {
            let dot = if text.is_empty() { "" } else { "." };
            text += &format!("{dot}{}", unescape(part));
        }
    }
    text
}

/// Joins names as people do: `select, policy and enforce`.
fn and(names: &[&str]) -> String {
    match names {
        [first @ .., last] if !first.is_empty() && names.len() < 6 => {
            format!("{} and {last}", first.join(", "))
        }
        names => names.join(", "),
    }
}

/// Returns a scalar as the text of an annotation.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}
