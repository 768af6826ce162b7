//! Carries out a plan stage by stage, each object on its own.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use flux_core::{
    Object,
    backend::{self, Progress},
    manifest::ResourceId,
    sync::{Action, ApplyOptions, Outcome, Reason, Step, StepOutcome, SyncPlan, SyncReport, applied},
};
use futures::{StreamExt as _, stream::FuturesUnordered};
use kube::core::params::Preconditions;
use tokio::sync::OnceCell;

use crate::{
    at_once::AT_ONCE,
    cluster::KubeCluster,
    definitions::{self, Definition},
    events::Subject,
    failure::{Failure, FailureKind},
    http::Answer,
    kinds::{Kind, Kinds},
    recipient::{Applied, Recipient},
    store::version,
    watch::{Watch, WatchKey},
};

/// The outcome of one step.
struct Done {
    outcome: StepOutcome,
    /// The kind that it defines, if it was applied and defines one.
    defines: Option<Definition>,
    /// The uid of the object, where it is known.
    uid: Option<String>,
}

impl Done {
    /// The outcome of a step that defines no kind.
    fn new(outcome: StepOutcome) -> Self {
        Self { outcome, defines: None, uid: None }
    }
}

/// The things that the steps of one plan share.
#[derive(Default)]
struct Run {
    /// The first failure that concerns the whole server; what comes after is not tried.
    dead: OnceLock<Failure>,
    /// The kinds, asked for again for one that was not known. Once: what is missing then is missing
    /// for all.
    kinds: OnceCell<Arc<Kinds>>,
}

impl KubeCluster {
    pub(crate) async fn apply_plan(
        &self,
        plan: &SyncPlan,
        progress: &dyn Progress,
    ) -> backend::Result<SyncReport> {
        if plan.steps.iter().any(|step| step.is_sent())
            && self.with_discovered(|discovered| discovered.kinds.is_none())
        {
            self.discover().await.map_err(|failure| failure.error(&self.http.target))?;
        }
        let mut outcomes = Vec::with_capacity(plan.steps.len());
        let mut findings = Vec::new();
        let mut uids = HashMap::new();
        let run = Run::default();
        let mut steps: Vec<&Step> = plan.steps.iter().map(|step| &**step).collect();
        steps.sort_by_key(|step| step.stage);
        for stage in steps.chunk_by(|a, b| a.stage == b.stage) {
            let mut definitions = Vec::new();
            let (sent, others): (Vec<&Step>, Vec<&Step>) = stage.iter().partition(|step| step.is_sent());
            for step in others {
                let outcome = step.done();
                progress.resource(&outcome.report);
                outcomes.push(outcome);
            }
            // Each is begun when another has ended: ten thousand that wait would take much memory.
            let mut waiting = sent.into_iter();
            let mut running: FuturesUnordered<_> =
                waiting.by_ref().take(AT_ONCE).map(|step| self.step(step, &run)).collect();
            while let Some(done) = running.next().await {
                running.extend(waiting.next().map(|step| self.step(step, &run)));
                progress.resource(&done.outcome.report);
                uids.extend(done.uid.map(|uid| (done.outcome.report.id.clone(), uid)));
                outcomes.push(done.outcome);
                definitions.extend(done.defines);
            }
            if !definitions.is_empty() {
                findings.extend(self.wait_for_definitions(definitions).await);
            }
        }
        let mut report = plan.report(outcomes);
        report.add_findings(findings);
        if let Some(events) = &self.events {
            let subject = |step: &&Step| Subject {
                api_version: step.api_version.clone(),
                uid: uids.get(&step.id).cloned().or_else(|| self.uid_of(&step.id)),
            };
            let subjects = steps.iter().map(|step| (step.id.clone(), subject(step))).collect();
            events.record(&self.http, &report, &subjects).await;
        }
        Ok(report)
    }

    /// Returns the uid of an object that is watched.
    fn uid_of(&self, id: &ResourceId) -> Option<String> {
        let watches = self.watches_of(id);
        let object = watches.iter().find_map(|(_, watch)| watch.with(|store| store.get(id).cloned()))?;
        uid_of(&object)
    }

    async fn step(&self, step: &Step, run: &Run) -> Done {
        match &step.action {
            Action::Leave | Action::Skip | Action::Fail => Done::new(step.done()),
            Action::Create { object, mark_if_created } => {
                let options = ApplyOptions::default();
                self.send(step, object, mark_if_created.as_deref(), &options, run).await
            }
            Action::Apply { object, options, .. } => self.send(step, object, None, options, run).await,
            Action::Prune { uid, resource_version, content } => {
                let seen = Preconditions { uid: uid.clone(), resource_version: resource_version.clone() };
                self.prune(step, seen, content, run).await
            }
        }
    }

    async fn send(
        &self,
        step: &Step,
        object: &Object,
        mark_if_created: Option<&str>,
        options: &ApplyOptions,
        run: &Run,
    ) -> Done {
        let kind = match self.kind_of(step, run).await {
            Ok(kind) => kind,
            Err(done) => return *done,
        };
        let to = Recipient {
            http: &self.http,
            resource: &kind.resource,
            namespace: step.id.namespace(),
            name: step.id.name(),
        };
        let before = self.watched(&kind, &step.id).and_then(|object| version(&object));
        let sent = match to.apply(object, options).await {
            Ok(Applied { answer, .. }) if answer.created => match mark_if_created {
                Some(mark) => {
                    let marked = to.mark(object, mark).await;
                    marked.map(|marked| Answer { created: true, ..marked }.into())
                }
                None => Ok(answer.into()),
            },
            sent => sent,
        };
        let Applied { answer, cleared } = match sent {
            Ok(applied) => applied,
            Err(failure) => return self.failed(step, &failure, run),
        };
        let body = answer.body;
        for (_, watch) in self.watches_of(&step.id) {
            watch.we_applied(&body);
        }
        if let Some(record) = &step.record
            && let Err(failure) = self.keep_record(record, run).await
        {
            return self.failed(step, &failure, run);
        }
        let defines = definitions::of(&step.id, &body);
        if defines.is_some() || definitions::changes_kinds(&step.id) {
            self.forget_kinds();
        }
        let mut outcome = applied(step, &body.value(), answer.created);
        let second = options.takeover.as_ref().and_then(|takeover| takeover.if_refused.as_ref());
        if let Some(second) = second.filter(|_| cleared) {
            outcome = outcome.with_cleared(&second.fields);
        }
        let is_same = before.is_some() && before == version(&body);
        let outcome = if is_same { outcome.with_outcome(Outcome::Unchanged) } else { outcome };
        Done { defines, outcome, uid: uid_of(&body) }
    }

    /// Applies the record that a Job has run.
    async fn keep_record(&self, record: &Object, run: &Run) -> Result<(), Failure> {
        let id = ResourceId::new(record.namespace(), record.kind(), record.name(), "");
        let api_version = record.api_version();
        let kind = self.find_kind(api_version, id.kind(), run).await?.ok_or_else(|| {
            Failure::new(
                FailureKind::NotFound,
                format!("the server has no kind {} in {api_version}", id.kind()),
            )
        })?;
        let to = Recipient {
            http: &self.http,
            resource: &kind.resource,
            namespace: id.namespace(),
            name: id.name(),
        };
        let Applied { answer, .. } = to.apply(record, &ApplyOptions::default()).await?;
        for (_, watch) in self.watches_of(&id) {
            watch.we_applied(&answer.body);
        }
        Ok(())
    }

    async fn prune(&self, step: &Step, seen: Preconditions, content: &str, run: &Run) -> Done {
        let kind = match self.kind_of(step, run).await {
            Ok(kind) => kind,
            Err(done) => return *done,
        };
        let seen_uid = seen.uid.clone();
        let uid = seen_uid.as_deref();
        let of = Recipient {
            http: &self.http,
            resource: &kind.resource,
            namespace: step.id.namespace(),
            name: step.id.name(),
        };
        match of.delete(seen, content).await {
            // What has finalizers, or ends gracefully, is there until that is done.
            Ok(answer) if answer.body.at("/metadata/deletionTimestamp").is_some_and(|at| at.is_string()) => {
                for (_, watch) in self.watches_of(&step.id) {
                    watch.we_applied(&answer.body);
                }
            }
            Ok(_) => self.is_gone(step, uid),
            Err(failure) if failure.kind == FailureKind::NotFound => self.is_gone(step, uid),
            Err(failure) => return self.failed(step, &failure, run),
        }
        if definitions::changes_kinds(&step.id) {
            self.forget_kinds();
        }
        Done { uid: seen_uid, ..Done::new(step.done()) }
    }

    fn is_gone(&self, step: &Step, uid: Option<&str>) {
        for (_, watch) in self.watches_of(&step.id) {
            watch.we_deleted(&step.id, uid.unwrap_or_default());
        }
    }

    /// The running watches of an object's kind, in any version.
    fn watches_of(&self, id: &ResourceId) -> Vec<(WatchKey, Arc<Watch>)> {
        self.watches.all(|key| key.kind == id.kind() && key.group() == id.group())
    }

    async fn kind_of(&self, step: &Step, run: &Run) -> Result<Kind, Box<Done>> {
        if let Some(failure) = run.dead.get() {
            let message = format!("not tried: {}", failure.error(&self.http.target));
            // The finding is that of the object with which it was noticed.
            return Err(Box::new(Done::new(step.failed(Reason::Unavailable, message).without_finding())));
        }
        match self.find_kind(&step.api_version, step.id.kind(), run).await {
            Ok(Some(kind)) => Ok(kind),
            Ok(None) => {
                let message = format!(
                    "the server has no kind {} in {}; its CustomResourceDefinition is not there",
                    step.id.kind(),
                    step.api_version
                );
                Err(Box::new(Done::new(step.failed(Reason::UnknownKind, message))))
            }
            Err(failure) => Err(Box::new(self.failed(step, &failure, run))),
        }
    }

    /// Returns a kind of the server, which is asked once more for one that is not known.
    async fn find_kind(&self, api_version: &str, kind: &str, run: &Run) -> Result<Option<Kind>, Failure> {
        let find = |kinds: &Kinds| kinds.get(api_version, kind).cloned();
        let known =
            self.with_discovered(|discovered| discovered.kinds.as_ref().and_then(|kinds| find(kinds)));
        if known.is_some() {
            return Ok(known);
        }
        let kinds = run.kinds.get_or_try_init(|| self.discover()).await?;
        Ok(find(kinds))
    }

    fn failed(&self, step: &Step, failure: &Failure, run: &Run) -> Done {
        if failure.is_of_server() {
            let _ = run.dead.set(failure.clone());
        }
        Done::new(failure.outcome_of(step, &self.http.target))
    }
}

/// Returns the uid of an object.
fn uid_of(object: &Object) -> Option<String> {
    Some(object.uid().to_owned()).filter(|uid| !uid.is_empty())
}
