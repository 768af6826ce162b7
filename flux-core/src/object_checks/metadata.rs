//! The rules of metadata, which hold for objects of any kind: names, namespaces, labels,
//! annotations.

use serde_json::{Map, Value};

use super::{
    fault::{Faults, Path, Step},
    forms::{
        is_final, key_problem, label_problem, label_value_problem, segment_problem, short, subdomain_problem,
    },
};
use crate::{
    finding::Code,
    schema::types::{NameForm, Names},
};

/// The bytes that the keys and values of annotations may have together: 256 KiB.
const ANNOTATIONS: usize = 256 << 10;

/// Checks the metadata of an object.
///
/// The names that its kind takes are `None` if they are not known.
pub(super) fn check<'v>(
    metadata: &'v Map<String, Value>,
    names: Option<Names>,
    is_namespaced: bool,
    faults: &mut Faults<'v>,
) {
    let path = Path(vec![Step::Key("metadata")]);
    let text = |key: &str| metadata.get(key).and_then(Value::as_str).filter(|text| is_final(text));
    if let Some(name) = text("name") {
        let characters = name.chars().count();
        let too_long = names.and_then(|names| names.longest).filter(|longest| characters > *longest);
        let problem = match names.map(|names| names.form) {
            Some(NameForm::Label) => label_problem(name),
            Some(NameForm::Subdomain) => subdomain_problem(name),
            Some(NameForm::Path) | None => segment_problem(name),
        };
        let problem = match (too_long, problem) {
            (Some(longest), _) => {
                Some(format!("it has {characters} characters, and its kind takes {longest}"))
            }
            (None, problem) => problem.map(str::to_owned),
        };
        if let Some(problem) = problem {
            let evidence = format!("the name `{}` is not possible: {problem}", short(name));
            faults.add(Code::InvalidMetadata, path.within(&["name"]), evidence, "rename the object");
        }
    }
    if let Some(namespace) = text("namespace").filter(|namespace| is_namespaced && !namespace.is_empty())
        && let Some(problem) = label_problem(namespace)
    {
        let evidence = format!("the namespace `{}` is not possible: {problem}", short(namespace));
        faults.add(Code::InvalidMetadata, path.within(&["namespace"]), evidence, "correct the namespace");
    }
    if let Some(labels) = metadata.get("labels").and_then(Value::as_object) {
        label_entries(labels, &path.within(&["labels"]), faults);
    }
    if let Some(entries) = metadata.get("annotations").and_then(Value::as_object) {
        annotations(entries, &path.within(&["annotations"]), faults);
    }
}

/// Checks labels, of an object or of a selector.
pub(super) fn label_entries<'v>(labels: &'v Map<String, Value>, path: &Path<'v>, faults: &mut Faults<'v>) {
    for (key, value) in labels {
        if let Some(problem) = key_problem(key).filter(|_| is_final(key)) {
            let evidence = format!("`{path}` has the key `{}`: {problem}", short(key));
            faults.add_on_key(Code::InvalidMetadata, path.within(&[key]), evidence, "rename the label");
        }
        if let Some(value) = value.as_str().filter(|value| is_final(value))
            && let Some(problem) = label_value_problem(value)
        {
            let path = path.within(&[key]);
            let evidence = format!("`{path}` is {}: {problem}", faults.shown(value));
            faults.add(Code::InvalidMetadata, path, evidence, "use an annotation for other texts");
        }
    }
}

/// Checks annotations: their keys, and how much they hold.
pub(super) fn annotations<'v>(entries: &'v Map<String, Value>, path: &Path<'v>, faults: &mut Faults<'v>) {
    for key in entries.keys().filter(|key| is_final(key)) {
        // The API server compares with the key in lower case.
        if let Some(problem) = key_problem(&key.to_lowercase()) {
            let evidence = format!("`{path}` has the key `{}`: {problem}", short(key));
            faults.add_on_key(Code::InvalidMetadata, path.within(&[key]), evidence, "rename the annotation");
        }
    }
    let size: usize = entries.iter().map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
    if size > ANNOTATIONS {
        let evidence = format!("`{path}` has {size} bytes in all; {ANNOTATIONS} are possible");
        faults.add(Code::InvalidMetadata, path.clone(), evidence, "keep large texts in a ConfigMap");
    }
}
