//! [`Kept`]: what a sync was decided on, from one plan to the next.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Desired, Owned, Step, SyncOptions, kinds};
use crate::{
    backend::{Fidelity, KindInfo},
    finding::Finding,
    manifest::ResourceId,
    memo::Memo,
    object::Object,
    plan::contest::Contest,
    policy::Suspension,
};

/// The decisions of the last plan, with all that each was made on.
///
/// [`plan`](Self::plan) gives what [`sync::plan`](crate::sync::plan()) gives, in the time that a
/// change takes. Plans of other options may be asked for in between; then all is decided anew.
/// [`Checked`](crate::sync::Checked) does the same for the check.
///
/// An object counts as unchanged if it is the [same](Object::is_same) in memory.
#[derive(Debug, Default)]
pub struct Kept {
    context: Option<Context>,
    /// By the ids of their objects, in order.
    pub(super) decided: Vec<Decided>,
    /// Whose the objects of the cluster are that git does not name.
    pub(super) owned: Memo<Owned>,
    pub(super) definitions: Memo<Defined>,
    /// The targets of autoscalers.
    pub(super) targets: Memo<Option<ResourceId>>,
}

impl Kept {
    /// Forgets the decisions if anything is different that speaks for every object.
    pub(super) fn forget_unless(&mut self, context: Context) {
        if self.context.as_ref() != Some(&context) {
            self.decided = Vec::new();
            self.owned = Memo::default();
            self.context = Some(context);
        }
    }

    /// Returns the bytes of each decision.
    #[cfg(feature = "deployer")]
    pub(crate) fn footprint(&self) -> impl Iterator<Item = usize> {
        let of_step = |step: &Step| {
            let sent = match &step.action {
                super::Action::Create { object, .. } | super::Action::Apply { object, .. } => {
                    object.footprint()
                }
                _ => 0,
            };
            size_of::<Step>() + step.message.len() + step.api_version.len() + sent
        };
        self.decided.iter().map(move |decided| size_of::<Decided>() + of_step(&decided.step))
    }

    pub(super) fn end_round(&mut self) {
        self.owned.end_round();
        self.definitions.end_round();
        self.targets.end_round();
    }
}

/// All that speaks for every object.
#[derive(Debug, PartialEq)]
pub(super) struct Context {
    pub(super) options: SyncOptions,
    pub(super) suspended: Option<Suspension>,
    pub(super) definitions: Definitions,
    pub(super) kinds: BTreeMap<(String, String), KindInfo>,
    pub(super) versions: BTreeMap<(String, String), BTreeSet<String>>,
    pub(super) unseen: BTreeSet<(String, String)>,
    pub(super) is_complete: bool,
    pub(super) default_namespace: String,
    pub(super) fidelity: Fidelity,
    /// `true` if there may be autoscalers that could not be seen.
    pub(super) is_partial: bool,
}

/// The decision about an object that git describes once, with all that is its own and that it was
/// made on.
///
/// There is one for each object, and few have a contest, an autoscaler or a record.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) desired: Object,
    pub(super) live: Option<Object>,
    pub(super) contest: Option<Box<Contest>>,
    pub(super) autoscaler: Option<Box<ResourceId>>,
    /// The id of its record, if it is a Job that goes by its own time limit.
    pub(super) record: Option<Box<ResourceId>>,
    /// The record.
    pub(super) past: Option<Object>,
    /// `true` if this sync set has created it.
    pub(super) is_ours: bool,
    /// `true` if it carries the mark of another sync set.
    pub(super) is_of_others: bool,
    pub(super) step: Arc<Step>,
    pub(super) findings: Vec<Finding>,
    /// The findings about annotations that cannot be read.
    pub(super) unreadable: Vec<Finding>,
}

/// Returns `true` if both are the same object, or nothing.
pub(super) fn is_same(a: Option<&Object>, b: Option<&Object>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.is_same(b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// The kinds that the definitions of git define, and the versions of a kind that they serve.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Definitions {
    pub(super) kinds: BTreeMap<(String, String), KindInfo>,
    pub(super) served: BTreeMap<(String, String), BTreeSet<String>>,
}

/// The kinds of one definition, and the versions that it serves.
pub(super) type Defined =
    (BTreeMap<(String, String), KindInfo>, Option<((String, String), BTreeSet<String>)>);

/// Returns the definitions of git.
pub(super) fn definitions(desired: &Desired, known: &mut Memo<Defined>) -> Definitions {
    let mut all = Definitions::default();
    let objects = desired.objects.iter().map(|desired| &desired.object);
    for object in objects.filter(|object| object.kind() == "CustomResourceDefinition") {
        let (kinds, served) = known.of(object, |object| {
            let value = object.value();
            (kinds::defined_by(&value), kinds::served_by(&value))
        });
        all.kinds.extend(kinds.clone());
        all.served.extend(served.clone());
    }
    all
}
