//! Changes of policies, written as annotations in the spelling that stands there already.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    PolicyChange, PolicyUpdate, Reason, WorkloadVerdict,
    plan::{PolicyEdits, Walk, What},
};
use crate::{
    edit::{self, Edit, EditError, Intent},
    generate::GeneratedChange,
    manifest::{Annotation, Resource, WorkloadId},
    manifest_set::Located,
    policy::{Policies, PolicyText, TagPattern},
};

/// The pseudo policy that sets the pattern of every container.
const TAG_ALL: &str = "tag_all";

/// Decides on a workload whose policies are to change.
pub(super) fn decide<'a>(
    walk: &mut Walk<'a>,
    id: &WorkloadId,
    located: &Located<'a>,
    policies: &Policies,
    change: &PolicyChange,
) -> What<'a> {
    let Some(update) = change.updates.get(id) else { return What::OutOfScope };
    if located.resource.is_encrypted() {
        return What::Whole(WorkloadVerdict::whole(Reason::Encrypted));
    }
    let wanted = wanted(update, located).and_then(|wanted| against_rules(walk, located, policies, wanted));
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(message) => return What::Whole(WorkloadVerdict::whole(Reason::NotEditable).saying(message)),
    };
    let annotations = &located.resource.annotations;
    let keys = |name: &str, value: &Option<String>| match value {
        Some(_) => vec![policies.key(name)],
        None => Policies::keys(name, annotations),
    };
    let spelt = wanted.into_iter().flat_map(|(name, value)| {
        keys(&name, &value).into_iter().map(move |key| (name.clone(), key, value.clone()))
    });
    let changes: Vec<(String, String, Option<String>)> =
        spelt.filter(|(_, key, value)| annotations.get(key).map(|a| &a.value) != value.as_ref()).collect();
    if let Some(generated) = located.generated {
        let changes: Vec<GeneratedChange> = changes
            .into_iter()
            .map(|(policy, key, value)| GeneratedChange::Policy { key, policy, value })
            .collect();
        return match &generated.refuses_policies {
            _ if changes.is_empty() => What::Whole(WorkloadVerdict::whole(Reason::PolicyUnchanged)),
            Some(refused) => not_editable(refused.clone()),
            None if walk.snapshot.manifests.is_build(located.path) => in_its_files(walk, located, changes),
            None => changed(PolicyEdits { generated: changes, ..PolicyEdits::default() }),
        };
    }
    let changes: BTreeMap<String, Option<String>> =
        changes.into_iter().map(|(_, key, value)| (key, value)).collect();
    if changes.is_empty() {
        return What::Whole(WorkloadVerdict::whole(Reason::PolicyUnchanged));
    }
    let Some(source) = walk.snapshot.sources.get(located.path) else {
        walk.needs.sources.insert(located.path.to_owned());
        return What::Whole(WorkloadVerdict::whole(Reason::Incomplete));
    };
    match proven(walk, located.path, edit::annotation_edits(source, located.index, &changes), source) {
        Ok((edits, intents)) => {
            let texts = vec![(located.path.to_owned(), edits, intents)];
            changed(PolicyEdits { texts, ..PolicyEdits::default() })
        }
        Err(error) => not_editable(format!("{}: {error}", located.place())),
    }
}

/// Edits of a file. Where those of all workloads together were found wanting, each workload's are tried alone.
fn proven(
    walk: &Walk<'_>,
    path: &str,
    edits: Result<(Vec<Edit>, Vec<Intent>), EditError>,
    source: &[u8],
) -> Result<(Vec<Edit>, Vec<Intent>), EditError> {
    let (edits, intents) = edits?;
    if walk.snapshot.unproven.contains_key(path) {
        edit::prove(source, &edits, &intents)?;
    }
    Ok((edits, intents))
}

fn changed<'a>(edits: PolicyEdits) -> What<'a> {
    What::Policies(WorkloadVerdict::whole(Reason::PolicyChanged), edits)
}

fn not_editable<'a>(why: String) -> What<'a> {
    What::Whole(WorkloadVerdict::whole(Reason::NotEditable).saying(why))
}

/// Writes policies in the files that kustomize builds a workload from: where they stand already, else beside the object, else in a patch of it.
fn in_its_files<'a>(walk: &mut Walk<'a>, located: &Located<'a>, changes: Vec<GeneratedChange>) -> What<'a> {
    let documents = walk.snapshot.manifests.described(located);
    let mut by_document: BTreeMap<(&str, usize), BTreeMap<String, Option<String>>> = BTreeMap::new();
    for change in &changes {
        let GeneratedChange::Policy { key, value, .. } = change else { continue };
        let has_it = |(_, resource): &&(_, &Resource)| resource.annotations.contains_key(key);
        let value_in = |resource: &Resource| resource.annotations.get(key).map(|a| a.value.clone());
        let (now, said) = (
            value_in(located.resource),
            documents.iter().rfind(has_it).and_then(|(_, resource)| value_in(resource)),
        );
        if now.is_some() && now != said {
            let by = walk.snapshot.manifests.annotated_by(located, key);
            let by = by.unwrap_or_else(|| "something that is not followed, as a JSON patch".to_owned());
            return not_editable(format!("`{key}` comes from {by}: change it there"));
        }
        let chosen: Vec<_> = match value {
            Some(_) => documents
                .iter()
                .rfind(has_it)
                .or(documents.iter().find(|(at, _)| at.refused.is_none()).or(documents.first()))
                .into_iter()
                .collect(),
            None => documents.iter().filter(has_it).collect(),
        };
        if chosen.is_empty() {
            return not_editable(format!("no file is known to say what `{key}` of it is"));
        }
        for (at, _) in chosen {
            if let Some(why) = &at.refused {
                return not_editable(format!("{why}: set it in a patch of this one alone"));
            }
            by_document.entry((&at.path, at.resource)).or_default().insert(key.clone(), value.clone());
        }
    }
    let mut texts = Vec::new();
    for ((path, resource), changes) in by_document {
        let Some(source) = walk.snapshot.sources.get(path) else {
            walk.needs.sources.insert(path.to_owned());
            return What::Whole(WorkloadVerdict::whole(Reason::Incomplete));
        };
        match proven(walk, path, edit::annotation_edits(source, resource, &changes), source) {
            Ok((edits, intents)) => texts.push((path.to_owned(), edits, intents)),
            Err(error) => return not_editable(format!("{path}: {error}")),
        }
    }
    changed(PolicyEdits { texts, generated: changes })
}

/// The values that policies are to have, by name; none for those that are to go.
fn wanted(update: &PolicyUpdate, located: &Located<'_>) -> Result<BTreeMap<String, Option<String>>, String> {
    let containers = located.resource.workload.as_deref().unwrap_or_default();
    let spelt = |name: &str| -> Vec<String> {
        match name {
            TAG_ALL => containers.iter().map(|c| format!("tag.{}", c.name)).collect(),
            _ => vec![name.to_owned()],
        }
    };
    let mut wanted = BTreeMap::new();
    for (name, value) in &update.add {
        let pattern = name == TAG_ALL || name.starts_with("tag.");
        if pattern {
            value.parse::<TagPattern>().map_err(|invalid| invalid.to_string())?;
        }
        // The default pattern need not be written.
        let gone = value.is_empty() || (pattern && matches!(value.as_str(), "*" | "glob:*"));
        for name in spelt(name) {
            wanted.insert(name, (!gone).then(|| value.clone()));
        }
    }
    for name in update.remove.iter().flat_map(|name| spelt(name)) {
        wanted.insert(name, None);
    }
    Ok(wanted)
}

/// The same values, where rules of policy documents have their say too: what is to go and is set by a rule is written as its opposite.
fn against_rules(
    walk: &Walk<'_>,
    located: &Located<'_>,
    policies: &Policies,
    mut wanted: BTreeMap<String, Option<String>>,
) -> Result<BTreeMap<String, Option<String>>, String> {
    let mut annotations = located.resource.annotations.clone();
    annotations.retain(|key, _| !wanted.keys().any(|name| policies.key(name) == *key));
    let of_rules = walk.book.policies_with(located, &annotations);
    for (name, value) in &mut wanted {
        let rule = match name.strip_prefix("tag.") {
            Some(container) => of_rules.pattern_text(container),
            None => of_rules.all.get(name),
        };
        if value.is_none() && rule.is_some_and(|rule| rule.rule.is_some()) {
            *value = match name.as_str() {
                name if name.starts_with("tag.") => Some("glob:*".to_owned()),
                "automated" | "locked" | "hold" | "allow-downgrade" | "pin-digest" => {
                    Some("false".to_owned())
                }
                _ => None,
            };
        }
    }
    for (name, value) in &wanted {
        if let Some(value) = value {
            let annotation = Annotation { value: value.clone(), line: 1, column: 1 };
            annotations.insert(policies.key(name), annotation);
        }
    }
    let after = walk.book.policies_with(located, &annotations);
    for (name, value) in &wanted {
        let set = after.all.get(name);
        if let (Some(value), Some(PolicyText { value: has, rule: Some(path), line, .. })) = (value, set)
            && value != has
        {
            return Err(format!("`{name}` stays `{has}`: {path}:{line} enforces it"));
        }
    }
    Ok(wanted)
}

/// What a change does, in v1's words, with the workloads it does it to: for commit messages.
pub(super) fn events(change: &PolicyChange) -> BTreeMap<&'static str, BTreeSet<&WorkloadId>> {
    let mut events: BTreeMap<&'static str, BTreeSet<&WorkloadId>> = BTreeMap::new();
    for (id, update) in &change.updates {
        let added = update.add.keys().filter(|name| !update.remove.contains(*name)).map(|name| (name, true));
        let removed = update.remove.iter().map(|name| (name, false));
        for (name, added) in added.chain(removed) {
            let event = match (name.as_str(), added) {
                ("automated", true) => "Automated",
                ("automated", false) => "Deautomated",
                // The user and the message of a lock are part of it.
                ("locked" | "locked_user" | "locked_msg", true) => "Locked",
                ("locked" | "locked_user" | "locked_msg", false) => "Unlocked",
                _ => "Updated policies",
            };
            events.entry(event).or_default().insert(id);
        }
    }
    events
}
