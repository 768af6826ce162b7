//! An independent checker of release plans: it shares no code with the planner, and agrees with
//! every plan.
//!
//! It does not plan anew. It holds a plan against the rules that any plan has to keep, reading
//! policies and edits with code of its own. Where it cannot tell, it lets the plan pass.

mod edits;
mod policies;
mod scope;
#[cfg(test)]
mod tests;
mod together;
mod violation;

use jiff::Timestamp;

use crate::release::{ReleasePlan, Snapshot};

pub use violation::{Rule, Violation};

/// Returns the rules that a plan breaks; empty for every plan of
/// [`release::plan`](crate::release::plan()).
///
/// The snapshot is the one that the plan was made from. A plan with a violation must not be carried
/// out.
///
/// - The plan is for the revision of the snapshot, its verdicts are on workloads of it, and none
///   contradicts itself.
/// - Nothing is changed that the request is not about, and nothing that is locked, ignored, on hold
///   or encrypted, unless a person forces it. Each container goes to an image that was asked for
///   and that was seen to be one, and automation to no older one.
/// - The members of a release group go to one tag, all of them. A release of named containers is
///   done as a whole.
/// - Each success has an edit, and each edit belongs to a success. Where the text of a file is at
///   hand, the edits fit it, and bring about what is intended and nothing else.
///
/// Freeze windows and build dates depend on the time: see [`check_at`].
pub fn check(plan: &ReleasePlan, snapshot: &Snapshot) -> Vec<Violation> {
    violations(plan, snapshot, None)
}

/// Does what [`check`] does, and holds the plan against the freeze windows and build dates at a
/// time as well.
pub fn check_at(plan: &ReleasePlan, snapshot: &Snapshot, now: Timestamp) -> Vec<Violation> {
    violations(plan, snapshot, Some(now))
}

fn violations(plan: &ReleasePlan, snapshot: &Snapshot, now: Option<Timestamp>) -> Vec<Violation> {
    let mut violations = Vec::new();
    if plan.base != snapshot.base {
        violations.push(Violation::WrongBase { planned: plan.base.clone(), read: snapshot.base.clone() });
    }
    let id = plan.id.to_string();
    if id.len() != 64 || !id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        violations.push(Violation::InvalidId);
    }
    let reader = policies::Reader::new(&snapshot.manifests, &plan.findings);
    violations.extend(scope::check(plan, snapshot, &reader, now));
    violations.extend(together::groups(plan, snapshot, &reader));
    violations.extend(together::all_or_nothing(plan, snapshot));
    violations.extend(edits::check(plan, snapshot));
    violations
}
