//! The checker's own reading of policies: annotations and the rules of policy documents, as texts.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    finding::{Code, Finding},
    manifest_set::{Located, Manifests},
};

/// The policies of a workload, by v1's names.
#[derive(Debug, Default)]
pub(super) struct Texts(BTreeMap<String, String>);

impl Texts {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns `true` if a policy is set that opens something: only `true` does.
    pub(super) fn allows(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }

    /// Returns `true` if a policy is set that keeps something shut: whatever is not plainly off
    /// does.
    pub(super) fn blocks(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value != "false" && !(name == "ignore" && value == "sync_only"))
    }

    /// Returns the tag pattern of a container.
    pub(super) fn pattern(&self, container: &str) -> Option<&str> {
        self.get(&format!("tag.{container}")).or_else(|| self.get("tag.*"))
    }
}

/// Reads the policies of workloads.
pub(super) struct Reader {
    rules: Vec<Value>,
    /// `true` if every policy document could be read.
    ///
    /// Where one could not, what it says is not guessed at.
    pub(super) is_certain: bool,
}

impl Reader {
    pub(super) fn new(manifests: &Manifests, findings: &[Finding]) -> Self {
        let documents: Vec<Located<'_>> = manifests
            .resources()
            .filter(|at| at.resource.kind == "FluxPolicy" && at.resource.api_version.group() == "fluxcd.io")
            .collect();
        let has_problem = |at: &Located<'_>| {
            findings.iter().any(|finding| {
                matches!(finding.code, Code::InvalidPolicy | Code::InvalidPattern | Code::UnknownPolicy)
                    && finding.place.as_ref().is_some_and(|place| *at.path == *place.path)
            })
        };
        let is_certain = !documents.iter().any(has_problem);
        let rules = documents.iter().filter_map(|at| match at.resource.object.at("/spec/rules")? {
            Value::Array(rules) => Some(rules),
            _ => None,
        });
        Self { rules: rules.flatten().collect(), is_certain }
    }

    pub(super) fn policies(&self, at: &Located<'_>) -> Texts {
        let mut texts = BTreeMap::new();
        let matching = self.rules.iter().filter(|rule| selects(&rule["select"], at));
        let (enforced, others): (Vec<&Value>, Vec<&Value>) =
            matching.partition(|rule| rule["enforce"] == true);
        for rule in others {
            overlay(&mut texts, from_rule(&rule["policy"]));
        }
        overlay(&mut texts, from_annotations(at));
        for rule in enforced {
            overlay(&mut texts, from_rule(&rule["policy"]));
        }
        Texts(texts)
    }
}

/// A pattern for every container takes the place of those for single ones below it.
fn overlay(texts: &mut BTreeMap<String, String>, layer: BTreeMap<String, String>) {
    if layer.contains_key("tag.*") {
        texts.retain(|name, _| !name.starts_with("tag."));
    }
    texts.extend(layer);
}

fn from_annotations(at: &Located<'_>) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    // The strongest prefix comes last.
    for (prefix, stands_for) in [("filter.fluxcd.io/", "tag."), ("flux.weave.works/", ""), ("fluxcd.io/", "")]
    {
        for (key, annotation) in at.resource.annotations.iter() {
            if let Some(name) = key.strip_prefix(prefix) {
                texts.insert(format!("{stands_for}{name}"), annotation.value.clone());
            }
        }
    }
    texts
}

fn from_rule(policy: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value, separator: &str| match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(separator),
        other => other.to_string(),
    };
    let mut texts = BTreeMap::new();
    for (key, value) in policy.as_object().into_iter().flatten() {
        match key.as_str() {
            "tag" => drop(texts.insert("tag.*".to_owned(), text(value, ""))),
            "tags" => {
                for (container, pattern) in value.as_object().into_iter().flatten() {
                    texts.insert(format!("tag.{container}"), text(pattern, ""));
                }
            }
            "labelDates" => drop(texts.insert("label-dates".to_owned(), text(value, ""))),
            "allowDowngrade" => drop(texts.insert("allow-downgrade".to_owned(), text(value, ""))),
            "freeze" => drop(texts.insert("freeze".to_owned(), text(value, ";"))),
            other => drop(texts.insert(other.to_owned(), text(value, ","))),
        }
    }
    texts
}

/// Returns `true` if a `select` is for a workload.
fn selects(select: &Value, at: &Located<'_>) -> bool {
    let id = at.workload_id();
    let any = |key: &str, texts: &[String]| match select.get(key).and_then(Value::as_array) {
        None => true,
        Some(globs) => globs.iter().filter_map(Value::as_str).any(|glob| {
            texts.iter().any(|text| {
                if key == "kinds" { matches(&glob.to_lowercase(), text) } else { matches(glob, text) }
            })
        }),
    };
    let labels = select.get("labels").and_then(Value::as_object).into_iter().flatten();
    let own = at.resource.object.at("/metadata/labels").unwrap_or_default();
    let images = at.resource.workload.iter().flatten().filter_map(|c| Some(&c.image.as_ref().ok()?.name));
    let images: Vec<String> = images
        .flat_map(|name| {
            let canonical = name.canonical().to_string();
            let short = canonical.strip_prefix("index.").unwrap_or(&canonical).to_owned();
            [name.to_string(), canonical, short]
        })
        .collect();
    let mut labels = labels.map(|(key, value)| own.get(key).is_some_and(|has| same_text(has, value)));
    any("namespaces", &[id.namespace().to_owned()])
        && any("kinds", &[id.kind().to_lowercase()])
        && any("names", &[id.name().to_owned()])
        && any("images", &images)
        && labels.all(|has| has)
}

/// Returns `true` if a label has the value that a rule asks for, which may be written as a number
/// or as `true`.
fn same_text(has: &Value, wanted: &Value) -> bool {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text(has) == text(wanted)
}

/// Returns `true` if a text is what a glob stands for, in which `*` is any text.
fn matches(glob: &str, text: &str) -> bool {
    match glob.split_once('*') {
        None => glob == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| matches(after, &rest[at..]))
        }),
    }
}
