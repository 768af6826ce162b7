//! The policies of every workload: its annotations and the rules of policy documents, and the
//! findings about either.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{needs::Needs, snapshot::Snapshot};
use crate::{
    finding::{Code, Finding, Findings},
    image::ImageName,
    manifest::Annotations,
    manifest_set::{Located, Manifests},
    policy::{Patterns, Policies, PolicyRules, PolicySubject, is_policy_document},
    repo_path::RepoPath,
};

/// The rules that the policy documents of a repository set.
#[derive(Debug)]
pub struct PolicyIndex {
    rules: PolicyRules,
    findings: Vec<Finding>,
}

impl PolicyIndex {
    /// Reads the policy documents.
    ///
    /// Their texts are needed, for the places of rules.
    pub(super) fn of(snapshot: &Snapshot, needs: &mut Needs) -> Self {
        let source =
            |path: &str| snapshot.sources.get(path).and_then(|bytes| std::str::from_utf8(bytes).ok());
        let index = Self::read(&snapshot.manifests, source);
        for path in policy_documents(&snapshot.manifests) {
            if !snapshot.sources.contains_key(path) && !snapshot.unreadable.contains(path) {
                needs.sources.insert(path.clone());
            }
        }
        index
    }

    /// Reads the policy documents among manifests.
    ///
    /// `source` gives the texts of files, for the places of rules.
    pub fn read<'a>(manifests: &Manifests, source: impl Fn(&str) -> Option<&'a str>) -> Self {
        let mut index = Self { rules: PolicyRules::default(), findings: Vec::new() };
        // In the order of paths and of places in a file: of the rules, the last that matches wins.
        let mut documents: Vec<Located<'_>> = located_documents(manifests).collect();
        documents.sort_by_key(|located| (located.path, located.index));
        for located in documents {
            let problems = index.rules.add(located.path, located.resource, source(located.path));
            index.findings.extend(problems.iter().map(|problem| located.finding(problem)));
        }
        index
    }

    /// Returns the policies of a workload.
    pub fn policies(&self, located: &Located<'_>) -> Policies {
        let mut patterns = Patterns::default();
        let own = Policies::reading(&located.resource.annotations, &mut patterns);
        self.with_rules(located, own, &mut patterns)
    }

    /// Returns the policies of a workload; adds the findings about its annotations to `findings`.
    pub(super) fn evaluate(
        &self,
        located: &Located<'_>,
        patterns: &mut Patterns,
        findings: &mut Vec<Finding>,
    ) -> Policies {
        let own = Policies::reading(&located.resource.annotations, patterns);
        of_workload(located, &own, findings);
        self.with_rules(located, own, patterns)
    }

    /// Returns the policies that a workload would have with other annotations.
    pub(super) fn policies_with(&self, located: &Located<'_>, annotations: &Annotations) -> Policies {
        let mut patterns = Patterns::default();
        let own = Policies::reading(annotations, &mut patterns);
        self.with_rules(located, own, &mut patterns)
    }

    fn with_rules(&self, located: &Located<'_>, own: Policies, patterns: &mut Patterns) -> Policies {
        if self.rules.is_empty() {
            return own;
        }
        let id = located.workload_id();
        let labels: BTreeMap<String, String> = located
            .resource
            .object
            .at("/metadata/labels")
            .as_ref()
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect();
        let images: Vec<&ImageName> = located
            .resource
            .workload
            .iter()
            .flatten()
            .filter_map(|container| Some(&container.image.as_ref().ok()?.name))
            .collect();
        let subject = PolicySubject {
            namespace: id.namespace(),
            kind: id.kind(),
            name: id.name(),
            labels: &labels,
            images: &images,
        };
        self.rules.reading(&subject, own, patterns)
    }

    /// Returns the findings about policy documents and about the policies of workloads.
    pub fn findings(&self, manifests: &Manifests) -> Findings {
        let mut findings = self.findings.clone();
        let mut patterns = Patterns::default();
        for located in manifests.workloads() {
            let own = Policies::reading(&located.resource.annotations, &mut patterns);
            of_workload(&located, &own, &mut findings);
        }
        findings.into()
    }

    /// Returns the findings about policy documents.
    pub(super) fn document_findings(&self) -> &[Finding] {
        &self.findings
    }
}

/// Returns the paths of the files that hold policy documents.
///
/// Their texts are needed for the places of rules.
pub fn policy_documents(manifests: &Manifests) -> impl Iterator<Item = &RepoPath> {
    located_documents(manifests).map(|located| located.path)
}

/// Returns the policy documents with their places.
///
/// Most repositories have none, and that is told from the files alone.
fn located_documents(manifests: &Manifests) -> impl Iterator<Item = Located<'_>> {
    let any = manifests.files().values().flat_map(|file| &file.resources).any(is_policy_document);
    let all = any.then(|| manifests.resources());
    all.into_iter().flatten().filter(|located| is_policy_document(located.resource))
}

/// Returns the findings about the policies of a repository: annotations and policy documents.
///
/// `source` gives the texts of files; the findings about a document without one name its start.
pub fn policy_findings<'a>(manifests: &Manifests, source: impl Fn(&str) -> Option<&'a str>) -> Findings {
    PolicyIndex::read(manifests, source).findings(manifests)
}

/// Returns the findings about the policy documents of a repository, each at the start of its
/// document.
#[cfg(feature = "deployer")]
pub(crate) fn document_findings(manifests: &Manifests) -> Vec<Finding> {
    match policy_documents(manifests).next() {
        None => Vec::new(),
        Some(_) => PolicyIndex::read(manifests, |_| None).document_findings().to_vec(),
    }
}

/// Adds the findings about the annotations of a workload.
fn of_workload(located: &Located<'_>, own: &Policies, findings: &mut Vec<Finding>) {
    let subject = || located.workload_id().to_string();
    findings.extend(
        own.problems.iter().map(|problem| Finding { subject: subject(), ..located.finding(problem) }),
    );
    let containers = located.resource.workload.as_deref().unwrap_or_default();
    for (name, text) in &own.all {
        let Some(container) = name.strip_prefix("tag.") else { continue };
        if containers.iter().any(|c| c.name == container) {
            continue;
        }
        let names: Vec<&str> = containers.iter().map(|c| c.name.as_str()).collect();
        findings.push(Finding {
            code: Code::UnknownContainer,
            subject: subject(),
            place: Some(located.place_of(text.position)),
            evidence: format!(
                "`{}` names the container `{container}`, and there is none of that name",
                text.key
            ),
            remedy: format!("name one of: {}", names.join(", ")),
        });
    }
}
