//! Changes of policies, written as annotations in the spelling that stands there already.

use std::collections::BTreeMap;

use super::{
    context::Context,
    decision::{Decision, PolicyEdits, WorkloadDecision},
};
use crate::{
    edit,
    manifest::{Annotation, DocumentId, Resource},
    manifest_set::Located,
    plan::{GeneratedChange, PolicyChange, PolicyUpdate, Reason},
    policy::{Policies, PolicyText, TagPattern, is_of_syncs},
    position::Position,
};

/// The pseudo policy that sets the pattern of every container.
const TAG_ALL: &str = "tag_all";

/// Decides on a workload whose policies are to change.
pub(super) fn decide<'a>(
    context: &mut Context<'a>,
    workload: &WorkloadDecision<'a>,
    change: &PolicyChange,
) -> Decision<'a> {
    let (located, policies) = (&workload.located, &workload.policies);
    let Some(update) = change.updates.get(&workload.id) else { return Decision::OutOfScope };
    if located.resource.workload.is_none()
        && let Some(name) = update.add.keys().chain(&update.remove).find(|name| !is_of_syncs(name))
    {
        return not_editable(format!("it runs no images, so that `{name}` would have no effect on it"));
    }
    let wanted = wanted(update, located).and_then(|wanted| against_rules(context, located, policies, wanted));
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(message) => return not_editable(message),
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
            _ if changes.is_empty() => Decision::whole(Reason::PolicyUnchanged),
            Some(refused) => not_editable(refused.clone()),
            None if context.snapshot.manifests.is_build(located.path) => {
                in_its_files(context, located, changes)
            }
            None => changed(PolicyEdits { generated: changes, ..PolicyEdits::default() }),
        };
    }
    let changes: BTreeMap<String, Option<String>> =
        changes.into_iter().map(|(_, key, value)| (key, value)).collect();
    if changes.is_empty() {
        return Decision::whole(Reason::PolicyUnchanged);
    }
    let Some(source) = context.snapshot.sources.get(located.path) else {
        context.ask_source(located.path);
        return unread(located.path);
    };
    match edit::annotation_edits(source, located.index, &changes) {
        Ok((edits, intents)) => {
            let texts = vec![(located.path.clone(), edits, intents)];
            changed(PolicyEdits { texts, ..PolicyEdits::default() })
        }
        Err(error) => not_editable(format!("{}: {error}", located.place())),
    }
}

fn changed<'a>(edits: PolicyEdits) -> Decision<'a> {
    Decision::Policies(edits)
}

fn unread<'a>(path: &str) -> Decision<'a> {
    let why = format!("the text of {path} is not known, so that it cannot be edited");
    Decision::whole_with(Reason::Incomplete, why)
}

fn not_editable<'a>(why: String) -> Decision<'a> {
    Decision::whole_with(Reason::NotEditable, why)
}

/// Writes policies in the files that kustomize builds a workload from: where they stand already,
/// else beside the object, else in a patch of it.
fn in_its_files<'a>(
    context: &mut Context<'a>,
    located: &Located<'a>,
    changes: Vec<GeneratedChange>,
) -> Decision<'a> {
    let documents = context.snapshot.manifests.described(located);
    let mut by_document: BTreeMap<&DocumentId, BTreeMap<String, Option<String>>> = BTreeMap::new();
    for change in &changes {
        let GeneratedChange::Policy { key, value, .. } = change else { continue };
        let has_it = |(_, resource): &&(_, &Resource)| resource.annotations.contains_key(key);
        let value_in = |resource: &Resource| resource.annotations.get(key).map(|a| a.value.clone());
        let (now, written) = (
            value_in(located.resource),
            documents.iter().rfind(has_it).and_then(|(_, resource)| value_in(resource)),
        );
        if now.is_some() && now != written {
            let by = context.snapshot.manifests.annotated_by(located, key);
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
            by_document.entry(&at.document).or_default().insert(key.clone(), value.clone());
        }
    }
    let mut texts = Vec::new();
    for (DocumentId { path, index }, changes) in by_document {
        let Some(source) = context.snapshot.sources.get(path) else {
            context.ask_source(path);
            return unread(path);
        };
        match edit::annotation_edits(source, *index, &changes) {
            Ok((edits, intents)) => texts.push((path.clone(), edits, intents)),
            Err(error) => return not_editable(format!("{path}: {error}")),
        }
    }
    changed(PolicyEdits { texts, generated: changes })
}

/// Returns the values that policies are to have, by name; `None` for those that are to go.
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

/// Returns the same values as they must be written beside the rules of policy documents.
///
/// A policy that is to go and that a rule sets is written as its opposite.
fn against_rules(
    context: &Context<'_>,
    located: &Located<'_>,
    policies: &Policies,
    mut wanted: BTreeMap<String, Option<String>>,
) -> Result<BTreeMap<String, Option<String>>, String> {
    let others = located.resource.annotations.iter().map(|(key, annotation)| (key.to_owned(), annotation));
    let others = others.filter(|(key, _)| !wanted.keys().any(|name| policies.key(name) == *key));
    let others: Vec<_> = others.map(|(key, annotation)| (key, annotation.clone())).collect();
    let of_rules = context.index.policies_with(located, &others.iter().cloned().collect());
    for (name, value) in &mut wanted {
        let rule = match name.strip_prefix("tag.") {
            Some(container) => of_rules.pattern_text(container),
            None => of_rules.all.get(name),
        };
        if value.is_none() && rule.is_some_and(|rule| rule.rule.is_some()) {
            *value = match name.as_str() {
                name if name.starts_with("tag.") => Some("glob:*".to_owned()),
                "automated" | "locked" | "hold" | "allow-downgrade" | "pin-digest" | "label-dates" => {
                    Some("false".to_owned())
                }
                _ => None,
            };
        }
    }
    let new = wanted.iter().filter_map(|(name, value)| {
        let annotation = Annotation { value: value.clone()?, position: Position::START };
        Some((policies.key(name), annotation))
    });
    let after = context.index.policies_with(located, &others.into_iter().chain(new).collect());
    for (name, value) in &wanted {
        let set = after.all.get(name);
        if let (Some(value), Some(PolicyText { value: has, rule: Some(path), position, .. })) = (value, set)
            && value != has
        {
            return Err(format!("`{name}` stays `{has}`: {path}:{} enforces it", position.line));
        }
    }
    Ok(wanted)
}
