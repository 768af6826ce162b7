//! Release groups: workloads that move together or not at all, all to the same tag.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Reason,
    choice::Chosen,
    plan::{Decided, What},
};
use crate::{
    image::Tag,
    manifest::Container,
    policy::{Member, apart},
};

/// Leaves every member of a group as it is, if they cannot all go to one tag.
pub(super) fn hold_together(all: &mut [Decided<'_>]) {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, decided) in all.iter().enumerate() {
        if let Some(group) = &decided.policies.guards.group {
            groups.entry(group.clone()).or_default().push(i);
        }
    }
    for (group, members) in groups {
        let apart = {
            let members: Vec<Member<'_>> = members.iter().map(|i| member(&all[*i])).collect();
            apart(&members)
        };
        let Some(apart) = apart else { continue };
        let missing: Vec<String> = apart.missing.iter().map(ToString::to_string).collect();
        let message = if missing.is_empty() {
            format!("the containers of group {group} would go to different tags, {} among them", apart.tag)
        } else {
            format!("group {group} cannot go to {} together: missing is {}", apart.tag, missing.join(", "))
        };
        for i in members {
            let What::Containers(containers) = &mut all[i].what else { continue };
            for (_, chosen) in containers {
                if matches!(chosen, Chosen::Update { .. }) {
                    *chosen = Chosen::left(Reason::GroupIncomplete, message.clone());
                }
            }
        }
    }
}

fn member<'a>(decided: &'a Decided<'_>) -> Member<'a> {
    let (mut keeps, mut moves): (BTreeSet<&Tag>, BTreeSet<&Tag>) = Default::default();
    let current =
        |container: &'a Container| container.image.as_ref().ok().and_then(|image| image.tag.as_ref());
    match &decided.what {
        What::Containers(containers) => {
            for (container, chosen) in containers {
                match chosen {
                    Chosen::Update { target, .. } => moves.extend(&target.tag),
                    Chosen::Left { .. } => keeps.extend(current(container)),
                }
            }
        }
        _ => keeps.extend(decided.located.resource.workload.iter().flatten().filter_map(current)),
    }
    Member { id: &decided.id, keeps, moves }
}
