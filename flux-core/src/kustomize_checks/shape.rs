//! Mistakes in a kustomization itself: in its keys and the shapes of their values, as kustomize
//! would report them.
//!
//! kustomize takes keys in any case, and null wherever a value may be left out. Nested keys are
//! checked where kustomizations usually have them: images, patches, replicas, labels, and the
//! generators of config maps and secrets.

use serde_json::{Map, Value};

use crate::{
    api_version::group_of,
    finding::Code,
    kustomize::is_no_expression,
    manifest::{
        kustomization::{COMPONENT, COMPONENT_VERSION, GROUP, KIND, VERSION},
        kustomization_keys::{
            KEYS, SHAPES,
            Shape::{self, Items, Keys, Map as AnyMap, Maps, Number, Text, TextMap, Texts, Truth},
        },
    },
    pointer::escape,
};

/// A mistake in a kustomization, with the JSON pointer of its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) code: Code,
    pub(crate) pointer: String,
    pub(crate) evidence: String,
    pub(crate) remedy: String,
}

impl Mistake {
    /// Makes a mistake that kustomize refuses.
    pub(crate) fn error(pointer: impl Into<String>, evidence: impl Into<String>, remedy: &str) -> Self {
        let (pointer, evidence) = (pointer.into(), evidence.into());
        Self { code: Code::InvalidKustomization, pointer, evidence, remedy: remedy.to_owned() }
    }

    /// Makes a mistake that kustomize accepts, at least with the right options.
    pub(crate) fn warning(pointer: impl Into<String>, evidence: impl Into<String>, remedy: &str) -> Self {
        Self { code: Code::DoubtfulKustomization, ..Self::error(pointer, evidence, remedy) }
    }
}

/// Returns `true` if an object is of another kind that merely stands in a file of kustomize's name.
///
/// A `Kustomization` of `kustomize.toolkit.fluxcd.io` is one.
pub(crate) fn is_of_another_group(object: &Value) -> bool {
    let text = |key| object.get(key).and_then(Value::as_str).filter(|text: &&str| !text.is_empty());
    let (Some(version), Some(_)) = (text("apiVersion"), text("kind")) else { return false };
    let group = group_of(version);
    group.contains('.') && group != GROUP
}

/// Returns the mistakes in the shape of a kustomization.
pub(crate) fn mistakes(kustomization: &Value) -> Vec<Mistake> {
    let mut found = Vec::new();
    let Value::Object(map) = kustomization else {
        let what = if kustomization.is_null() { "the kustomization is empty" } else { "it is no mapping" };
        return vec![Mistake::error("", what, "write what it is to build, as `resources: [web.yaml]`")];
    };
    keys("", map, &SHAPES, "a kustomization", &mut found);
    let text = |key: &str| map.get(key).and_then(Value::as_str).unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    let expected = match kind {
        "" | KIND => VERSION,
        COMPONENT => COMPONENT_VERSION,
        kind => {
            let evidence = format!("`kind` is {kind}, in a file that kustomize reads for itself");
            found.push(Mistake::error(
                "/kind",
                evidence,
                "write `kind: Kustomization`, or move it to another file",
            ));
            ""
        }
    };
    if !version.is_empty() && !expected.is_empty() && version != expected {
        let evidence = format!("`apiVersion` is {version}");
        found.push(Mistake::error("/apiVersion", evidence, &format!("write `apiVersion: {expected}`")));
    }
    let says = |(key, value): (&String, &Value)| {
        let about = ["apiVersion", "kind"].iter().any(|about| key.eq_ignore_ascii_case(about));
        !(about || value.is_null() || value.as_str() == Some(""))
    };
    if !map.iter().any(says) {
        let remedy = "say what it is to build, as `resources: [web.yaml]`, or take the file away";
        found.push(Mistake::error("", "the kustomization is empty", remedy));
    }
    for (old, _) in map.iter().filter(|(_, value)| !value.is_null()) {
        if let Some(new) = KEYS.iter().find(|key| key.name == old).and_then(|key| key.instead) {
            let evidence = format!("`{old}` is deprecated");
            found.push(Mistake::warning(
                format!("/{old}"),
                evidence,
                &format!("write `{new}`, or run `kustomize edit fix`"),
            ));
        }
    }
    for list in ["images", "imageTags"] {
        names(list, map.get(list), &mut found);
    }
    found
}

/// Adds the mistakes in the names of entries.
///
/// An entry for images without a name applies to nothing. kustomize takes a name for a regular
/// expression, and one that is none is a mistake.
fn names(list: &str, entries: Option<&Value>, found: &mut Vec<Mistake>) {
    let entries = entries.and_then(Value::as_array).into_iter().flatten().enumerate();
    for (at, entry) in entries.filter(|(_, entry)| entry.is_null() || entry.is_object()) {
        let mut named =
            entry.as_object().into_iter().flatten().filter(|(key, _)| key.eq_ignore_ascii_case("name"));
        if named.all(|(_, name)| name.is_null() || name.as_str() == Some("")) {
            let remedy = "write `name: …`, the image's name as the manifests have it";
            found.push(Mistake::warning(
                format!("/{list}/{at}"),
                "the entry has no `name`, and is for no image",
                remedy,
            ));
        }
        if let Some(why) = entry.get("name").and_then(Value::as_str).and_then(is_no_expression) {
            found.push(Mistake::error(
                format!("/{list}/{at}/name"),
                format!("kustomize takes the name for a regular expression, and it is none: {why}"),
                "write the image's name as the manifests have it, without its tag",
            ));
        }
    }
}

fn keys(at: &str, map: &Map<String, Value>, known: &[(&str, Shape)], of: &str, found: &mut Vec<Mistake>) {
    for (key, value) in map {
        let pointer = format!("{at}/{}", escape(key));
        let Some((name, expected)) = known.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)) else {
            let remedy = match alike(key, known) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("take it away; {of} may have {}", list(known)),
            };
            found.push(Mistake::error(pointer, format!("`{key}` is no key of {of}"), &remedy));
            continue;
        };
        if name != key {
            let evidence = format!("`{key}` is not read here, though kustomize takes it for `{name}`");
            found.push(Mistake::warning(&*pointer, evidence, &format!("write `{name}`")));
        }
        shape(&pointer, name, value, *expected, found);
    }
}

fn shape(at: &str, key: &str, value: &Value, expected: Shape, found: &mut Vec<Mistake>) {
    let words = match expected {
        Text => "a text",
        Number => "a number",
        Truth => "`true` or `false`",
        AnyMap | TextMap | Keys(_) => "a mapping",
        Texts => "a list of texts",
        Maps | Items(_) => "a list of mappings",
    };
    match (expected, value) {
        (_, Value::Null)
        | (Text, Value::String(_))
        | (Truth, Value::Bool(_))
        | (AnyMap, Value::Object(_)) => {}
        (Number, Value::Number(n)) if n.is_i64() => {}
        (TextMap, Value::Object(map)) => {
            for (name, value) in map {
                shape(&format!("{at}/{}", escape(name)), name, value, Text, found);
            }
        }
        (Keys(known), Value::Object(map)) => keys(at, map, known, &format!("`{key}`"), found),
        (Texts | Maps | Items(_), Value::Array(items)) => {
            let (item, of) = match expected {
                Items(known) => (Keys(known), format!("an entry of `{key}`")),
                Maps => (AnyMap, String::new()),
                _ => (Text, String::new()),
            };
            for (index, value) in items.iter().enumerate() {
                let at = format!("{at}/{index}");
                match (item, value) {
                    (Keys(known), Value::Object(map)) => keys(&at, map, known, &of, found),
                    _ => shape(&at, key, value, item, found),
                }
            }
        }
        (_, value) => {
            let remedy = match (expected, value) {
                (Text, Value::Number(_) | Value::Bool(_)) => "put it between quotes".to_owned(),
                _ => format!("write {words}"),
            };
            found.push(Mistake::error(at, format!("`{key}` is {}, not {words}", describe(value)), &remedy));
        }
    }
}

/// Returns the type of a value, in words.
fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) | Value::Number(_) => format!("{value} to YAML"),
        Value::String(_) => "a text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}

/// Returns the known key that was most likely intended.
fn alike<'k>(key: &str, known: &[(&'k str, Shape)]) -> Option<&'k str> {
    let close = known.iter().map(|(name, _)| (distance(key, name), *name));
    close.min().filter(|(far, name)| *far <= 2 && far * 2 < name.len()).map(|(_, name)| name)
}

/// Returns the number of letters by which two keys differ (Levenshtein's distance).
///
/// For long keys it only tells that they differ.
fn distance(a: &str, b: &str) -> usize {
    const LONGEST: usize = 64;
    if a.len() > LONGEST {
        return LONGEST;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let other = corner + usize::from(!x.eq_ignore_ascii_case(y));
            corner = row[j + 1];
            row[j + 1] = other.min(corner + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

fn list(known: &[(&str, Shape)]) -> String {
    const MOST: usize = 12;
    let names: Vec<&str> = known.iter().take(MOST).map(|(name, _)| *name).collect();
    format!("{}{}", names.join(", "), if known.len() > MOST { ", …" } else { "" })
}
