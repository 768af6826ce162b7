//! "Why was this not released?": what speaks for or against every known tag of a container.
//!
//! The input put to [`policy::explain`] is the one that the planner uses for automation; on top of
//! it comes whatever stops the workload as a whole.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    candidates::Candidates,
    chooser::Chooser,
    explanation::{ExplainRequest, Explanation, PatternFrom, TagReason, TagStatus, TagVerdict},
    needs::Needs,
    planner::{needs, plan},
    policy_index::PolicyIndex,
    registry_findings::image_findings,
    snapshot::Snapshot,
};
use crate::{
    finding::Findings,
    image::{ImageRef, Tag},
    manifest::Container,
    manifest_set::Located,
    plan::{ImageTarget, Reason, Request, Selection},
    policy::{self, Choice, Frozen, Hold, Lock, Policies, Rejection, Rule, Stop, TagPattern, Verdict},
    workload::Class,
};

/// Returns the facts that must be asked for before a request can be answered; see [`needs`].
pub fn explain_needs(snapshot: &Snapshot, request: &ExplainRequest, now: Timestamp) -> Needs {
    let Some(located) = snapshot.manifests.workload(&request.workload) else { return Needs::default() };
    let mut needs = match group_request(snapshot, request) {
        Some(group) => needs(snapshot, &group, now),
        None => Needs::default(),
    };
    // What stops the workload as a whole does not keep its tags from being explained.
    let policies = PolicyIndex::of(snapshot, &mut needs).policies(&located);
    let mut candidates = Candidates::of(&snapshot.images, now);
    for container in located.resource.workload.iter().flatten() {
        if let Ok(current) = &container.image {
            if snapshot.images.get(&current.name).is_none() {
                // Also where the pattern cannot be read: every tag has its verdict.
                needs.tags_of(&current.name);
            }
            chooser(snapshot, &located, container, current, &policies).newest(&mut needs, &mut candidates);
        }
    }
    needs
}

/// Explains the tags of containers on what `snapshot` knows, with the findings about that.
///
/// Pure.
///
/// No explanation at all means that git does not describe the workload, or that it has no such
/// container.
///
/// ```
/// use flux_core::release::{self, ExplainRequest, Snapshot, TagStatus};
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
/// let request = ExplainRequest { workload: "shop:deployment/web".parse()?, container: None };
/// let (explained, _) = release::explain(&snapshot, &request, "2026-11-21T12:00:00Z".parse()?);
///
/// let verdict = |tag: &str| explained[0].tags.iter().find(|v| v.tag.as_str() == tag).unwrap();
/// assert_eq!(verdict("1.4.7").verdict, TagStatus::Selected);
/// assert_eq!(verdict("1.5.0").because.reason, "pattern-mismatch");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn explain(
    snapshot: &Snapshot,
    request: &ExplainRequest,
    now: Timestamp,
) -> (Vec<Explanation>, Findings) {
    let mut missing = Needs::default();
    let index = PolicyIndex::of(snapshot, &mut missing);
    let mut findings = Findings::from(image_findings(&snapshot.images));
    findings.extend(index.findings(&snapshot.manifests));
    let Some(located) = snapshot.manifests.workload(&request.workload) else { return (Vec::new(), findings) };
    let policies = index.policies(&located);
    let mut stops = read_only(&located);
    stops.extend(
        policies.stops(now, true).iter().map(|stop| stopped(stop, &policies, snapshot, located.path)),
    );
    stops.extend(group_block(snapshot, request, now));
    let containers = located.resource.workload.as_deref().unwrap_or_default();
    let mut candidates = Candidates::of(&snapshot.images, now);
    let explained = containers
        .iter()
        .filter(|c| request.container.as_ref().is_none_or(|name| *name == c.name))
        .map(|container| explained(snapshot, &mut candidates, &located, container, &policies, &stops))
        .collect();
    findings.extend(candidates.findings());
    (explained, findings)
}

/// Returns the request whose plan decides about the workload's release group: automation's, or a
/// person's for all of its members.
///
/// `None` if it is in no group.
fn group_request(snapshot: &Snapshot, request: &ExplainRequest) -> Option<Request> {
    let index = PolicyIndex::of(snapshot, &mut Needs::default());
    let policies = index.policies(&snapshot.manifests.workload(&request.workload)?);
    let group = policies.guards.group.as_ref()?;
    if policies.automated {
        return Some(Request::automation());
    }
    let members = snapshot.manifests.workloads();
    let members = members.filter(|m| index.policies(m).guards.group.as_ref() == Some(group));
    let ids: BTreeSet<_> = members.map(|m| m.workload_id()).collect();
    Some(Request::image(Selection::Named(ids), ImageTarget::Latest))
}

/// Returns the reason why the workload's release group cannot move, if it cannot.
fn group_block(snapshot: &Snapshot, request: &ExplainRequest, now: Timestamp) -> Option<TagReason> {
    let plan = plan(snapshot, &group_request(snapshot, request)?, now);
    let verdict = plan.workloads.get(&request.workload)?;
    let blocked = verdict.containers.iter().find(|c| c.reason == Reason::GroupIncomplete)?;
    let mut evidence = BTreeMap::new();
    if !blocked.blocked_by.is_empty() {
        let ids: Vec<String> = blocked.blocked_by.iter().map(ToString::to_string).collect();
        evidence.insert("blocked_by".to_owned(), ids.join(","));
    }
    Some(TagReason::of(Reason::GroupIncomplete.as_str(), blocked.message.clone(), evidence))
}

/// Explains the tags of one container; `stops` are the reasons that stop the workload as a whole.
fn explained<'a>(
    snapshot: &'a Snapshot,
    candidates: &mut Candidates<'a>,
    located: &Located<'_>,
    container: &Container,
    policies: &Policies,
    stops: &[TagReason],
) -> Explanation {
    let written = policies.pattern_text(&container.name);
    let from = written
        .map(|text| snapshot.manifests.place(text.rule.as_deref().unwrap_or(located.path), text.position));
    let text = written.map_or_else(|| TagPattern::any().to_string(), |text| text.value.clone());
    let mut explanation = Explanation {
        id: located.workload_id(),
        container: container.name.clone(),
        image: match &container.image {
            Ok(image) => image.to_string(),
            Err(bad) => bad.text.clone(),
        },
        pattern: PatternFrom { text, from },
        selected: None,
        tags: Vec::new(),
    };
    let Ok(current) = &container.image else { return explanation };
    let Some(Ok(known)) = candidates.known(&current.name) else { return explanation };
    let pattern = match candidates.patterns.read(&explanation.pattern.text) {
        Ok(pattern) => pattern,
        Err(invalid) => {
            let tags = candidates.listing(known).tags().iter();
            explanation.tags = tags
                .map(|tag| {
                    if current.effective_tag() == Some(tag.tag.as_str()) {
                        TagVerdict::of(tag.tag.clone(), Verdict::Current)
                    } else {
                        unmatched(tag.tag, &invalid.to_string())
                    }
                })
                .collect();
            return explanation;
        }
    };
    let chooser = chooser(snapshot, located, container, current, policies);
    let taken_back = chooser.taken_back().flatten().filter(|_| !chooser.hold_is_lifted());
    let mut input = chooser.input(candidates.set(known, &pattern, policies.label_dates));
    input.newer_than = taken_back.as_ref().map(|t| &t.tag);
    let choice = policy::choose(&input);
    explanation.tags = policy::explain(&input).into_iter().map(|(tag, v)| TagVerdict::of(tag, v)).collect();
    explanation.selected = match choice {
        Choice::Update { tag, .. } => Some(tag),
        Choice::Keep { tag, .. } => tag,
        Choice::Undecided(_) | Choice::NoCandidate => None,
    };
    for tag in &mut explanation.tags {
        tag.name_places(policies, snapshot, located.path);
        if tag.hold_back(stops) {
            explanation.selected = current.effective_tag().and_then(|tag| tag.parse().ok());
        }
    }
    explanation
}

/// Returns the choice of automation for a container, to be made.
fn chooser<'a>(
    snapshot: &'a Snapshot,
    located: &'a Located<'a>,
    container: &'a Container,
    current: &'a ImageRef,
    policies: &'a Policies,
) -> Chooser<'a> {
    Chooser { snapshot, automatic: true, current, container, located, policies }
}

impl TagReason {
    fn of(reason: &str, message: String, evidence: BTreeMap<String, String>) -> Self {
        Self { reason: reason.to_owned(), message, evidence }
    }

    fn of_rule(rejection: Rejection) -> Self {
        let evidence = rejection.evidence.into_iter().map(|(name, value)| (name.to_owned(), value));
        Self::of(rejection.rule.as_str(), rejection.message, evidence.collect())
    }
}

/// The rules of the guards, each with the policy that sets it.
const GUARDS: [(Rule, &str); 3] =
    [(Rule::MinAge, "min-age"), (Rule::Platforms, "platforms"), (Rule::NoDigest, "pin-digest")];

/// The rules that hold a tag back that is newer than the one that runs.
const HOLDS: [Rule; 5] = [Rule::TakenBack, Rule::NoDate, Rule::MinAge, Rule::Platforms, Rule::NoDigest];

impl TagVerdict {
    fn of(tag: Tag, verdict: Verdict) -> Self {
        let simple = |status: TagStatus, reason: Reason, message: &str| {
            let because = TagReason::of(reason.as_str(), message.to_owned(), BTreeMap::new());
            (status, because, Vec::new())
        };
        let (verdict, because, also) = match verdict {
            Verdict::Selected => {
                let message = "it is the newest that policy allows";
                simple(TagStatus::Selected, Reason::NewerImage, message)
            }
            Verdict::Current => simple(TagStatus::Current, Reason::UpToDate, "it runs"),
            Verdict::Rejected { by, also } => {
                let also = also.into_iter().map(TagReason::of_rule).collect();
                (TagStatus::Rejected, TagReason::of_rule(by), also)
            }
        };
        Self { tag, verdict, because, also }
    }

    /// Names, for each guard among the reasons, where it stands.
    fn name_places(&mut self, policies: &Policies, snapshot: &Snapshot, path: &str) {
        for reason in [&mut self.because].into_iter().chain(&mut self.also) {
            let guard = GUARDS.iter().find(|(rule, _)| rule.as_str() == reason.reason);
            if let Some((path, position)) = guard.and_then(|(_, policy)| policies.from(policy, path)) {
                let place = snapshot.manifests.place(path, position);
                reason.evidence.insert("from".to_owned(), place.to_string());
            }
        }
    }

    /// Adds the reasons that stop the workload as a whole.
    ///
    /// Returns `true` if the tag would have been selected without them.
    fn hold_back(&mut self, stops: &[TagReason]) -> bool {
        let Some((first, others)) = stops.split_first() else { return false };
        if self.verdict == TagStatus::Selected {
            self.verdict = TagStatus::Rejected;
            self.because = first.clone();
            self.also = others.to_vec();
            return true;
        }
        if HOLDS.iter().any(|rule| rule.as_str() == self.because.reason) {
            self.also.extend_from_slice(stops);
        }
        false
    }
}

fn unmatched(tag: &Tag, invalid: &str) -> TagVerdict {
    TagVerdict {
        tag: tag.clone(),
        verdict: TagStatus::Rejected,
        because: TagReason::of(Reason::InvalidPattern.as_str(), invalid.to_owned(), BTreeMap::new()),
        also: Vec::new(),
    }
}

/// Returns the reason that stops every release of a kind that is only read.
fn read_only(located: &Located<'_>) -> Vec<TagReason> {
    match located.resource.class() {
        Some(Class::ReadOnly(why)) => {
            vec![TagReason::of(Reason::ReadOnly.as_str(), why.to_owned(), BTreeMap::new())]
        }
        _ => Vec::new(),
    }
}

/// Returns a policy that stops a workload as a reason.
fn stopped(stop: &Stop, policies: &Policies, snapshot: &Snapshot, path: &str) -> TagReason {
    let mut evidence = BTreeMap::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            evidence.insert(name.to_owned(), value);
        }
    };
    let reason = match stop {
        Stop::Locked(Lock { user, message }) => {
            add("user", user.clone());
            add("message", message.clone());
            Reason::Locked
        }
        Stop::Ignored => Reason::IgnoredByPolicy,
        Stop::InvalidGuards(names) => {
            add("policies", Some(names.join(", ")));
            Reason::InvalidPolicy
        }
        Stop::Frozen(Frozen { window, opens }) => {
            add("window", Some(window.clone()));
            add("opens", opens.map(|t| t.to_string()));
            Reason::Frozen
        }
        Stop::Held(Hold { message }) => {
            add("message", message.clone());
            Reason::OnHold
        }
    };
    if let Some((path, position)) = policies.from(stop.policy(), path) {
        let place = snapshot.manifests.place(path, position);
        evidence.insert("from".to_owned(), place.to_string());
    }
    TagReason::of(reason.as_str(), stop.to_string(), evidence)
}
