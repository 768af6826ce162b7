//! "Why was this not released?": for a container, what speaks for or against every known tag.
//!
//! The question put to [`policy::explain`] is the one that the planner asks for automation; on top of it comes what stops the workload as a whole.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Needs, Reason, Request, Selection, Snapshot, Wish, book::PolicyBook, choice::Chooser,
    facts::image_findings, fields::Fields, needs, plan,
};
use crate::{
    finding::{Finding, Place},
    image::{ImageRef, Tag},
    manifest::{Container, WorkloadId},
    manifest_set::Located,
    policy::{self, Choice, Frozen, Hold, Lock, Policies, Rule, Stop, TagPattern, Verdict},
    position::Position,
    workload::Class,
};

/// What is explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inquiry {
    /// Of which workload.
    pub workload: WorkloadId,
    /// Of which container; none for all.
    pub container: Option<String>,
}

/// What speaks for or against every tag that a container could run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The workload.
    pub id: WorkloadId,
    /// The container.
    pub container: String,
    /// Its image as git has it.
    pub image: String,
    /// The pattern that its tags are held against.
    pub pattern: PatternFrom,
    /// The tag that should run, also when it runs already; none when that is undecided.
    pub selected: Option<Tag>,
    /// Every known tag, newest first.
    pub tags: Vec<TagVerdict>,
}

/// A pattern and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatternFrom {
    /// The pattern as written, or the default.
    pub text: String,
    /// Where it stands; none if it is the default.
    pub from: Option<Place>,
}

/// The verdict on a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagVerdict {
    /// The tag.
    pub tag: Tag,
    /// What becomes of it.
    pub verdict: TagStatus,
    /// Why: a code of [`policy::Rule`] or of [`Reason`].
    pub reason: String,
    /// Why, for people.
    pub message: String,
    /// What was compared, by name.
    pub evidence: BTreeMap<String, String>,
}

/// What becomes of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TagStatus {
    /// It should run, and does not yet.
    Selected,
    /// It runs.
    Current,
    /// Something speaks against it.
    Rejected,
}

/// Says what must be asked before an inquiry can be answered; see [`needs`].
pub fn explain_needs(snapshot: &Snapshot, inquiry: &Inquiry, now: Timestamp) -> Needs {
    let Some(request) = request(snapshot, inquiry) else { return Needs::default() };
    let mut needs = needs(snapshot, &request, now);
    // What stops the workload as a whole does not keep its tags from being explained.
    let Some(located) = snapshot.manifests.workload(&inquiry.workload) else { return needs };
    let policies = PolicyBook::of(snapshot, &mut needs).policies(&located);
    let mut fields = Fields::of(&snapshot.images);
    for container in located.resource.workload.iter().flatten() {
        if let Ok(current) = &container.image {
            if snapshot.images.get(&current.name).is_none() {
                // Also where the pattern cannot be read: every tag has its verdict.
                needs.tags_of(&current.name);
            }
            chooser(snapshot, &located, container, current, &policies, now).newest(&mut needs, &mut fields);
        }
    }
    needs
}

/// Answers an inquiry on what `snapshot` knows, with what was wrong with that. Pure. No explanation at all means that git does not describe the
/// workload, or that it has no such container.
pub fn explain(snapshot: &Snapshot, inquiry: &Inquiry, now: Timestamp) -> (Vec<Explanation>, Vec<Finding>) {
    let mut missing = Needs::default();
    let book = PolicyBook::of(snapshot, &mut missing);
    let mut findings = image_findings(&snapshot.images);
    findings.extend(book.findings(&snapshot.manifests));
    findings.sort();
    findings.dedup();
    let Some(located) = snapshot.manifests.workload(&inquiry.workload) else { return (Vec::new(), findings) };
    let policies = book.policies(&located);
    let group = group_block(snapshot, inquiry, now);
    let containers = located.resource.workload.as_deref().unwrap_or_default();
    let explained = containers
        .iter()
        .filter(|c| inquiry.container.as_ref().is_none_or(|name| *name == c.name))
        .map(|container| explained(snapshot, &located, container, &policies, group.as_deref(), now))
        .collect();
    (explained, findings)
}

/// The request whose plan decides what the inquiry asks about: automation's, or a person's for the workload and what moves with it.
fn request(snapshot: &Snapshot, inquiry: &Inquiry) -> Option<Request> {
    let book = PolicyBook::of(snapshot, &mut Needs::default());
    let policies = book.policies(&snapshot.manifests.workload(&inquiry.workload)?);
    if policies.automated {
        return Some(Request::automation());
    }
    let mut ids = std::collections::BTreeSet::from([inquiry.workload.clone()]);
    if policies.guards.group.is_some() {
        let members = snapshot.manifests.workloads();
        let members = members.filter(|m| book.policies(m).guards.group == policies.guards.group);
        ids.extend(members.map(|m| m.workload_id()));
    }
    Some(Request::image(Selection::Named(ids), Wish::Latest))
}

/// Why the workload's release group cannot move, if it cannot.
fn group_block(snapshot: &Snapshot, inquiry: &Inquiry, now: Timestamp) -> Option<String> {
    let plan = plan(snapshot, &request(snapshot, inquiry)?, now);
    let verdict = plan.workloads.get(&inquiry.workload)?;
    let blocked = verdict.containers.iter().find(|c| c.reason == Reason::GroupIncomplete)?;
    Some(blocked.message.clone())
}

fn explained(
    snapshot: &Snapshot,
    located: &Located<'_>,
    container: &Container,
    policies: &Policies,
    group: Option<&str>,
    now: Timestamp,
) -> Explanation {
    let written = policies.pattern_text(&container.name);
    let from = written.map(|text| {
        let position = Position { line: text.line, column: text.column };
        snapshot.manifests.place(text.rule.as_deref().unwrap_or(located.path), position)
    });
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
    let mut fields = Fields::of(&snapshot.images);
    let Some(Ok(known)) = fields.known(&current.name) else { return explanation };
    let pattern = match fields.patterns.read(&explanation.pattern.text) {
        Ok(pattern) => pattern,
        Err(invalid) => {
            let tags = fields.listing(known).tags().iter();
            explanation.tags = tags
                .map(|tag| {
                    if current.effective_tag() == Some(tag.tag.as_str()) {
                        tag_verdict(tag.tag.clone(), Verdict::Current)
                    } else {
                        unmatched(tag.tag, &invalid.to_string())
                    }
                })
                .collect();
            return explanation;
        }
    };
    let chooser = chooser(snapshot, located, container, current, policies, now);
    let taken_back = chooser.taken_back().flatten().filter(|_| !chooser.hold_is_lifted());
    let mut question = chooser.question(fields.field(known, &pattern));
    question.newer_than = taken_back.as_ref().map(|t| &t.tag);
    let choice = policy::choose(&question);
    explanation.tags = policy::explain(&question).into_iter().map(|(tag, v)| tag_verdict(tag, v)).collect();
    name_places(&mut explanation, policies, snapshot, located.path);
    explanation.selected = match choice {
        Choice::Update { tag, .. } => Some(tag),
        Choice::Keep { tag, .. } => tag,
        Choice::Undecided(_) | Choice::NoCandidate => None,
    };
    let read_only = match located.resource.class() {
        Some(Class::ReadOnly(why)) => Some((Reason::ReadOnly, why.to_owned(), BTreeMap::new())),
        _ => None,
    };
    let stop = policies.stop(now, true).map(|stop| stopped(&stop, policies, snapshot, located.path));
    let stop = read_only.or(stop);
    let group = group.map(|why| (Reason::GroupIncomplete, why.to_owned(), BTreeMap::new()));
    if let Some((reason, message, evidence)) = stop.or(group) {
        let selected = explanation.tags.iter_mut().find(|tag| tag.verdict == TagStatus::Selected);
        if let Some(tag) = selected {
            tag.verdict = TagStatus::Rejected;
            tag.reason = reason.as_str().to_owned();
            tag.message = message;
            tag.evidence = evidence;
            explanation.selected = current.effective_tag().and_then(|tag| tag.parse().ok());
        }
    }
    explanation
}

/// Names, for tags that a guard rejects, where the guard stands.
fn name_places(explanation: &mut Explanation, policies: &Policies, snapshot: &Snapshot, path: &str) {
    const GUARDS: [(Rule, &str); 3] =
        [(Rule::MinAge, "min-age"), (Rule::Platforms, "platforms"), (Rule::NoDigest, "pin-digest")];
    for tag in &mut explanation.tags {
        let guard = GUARDS.iter().find(|(rule, _)| rule.as_str() == tag.reason);
        if let Some((path, position)) = guard.and_then(|(_, policy)| policies.from(policy, path)) {
            let place = snapshot.manifests.place(path, position);
            tag.evidence.insert("from".to_owned(), place.to_string());
        }
    }
}

/// What automation would choose for a container.
fn chooser<'a>(
    snapshot: &'a Snapshot,
    located: &'a Located<'a>,
    container: &'a Container,
    current: &'a ImageRef,
    policies: &'a Policies,
    now: Timestamp,
) -> Chooser<'a> {
    Chooser { snapshot, now, automatic: true, current, container, located, policies }
}

fn unmatched(tag: &Tag, invalid: &str) -> TagVerdict {
    TagVerdict {
        tag: tag.clone(),
        verdict: TagStatus::Rejected,
        reason: Reason::InvalidPattern.as_str().to_owned(),
        message: invalid.to_owned(),
        evidence: BTreeMap::new(),
    }
}

fn tag_verdict(tag: Tag, verdict: Verdict) -> TagVerdict {
    let (verdict, reason, message, evidence) = match verdict {
        Verdict::Selected => {
            let message = "it is the newest that policy allows".to_owned();
            (TagStatus::Selected, Reason::NewerImage.as_str(), message, BTreeMap::new())
        }
        Verdict::Current => {
            (TagStatus::Current, Reason::UpToDate.as_str(), "it runs".to_owned(), BTreeMap::new())
        }
        Verdict::Rejected(rejection) => {
            let evidence = rejection.evidence.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
            (TagStatus::Rejected, rejection.rule.as_str(), rejection.message, evidence)
        }
    };
    TagVerdict { tag, verdict, reason: reason.to_owned(), message, evidence }
}

/// The reason, the words and the evidence of what stops a workload.
fn stopped(
    stop: &Stop,
    policies: &Policies,
    snapshot: &Snapshot,
    path: &str,
) -> (Reason, String, BTreeMap<String, String>) {
    let mut evidence = BTreeMap::new();
    let mut tell = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            evidence.insert(name.to_owned(), value);
        }
    };
    let reason = match stop {
        Stop::Locked(Lock { user, message }) => {
            tell("user", user.clone());
            tell("message", message.clone());
            Reason::Locked
        }
        Stop::Ignored => Reason::IgnoredByPolicy,
        Stop::InvalidGuards(names) => {
            tell("policies", Some(names.join(", ")));
            Reason::InvalidPolicy
        }
        Stop::Frozen(Frozen { window, opens }) => {
            tell("window", Some(window.clone()));
            tell("opens", opens.map(|t| t.to_string()));
            Reason::Frozen
        }
        Stop::Held(Hold { message }) => {
            tell("message", message.clone());
            Reason::OnHold
        }
    };
    if let Some((path, position)) = policies.from(stop.policy(), path) {
        evidence.insert("from".to_owned(), snapshot.manifests.place(path, position).to_string());
    }
    (reason, stop.to_string(), evidence)
}
