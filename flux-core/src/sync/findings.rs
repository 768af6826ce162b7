//! The findings of syncs, in words.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{DesiredObject, FieldDiff, SyncSet, annotations};
use crate::{
    backend::{Completeness, Observation, Observed},
    finding::{Code, Finding, Place},
    manifest::ResourceId,
    policy::Suspension,
    schema::path::FieldPath,
};

/// Returns the finding about fields that something sets again after each sync.
pub(super) fn contested(id: &ResourceId, place: &Place, fields: &[FieldPath]) -> Finding {
    let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
    Finding {
        code: Code::FieldContested,
        subject: id.to_string(),
        place: Some(place.clone()),
        evidence: format!(
            "{} does not keep the value that git has: something in the cluster sets it again after each sync",
            fields.join(" and ")
        ),
        remedy:
            "Take the field out of git, or change the admission policy, webhook or controller that sets it."
                .to_owned(),
    }
}

/// Returns the findings about annotations of syncs that cannot be read.
pub(super) fn unreadable(
    id: &ResourceId,
    desired: &DesiredObject,
    object: &Value,
) -> impl Iterator<Item = Finding> {
    let (subject, place) = (id.to_string(), desired.place.clone());
    annotations::unreadable(object).into_iter().map(move |one| Finding {
        code: Code::InvalidPolicy,
        subject: subject.clone(),
        place: Some(place.clone()),
        evidence: one.evidence,
        remedy: one.remedy,
    })
}

/// Returns the finding about a sync set that is suspended.
pub(super) fn suspended(suspension: &Suspension) -> Finding {
    Finding {
        code: Code::Suspended,
        subject: "sync".to_owned(),
        place: None,
        evidence: format!("nothing is synced: {suspension}"),
        remedy: "Resume it where it was suspended: in the FluxPolicy in git, or in the options of the sync."
            .to_owned(),
    }
}

/// Returns the finding about drift that is only reported.
pub(super) fn drifted(id: &ResourceId, place: &Place, fields: &[FieldDiff]) -> Finding {
    let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
    Finding {
        code: Code::Drifted,
        subject: id.to_string(),
        place: Some(place.clone()),
        evidence: format!("it is not as git says: {}", fields.join(", ")),
        remedy: "Write it into git if it should stay, or have drift repaired.".to_owned(),
    }
}

/// Returns the finding about a field that git has dropped and another manager keeps.
pub(super) fn kept(id: &ResourceId, place: Option<&Place>, field: &str, keeper: &str) -> Finding {
    Finding {
        code: Code::FieldKept,
        subject: id.to_string(),
        place: place.cloned(),
        evidence: format!(
            "git no longer names {field}, and it stays: the field manager {keeper} owns it too"
        ),
        remedy: format!("If it should go, remove it where {keeper} sets it, or by hand."),
    }
}

/// Returns the finding about objects that carry the mark of another sync set.
pub(super) fn other_sync_set(of_others: &BTreeSet<ResourceId>, own: &SyncSet) -> Option<Finding> {
    const SHOWN: usize = 5;
    let mut names: Vec<String> = of_others.iter().take(SHOWN).map(ToString::to_string).collect();
    if of_others.len() > SHOWN {
        names.push(format!("{} more", of_others.len() - SHOWN));
    }
    (!of_others.is_empty()).then(|| Finding {
        code: Code::OtherSyncSet,
        subject: "sync".to_owned(),
        place: None,
        evidence: format!(
            "{} of the objects that git names carry the mark of another sync set than {own}: {}",
            of_others.len(),
            names.join(", ")
        ),
        remedy: "If it is a former name of this set (another URL, branch or list of paths), take that set over, so that what it created can be pruned; if the objects have moved from a set that goes on, say so; if it is another repository's, let only one of the two name these objects, or they are written in turns."
            .to_owned(),
    })
}

/// Returns a finding for each part of the cluster that was not seen.
pub(super) fn incomplete(observed: &Observation<Observed>) -> Vec<Finding> {
    let finding = |evidence: String| Finding {
        code: Code::PartialCluster,
        subject: "cluster".to_owned(),
        place: None,
        evidence,
        remedy: format!(
            "See that {} may list and watch what is named; until then nothing is pruned.",
            observed.authority
        ),
    };
    match &observed.completeness {
        Completeness::Complete => Vec::new(),
        Completeness::Partial(missing) => missing.iter().cloned().map(finding).collect(),
        Completeness::Stale { age, reason } => vec![finding(format!("seen {age:#} ago: {reason}"))],
    }
}
