//! `FluxPolicy` documents: policy for many workloads, beside the annotations.
//!
//! The document stands in the config repository and is never sent to the cluster:
//!
//! ```yaml
//! apiVersion: fluxcd.io/v1alpha1
//! kind: FluxPolicy
//! metadata: {name: platform}
//! spec:
//!   rules:
//!   - policy: {minAge: 24h}                    # no select: every workload
//!   - select: {namespaces: [shop-*], kinds: [Deployment], labels: {tier: web}}
//!     policy: {automated: true, tag: "semver:~1", platforms: [linux/amd64]}
//!   - select: {images: ["quay.io/team/*"]}
//!     policy: {locked: true}
//!     enforce: true
//! ```

mod reader;
mod rule;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::{
    annotations::{EVERY_CONTAINER, Policies, PolicyText},
    patterns::Patterns,
};
use crate::{
    finding::{Code, Problem},
    manifest::Resource,
    repo_path::RepoPath,
    yaml::Places,
};

use reader::Reader;
pub use rule::PolicySubject;
use rule::Rule;

/// The version of policy documents that is read.
const VERSION: &str = "fluxcd.io/v1alpha1";

/// The rules of all `FluxPolicy` documents, in the order of their paths and places.
///
/// # Schema
///
/// `spec.rules` is a list of rules, each with
/// - `select`: what it is for. `namespaces`, `kinds` (in any case), `names` and `images` are lists
///   of globs, of which one must match; images are matched by name, as written and in canonical
///   form, and one of the workload's is enough. `labels` are labels of the workload, which must all
///   be there with that value. What is not written selects all; an empty list selects nothing.
/// - `policy`: `automated`, `locked`, `lockedUser`, `lockedMsg`, `allowDowngrade`, `minAge`,
///   `freeze` (text or a list), `hold`, `holdMsg`, `platforms` (text or a list), `pinDigest`,
///   `group`, `versionLabels`, `labelDates`, with the values that the annotations have; `tag`, a
///   pattern for every container; `tags`, patterns by container.
/// - `enforce`: `true` if annotations cannot override it.
///
/// `spec.suspended` says that nothing is synced: `true`, or who has suspended it and why, as
/// `{by: alice, reason: the database is moved}`; see [`Suspension`](super::Suspension).
///
/// `spec.workloads` says where the images of custom kinds stand;
/// [`Manifests::new`](crate::manifest_set::Manifests::new) reads it.
///
/// # Which one wins
///
/// Policy by policy: an annotation of the workload over a rule; of rules the last that matches; an
/// enforced rule over all that are not. A rule's `tag` replaces what rules before it say of single
/// containers.
///
/// # Mistakes
///
/// Unknown keys and values that cannot be read are errors with their line. A rule that has one sets
/// nothing, and is an [invalid guard](Policies::invalid_guards) of every workload that the rest of
/// its `select` matches: what it was to keep back is not known.
#[derive(Clone, Debug, Default)]
pub struct PolicyRules {
    rules: Vec<Rule>,
}

impl PolicyRules {
    /// Adds the rules of a policy document, and returns the problems of it.
    ///
    /// Documents are to be added in the order of their paths, and of their places in a file.
    /// `source` is the text of the file, for the places of problems; without it they stand at the
    /// document's start.
    pub fn add(&mut self, path: &RepoPath, document: &Resource, source: Option<&str>) -> Vec<Problem> {
        let places = source.map(|source| Places::of(source, document.position.line)).unwrap_or_default();
        let mut reader = Reader::new(path, document, places);
        if document.api_version == VERSION {
            reader.document(&document.object.value());
        } else {
            let remedy = format!("write apiVersion: {VERSION}");
            reader.problem(Code::InvalidPolicy, "/apiVersion", document.api_version.to_string(), remedy);
            reader.broken_document();
        }
        let (rules, problems) = reader.done();
        self.rules.extend(rules);
        problems
    }

    /// Reports that there are no rules.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Returns the policies of a workload: those of its annotations, and those of the rules that
    /// match it.
    pub fn apply(&self, subject: &PolicySubject<'_>, own: Policies) -> Policies {
        self.reading(subject, own, &mut Patterns::default())
    }

    /// Does what [`PolicyRules::apply`] does, with patterns that were read before.
    pub(crate) fn reading(
        &self,
        subject: &PolicySubject<'_>,
        own: Policies,
        patterns: &mut Patterns,
    ) -> Policies {
        let matching: Vec<&Rule> = self.rules.iter().filter(|rule| rule.select.matches(subject)).collect();
        if matching.is_empty() {
            return own;
        }
        let of = |enforce: bool| {
            matching.iter().filter(move |rule| rule.enforce == enforce).map(|rule| &rule.policy)
        };
        let mut all = BTreeMap::new();
        for layer in of(false).chain([&own.all]).chain(of(true)) {
            overlay(&mut all, layer);
        }
        let mut policies = Policies::from_texts(all, patterns);
        policies.problems = own.problems;
        policies.invalid_guards.extend(matching.iter().filter_map(|rule| rule.broken.clone()));
        policies
    }
}

/// Puts a layer of policies over those below it.
fn overlay(all: &mut BTreeMap<String, PolicyText>, layer: &BTreeMap<String, PolicyText>) {
    if layer.contains_key(EVERY_CONTAINER) {
        all.retain(|name, _| !name.starts_with("tag."));
    }
    all.extend(layer.iter().map(|(name, text)| (name.clone(), text.clone())));
}
