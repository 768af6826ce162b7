//! What is wrong with the policies that git describes, whatever is released: annotations, patterns, guards, policy documents.

use crate::{
    finding::{Code, Finding, Place},
    manifest::{Located, Manifests},
    policy::{Policies, PolicyRules, is_policy_document},
};

/// The findings about all policies among the manifests, sorted. Pure.
///
/// `source` gives the text of the file at a path, where it is at hand: problems of policy documents are told at their line then, and at
/// the start of the document otherwise. It is asked for files with policy documents only.
pub fn policy_findings(manifests: &Manifests, source: &dyn Fn(&str) -> Option<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut rules = PolicyRules::default();
    for located in manifests.resources().filter(|at| is_policy_document(at.resource)) {
        let problems = rules.add(located.path, located.resource, source(located.path).as_deref());
        findings.extend(problems.iter().map(|problem| problem.at(located.path)));
    }
    manifests.workloads().for_each(|located| of_workload(&located, &mut findings));
    findings.sort();
    findings.dedup();
    findings
}

/// What is wrong with the annotations of a workload.
fn of_workload(located: &Located<'_>, findings: &mut Vec<Finding>) {
    let id = located.workload_id().to_string();
    let policies = Policies::of(&located.resource.annotations);
    findings.extend(
        policies.problems.iter().map(|problem| Finding { subject: id.clone(), ..problem.at(located.path) }),
    );
    let containers = located.resource.workload.as_deref().unwrap_or_default();
    for (name, text) in &policies.all {
        let Some(container) = name.strip_prefix("tag.") else { continue };
        if containers.iter().any(|c| c.name == container) {
            continue;
        }
        let names: Vec<&str> = containers.iter().map(|c| c.name.as_str()).collect();
        findings.push(Finding {
            code: Code::UnknownContainer,
            subject: id.clone(),
            place: Some(Place { path: located.path.to_owned(), line: text.line, column: text.column }),
            evidence: format!(
                "`{}` names the container `{container}`, and there is none of that name",
                text.key
            ),
            remedy: format!("name one of: {}", names.join(", ")),
        });
    }
}
