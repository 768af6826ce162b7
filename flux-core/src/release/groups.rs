//! Release groups: workloads that move together or not at all, all to the same tag.

use std::collections::{BTreeMap, BTreeSet};

use super::decision::{ContainerDecision, Decision, Progress, WorkloadDecision};
use crate::{
    image::Tag,
    manifest::Container,
    plan::Reason,
    policy::{Member, apart},
};

/// Holds back every member of a group whose members cannot all go to one tag.
pub(super) fn hold(decisions: &mut [WorkloadDecision<'_>]) -> Progress {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, workload) in decisions.iter().enumerate() {
        if let Some(group) = &workload.policies.guards.group {
            groups.entry(group.clone()).or_default().push(index);
        }
    }
    let mut changed = false;
    for (group, members) in groups {
        let apart = {
            let members: Vec<Member<'_>> = members.iter().map(|i| member(&decisions[*i])).collect();
            apart(&members)
        };
        let Some(apart) = apart else { continue };
        let missing: Vec<String> = apart.missing.iter().map(ToString::to_string).collect();
        let message = if missing.is_empty() {
            format!("the containers of group {group} would go to different tags, {} among them", apart.tag)
        } else {
            format!("group {group} cannot go to {} together: missing is {}", apart.tag, missing.join(", "))
        };
        for index in members {
            changed |= decisions[index].take_back(|_| ContainerDecision::Keep {
                reason: Reason::GroupIncomplete,
                message: message.clone(),
                blocked_by: apart.missing.clone(),
            });
        }
    }
    Progress::of(changed)
}

fn member<'a>(workload: &'a WorkloadDecision<'_>) -> Member<'a> {
    let (mut keeps, mut moves): (BTreeSet<&Tag>, BTreeSet<&Tag>) = Default::default();
    let current =
        |container: &'a Container| container.image.as_ref().ok().and_then(|image| image.tag.as_ref());
    match &workload.decision {
        Decision::Containers(containers) => {
            for (container, decision) in containers {
                match decision {
                    ContainerDecision::Update { target, .. } => moves.extend(&target.tag),
                    ContainerDecision::Keep { .. } => keeps.extend(current(container)),
                }
            }
        }
        _ => keeps.extend(workload.located.resource.workload.iter().flatten().filter_map(current)),
    }
    Member { id: &workload.id, keeps, moves }
}
