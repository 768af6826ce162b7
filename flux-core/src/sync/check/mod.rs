//! An independent checker of sync plans: it shares no code with the planner, and agrees with every
//! plan.
//!
//! It does not plan anew. It holds a plan against the rules that any plan has to keep, reading
//! objects, marks and ownership with code of its own. Where it cannot tell, it lets the plan pass.

mod compare;
mod git;
mod known;
mod order;
mod prune;
mod read;
mod steps;
#[cfg(test)]
mod tests;
mod violation;

use std::collections::BTreeSet;

use crate::{
    backend::{Fidelity, Observation, Observed},
    plan::sync::SyncPlan,
    sync::{Desired, SyncOptions},
};

pub use violation::{Protection, PruneRule, Violation};

/// Returns the rules that a plan breaks; empty for every plan of
/// [`sync::plan`](crate::sync::plan()).
///
/// The other arguments are those that the plan was made from. A plan with a violation must not be
/// carried out.
///
/// - Every object that git describes has exactly one step, and so has every object of the sync set
///   that it no longer describes. The reason of a step explains its action.
/// - Nothing is touched outside of the allowed namespaces, nor what is ignored or encrypted.
/// - An object is sent as git has it, with a mark that claims no object which was there before. An
///   object that is left is as git has it. A change names the fields that differ.
/// - Nothing is deleted on doubt, against the guard, or that this sync set did not create.
/// - Definitions, namespaces and what workloads use come first; deletions come last, in the
///   opposite order.
///
/// ```
/// use flux_core::{
///     backend::{Fidelity, KindInfo, Observation, Observed},
///     Place, Position,
///     sync::{self, Action, Desired, DesiredObject, SyncOptions, SyncSet, Violation},
/// };
/// use serde_json::json;
/// use std::{collections::BTreeMap, sync::Arc};
///
/// let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}});
/// let place = Place::in_file("settings.yaml", Position { line: 1, column: 1 });
/// let desired = Desired {
///     objects: vec![DesiredObject { object: object.into(), place }],
///     ..Desired::default()
/// };
/// let config_maps = ("v1".to_owned(), "ConfigMap".to_owned());
/// let empty_cluster = Observed {
///     kinds: BTreeMap::from([(config_maps, KindInfo { namespaced: true })]),
///     fidelity: Fidelity::Exact,
///     ..Observed::default()
/// };
/// let observed = Observation::complete(empty_cluster, "somebody");
/// let options = SyncOptions::new(SyncSet::new("shop"));
///
/// let mut plan = sync::plan(&desired, &observed, &options);
/// assert_eq!(sync::check(&plan, &desired, &observed, &options), []);
///
/// Arc::make_mut(&mut plan.steps[0]).action = Action::Leave;
/// let violations = sync::check(&plan, &desired, &observed, &options);
/// let [Violation::WrongReason { .. }, absent @ Violation::WrongPresence { .. }] = &*violations
/// else {
///     panic!("{violations:?}");
/// };
/// let sentence = "default:configmap/settings is taken to be in the cluster, and it is not there.";
/// assert_eq!(absent.to_string(), sentence);
/// ```
pub fn check(
    plan: &SyncPlan,
    desired: &Desired,
    observed: &Observation<Observed>,
    options: &SyncOptions,
) -> Vec<Violation> {
    Checked::default().check(plan, desired, observed, options)
}

/// The memory of the checker, from one plan to the next.
///
/// A step that was right is not looked at again while it is the same, and all that it was held
/// against is.
#[derive(Debug, Default)]
pub struct Checked {
    context: Option<Context>,
    known: known::Known,
    right: steps::RightSteps,
}

/// All that speaks for every object.
#[derive(Debug, PartialEq)]
struct Context {
    options: SyncOptions,
    all_suspended: bool,
    unseen: BTreeSet<(String, String)>,
    is_complete: bool,
    fidelity: Fidelity,
}

impl Checked {
    /// Checks as [`check`](crate::sync::check()) does, and finds the same.
    pub fn check(
        &mut self,
        plan: &SyncPlan,
        desired: &Desired,
        observed: &Observation<Observed>,
        options: &SyncOptions,
    ) -> Vec<Violation> {
        let context = Context {
            options: options.clone(),
            all_suspended: desired.suspended.is_some(),
            unseen: observed.value.unseen.clone(),
            is_complete: observed.completeness.is_complete(),
            fidelity: observed.value.fidelity,
        };
        if self.context.as_ref() != Some(&context) {
            *self = Self { context: Some(context), ..Self::default() };
        }
        let mut violations = Vec::new();
        if plan.revision != desired.revision {
            let (planned, read) = (plan.revision.clone(), desired.revision.clone());
            violations.push(Violation::WrongRevision { planned, read });
        }
        let git = git::Git::new(desired, &observed.value, options, &mut self.known);
        let on = (desired, observed, options);
        violations.extend(steps::check(plan, &git, on, &mut self.known, &mut self.right));
        violations.extend(prune::check(plan, &git, desired, observed, options, &mut self.known));
        violations.extend(order::check(plan));
        self.known.end_round();
        violations
    }
}
