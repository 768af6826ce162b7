//! The annotations of syncs that cannot be read: each is a finding.
//!
//! It does nothing else, but for what may well have been meant to keep something as it is: see
//! [`object::ignore`] and [`object::suspended`].

use serde_json::Value;

use super::{ignored, object};

/// The annotations whose value is one of a few words.
const WORDS: [(&str, &[&str]); 6] = [
    ("drift", &["report", "repair"]),
    ("force", &["true", "false"]),
    ("force-conflicts", &["true", "false"]),
    ("ignore", &["true", "sync_only", "false"]),
    ("prune", &["true", "false"]),
    ("suspended", &["true", "false"]),
];

/// An annotation that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// The name of the annotation, without a prefix.
    pub(crate) name: &'static str,
    /// The annotation as it is written.
    pub(crate) evidence: String,
    /// The remedy.
    pub(crate) remedy: String,
}

/// Returns the annotations of an object of git that cannot be read.
pub(crate) fn unreadable(object: &Value) -> Vec<Unreadable> {
    let words = WORDS.iter().filter_map(|(key, words)| {
        let value = object::annotation(object, key).filter(|value| !value.is_null())?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let remedy = || format!("Write one of {}.", words.join(", "));
        (!words.contains(&text.trim())).then(|| Unreadable {
            name: key,
            evidence: format!("fluxcd.io/{key}: {text:?}"),
            remedy: remedy(),
        })
    });
    let pointers = ignored::leading_nowhere(object).into_iter().map(|pointer| Unreadable {
        name: "ignore-fields",
        evidence: format!("fluxcd.io/ignore-fields: {pointer:?} leads to no field of the manifest"),
        remedy: "Write JSON pointers into the manifest, as in /spec/replicas, with commas between them."
            .to_owned(),
    });
    words.chain(pointers).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_annotation_that_cannot_be_read_is_named_with_what_to_write() {
        let of = |annotations: Value| {
            let object = json!({"metadata": {"annotations": annotations}, "spec": {"replicas": 1}});
            unreadable(&object).into_iter().map(|one| one.evidence).collect::<Vec<_>>()
        };
        let fine = json!({"fluxcd.io/drift": "report", "fluxcd.io/force": "true", "fluxcd.io/ignore": "sync_only",
            "fluxcd.io/ignore-fields": "/spec/replicas, /spec/paused"});
        assert_eq!(of(fine), [""; 0]);
        let odd = json!({"fluxcd.io/drift": "never", "fluxcd.io/force": "yes", "fluxcd.io/force-conflicts": "no",
            "flux.weave.works/ignore": "maybe", "fluxcd.io/ignore-fields": "spec.replicas,/spec/replicas/0"});
        assert_eq!(
            of(odd),
            [
                "fluxcd.io/drift: \"never\"",
                "fluxcd.io/force: \"yes\"",
                "fluxcd.io/force-conflicts: \"no\"",
                "fluxcd.io/ignore: \"maybe\"",
                "fluxcd.io/ignore-fields: \"spec.replicas\" leads to no field of the manifest",
                "fluxcd.io/ignore-fields: \"/spec/replicas/0\" leads to no field of the manifest",
            ]
        );
    }
}
