//! The rules of what moves together or not at all: release groups, and requests that are done as a
//! whole.

use std::collections::{BTreeMap, BTreeSet};

use super::{policies::Reader, scope::moved, violation::Violation};
use crate::{
    image::Tag,
    manifest_set::Located,
    release::{Operation, ReleasePlan, Snapshot},
};

/// Checks that the members of each release group go to one tag, all of them.
pub(super) fn groups(plan: &ReleasePlan, snapshot: &Snapshot, reader: &Reader) -> Vec<Violation> {
    let held = match &plan.request.operation {
        Operation::Auto => true,
        Operation::Image(release) => !release.is_forced(),
        _ => false,
    };
    if !held || !reader.is_certain {
        return Vec::new();
    }
    let mut groups: BTreeMap<String, Vec<Located<'_>>> = BTreeMap::new();
    for at in snapshot.manifests.workloads() {
        let policies = reader.policies(&at);
        let name =
            policies.get("group").filter(|name| !name.is_empty() && !name.contains(char::is_whitespace));
        if let Some(name) = name {
            groups.entry(name.to_owned()).or_default().push(at);
        }
    }
    let mut violations = Vec::new();
    for (group, members) in groups {
        let goals: BTreeSet<Tag> = members.iter().flat_map(|at| tags(plan, at).1).collect();
        let mut all = goals.iter();
        match (all.next(), all.next()) {
            (Some(tag), None) => {
                let left = members.iter().filter(|at| {
                    let (kept, goes) = tags(plan, at);
                    !kept.contains(tag) && !goes.contains(tag)
                });
                violations.extend(left.map(|at| Violation::MemberLeft {
                    group: group.clone(),
                    id: at.workload_id(),
                    tag: tag.clone(),
                }));
            }
            (Some(_), Some(_)) => {
                violations.push(Violation::GroupApart { group, tags: goals.into_iter().collect() });
            }
            (None, _) => {}
        }
    }
    violations
}

/// Returns the tags that the containers of a workload keep, and those that they go to.
fn tags(plan: &ReleasePlan, at: &Located<'_>) -> (BTreeSet<Tag>, BTreeSet<Tag>) {
    let changed = plan.workloads.get(&at.workload_id()).map(|verdict| moved(at, verdict)).unwrap_or_default();
    let stays = at
        .resource
        .workload
        .iter()
        .flatten()
        .filter(|container| !changed.iter().any(|(moved, _)| std::ptr::eq(*moved, *container)));
    let kept = stays.filter_map(|container| container.image.as_ref().ok()?.tag.clone()).collect();
    let goes = changed.iter().filter_map(|(_, verdict)| verdict.target.as_ref()?.tag.clone()).collect();
    (kept, goes)
}

/// Checks that a request for named containers is done as a whole or not at all.
pub(super) fn all_or_nothing(plan: &ReleasePlan, snapshot: &Snapshot) -> Vec<Violation> {
    let Operation::Containers(release) = &plan.request.operation else { return Vec::new() };
    if plan.is_empty() {
        return Vec::new();
    }
    let mut violations = Vec::new();
    for (id, updates) in &release.containers {
        let at = snapshot.manifests.workload(id);
        for update in updates {
            let container = at
                .as_ref()
                .and_then(|at| at.resource.workload.as_deref()?.iter().find(|c| c.name == update.container));
            let changed = at.as_ref().and_then(|at| {
                let verdict = plan.workloads.get(&at.workload_id())?;
                moved(at, verdict).into_iter().find(|(c, _)| c.name == update.container)
            });
            let runs = container.and_then(|container| container.image.as_ref().ok());
            let is_passed_over = release.skip_mismatches
                && container.is_some()
                && update.current.as_ref().is_some_and(|expected| runs != Some(expected));
            if changed.is_none() && runs != Some(&update.target) && !is_passed_over {
                let container = update.container.clone();
                violations.push(Violation::PartialRelease { id: id.clone(), container });
            }
        }
    }
    violations
}
