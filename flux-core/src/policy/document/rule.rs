//! The rules of policy documents, and the workloads that they select.

use std::collections::BTreeMap;

use crate::{
    image::ImageName,
    policy::{annotations::PolicyText, glob::Glob},
};

/// One rule.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) select: Select,
    pub(super) policy: BTreeMap<String, PolicyText>,
    pub(super) enforce: bool,
    /// The name of the rule, when it cannot be read.
    pub(super) broken: Option<String>,
}

/// The workloads that a rule is for; `None` selects all.
#[derive(Clone, Debug, Default)]
pub(super) struct Select {
    pub(super) namespaces: Option<Vec<Glob>>,
    pub(super) kinds: Option<Vec<Glob>>,
    pub(super) names: Option<Vec<Glob>>,
    pub(super) images: Option<Vec<Glob>>,
    pub(super) labels: BTreeMap<String, String>,
}

/// The parts of a workload that rules select by.
///
/// Exhaustive: callers make it.
#[derive(Clone, Copy, Debug)]
pub struct PolicySubject<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its kind.
    pub kind: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its own labels, not those of its pods.
    pub labels: &'a BTreeMap<String, String>,
    /// The names of its images.
    pub images: &'a [&'a ImageName],
}

impl Select {
    pub(super) fn matches(&self, subject: &PolicySubject<'_>) -> bool {
        let any = |globs: &Option<Vec<Glob>>, texts: &[&str]| match globs {
            Some(globs) => globs.iter().any(|glob| texts.iter().any(|text| glob.matches(text))),
            None => true,
        };
        let images = || {
            let names = subject.images.iter().flat_map(|name| {
                let canonical = name.canonical().to_string();
                // Docker Hub goes by two names.
                let hub = canonical.strip_prefix("index.").unwrap_or(&canonical).to_owned();
                [name.to_string(), hub, canonical]
            });
            let names: Vec<String> = names.collect();
            any(&self.images, &names.iter().map(String::as_str).collect::<Vec<_>>())
        };
        any(&self.namespaces, &[subject.namespace])
            && any(&self.kinds, &[&subject.kind.to_lowercase()])
            && any(&self.names, &[subject.name])
            && self.labels.iter().all(|(key, value)| subject.labels.get(key) == Some(value))
            && (self.images.is_none() || images())
    }
}
