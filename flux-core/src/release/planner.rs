//! The planner: a list of steps.
//!
//! Each has a file of its own, one job and a typed outcome.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    blocks,
    builder::PlanBuilder,
    constraints,
    context::Context,
    decision::{Progress, WorkloadDecision},
    edits::{self, Edits},
    images,
    needs::Needs,
    resolve_ids::resolve_ids,
    scope,
    snapshot::Snapshot,
    verify::Verified,
};
use crate::{
    plan::{ReleasePlan, Request},
    repo_path::RepoPath,
};

/// Returns the facts that must be asked for before `request` can be decided on `snapshot`.
///
/// Ask, add the answers to the snapshot, and call again until nothing is missing: see [`Needs`]
/// for why this takes rounds. [`plan`] can be called at any time, and decides on what there is.
/// Pure.
///
/// ```
/// use flux_core::release::{self, Request, Snapshot};
///
/// let manifest = r#"
/// apiVersion: apps/v1
/// kind: Deployment
/// metadata:
///   name: web
///   annotations: {fluxcd.io/automated: "true", fluxcd.io/tag.web: "semver:~1.4"}
/// spec: {template: {spec: {containers: [{name: web, image: "team/web:1.4.0"}]}}}
/// "#;
/// let snapshot = Snapshot::of_files([("web.yaml", manifest)])?;
/// let (request, now) = (Request::automation(), "2026-11-21T12:00:00Z".parse()?);
/// let needs = release::needs(&snapshot, &request, now);
/// assert_eq!((needs.tags.len(), needs.details.len()), (1, 0));
///
/// // Versions are ordered by their texts, so only what would be written is looked at.
/// let mut snapshot = snapshot.with_images("team/web", ["1.4.0", "1.4.7"])?;
/// assert!(release::needs(&snapshot, &request, now).is_empty());
/// // An edit is verified on the text that it changes.
/// let texts = std::mem::take(&mut snapshot.sources);
/// assert!(release::needs(&snapshot, &request, now).sources.contains("web.yaml"));
/// # let _ = texts;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn needs(snapshot: &Snapshot, request: &Request, now: Timestamp) -> Needs {
    let operation = resolve_ids(&request.operation, &snapshot.manifests);
    let mut context = Context::new(snapshot, &operation, now);
    let mut decisions = decide(&mut context);
    loop {
        let (edits, made) = edits::make(&mut decisions);
        let held = constraints::hold(&context, &mut decisions);
        if (made, held) == (Progress::Unchanged, Progress::Unchanged) {
            // Verifying takes edits back and never adds a file, so it has no needs of its own.
            for path in edits.files.keys().filter(|path| !snapshot.sources.contains_key(*path)) {
                context.ask_source(path);
            }
            return context.needs;
        }
    }
}

/// Decides about every workload in scope.
///
/// Pure: equal inputs give equal plans, with equal ids.
///
/// ```
/// use flux_core::release::{self, Request, Snapshot};
///
/// let manifest = r#"
/// apiVersion: apps/v1
/// kind: Deployment
/// metadata:
///   name: web
///   namespace: shop
///   annotations: {fluxcd.io/automated: "true", fluxcd.io/tag.web: "semver:~1.4"}
/// spec: {template: {spec: {containers: [{name: web, image: "team/web:1.4.0"}]}}}
/// "#;
/// let snapshot = Snapshot::of_files([("web.yaml", manifest)])?
///     .with_images("team/web", ["1.4.0", "1.4.7", "1.5.0"])?;
/// let plan = release::plan(&snapshot, &Request::automation(), "2026-11-21T12:00:00Z".parse()?);
///
/// let target = plan.target("shop:deployment/web", "web").unwrap();
/// assert_eq!(target.to_string(), "team/web:1.4.7");
/// assert_eq!(plan.message(), "Auto-release team/web:1.4.7");
/// // The file that it makes, verified once more.
/// let files = plan.files(&snapshot.sources)?;
/// assert!(files["web.yaml"].ends_with(b"image: \"team/web:1.4.7\"}]}}}\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn plan(snapshot: &Snapshot, request: &Request, now: Timestamp) -> ReleasePlan {
    plan_with_files(snapshot, request, now).0
}

/// Does what [`plan`] does, and returns the contents of the files that the plan changes as well.
///
/// They are what [`ReleasePlan::files`] would make, without verifying the edits once more.
pub fn plan_with_files(
    snapshot: &Snapshot,
    request: &Request,
    now: Timestamp,
) -> (ReleasePlan, BTreeMap<RepoPath, Bytes>) {
    let operation = resolve_ids(&request.operation, &snapshot.manifests);
    let mut context = Context::new(snapshot, &operation, now);
    let mut decisions = decide(&mut context);
    let (edits, verified) = until_nothing_changes(&mut context, &mut decisions);
    let files = verified.into_files();
    let mut builder = PlanBuilder::new(&edits, &files);
    decisions.into_iter().for_each(|workload| builder.workload(workload));
    let plan = builder.build(context, request, edits);
    (plan, files.into_iter().map(|(path, file)| (path, file.edited)).collect())
}

/// Steps 1 to 3: each workload is decided by itself.
fn decide<'a>(context: &mut Context<'a>) -> Vec<WorkloadDecision<'a>> {
    let mut decisions = scope::take_up(context);
    blocks::settle(context, &mut decisions);
    images::choose(context, &mut decisions);
    decisions
}

/// Steps 4 to 6: updates that cannot be made are taken back, until nothing changes.
///
/// Each round that is not the last takes at least one update back, and none is ever added.
fn until_nothing_changes<'a>(
    context: &mut Context<'a>,
    decisions: &mut [WorkloadDecision<'a>],
) -> (Edits, Verified) {
    let mut verified = Verified::default();
    loop {
        let (edits, made) = edits::make(decisions);
        // No text is needed for what a constraint holds back already.
        let held = constraints::hold(context, decisions);
        if [made, held] == [Progress::Unchanged; 2]
            && verified.verify(context, &edits, decisions) == Progress::Unchanged
        {
            return (edits, verified);
        }
    }
}
