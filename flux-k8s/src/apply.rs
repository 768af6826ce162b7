//! Carries out a plan stage by stage, each object on its own.

use std::sync::{Arc, OnceLock};

use flux_core::{
    backend::{self, Progress},
    sync::{Action, Outcome, Reason, Step, StepOutcome, SyncPlan, SyncReport},
};
use futures::StreamExt as _;
use kube::core::params::{DeleteParams, Preconditions};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::{
    cluster::{AT_ONCE, KubeCluster, at_once},
    definitions::{self, Definition},
    failure::{Failure, FailureKind},
    kinds::{Kind, Kinds},
    raw::text,
    store::version,
    watch::{Selection, Watch, WatchKey},
};

/// The outcome of one step.
struct Done {
    outcome: StepOutcome,
    /// The kind that it defines, if it was applied and defines one.
    defines: Option<Definition>,
}

impl Done {
    /// The outcome of a step that defines no kind.
    fn new(outcome: StepOutcome) -> Self {
        Self { outcome, defines: None }
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
        if plan.steps.iter().any(Step::is_sent)
            && self.with_discovered(|discovered| discovered.kinds.is_none())
        {
            self.discover().await.map_err(|failure| failure.error(&self.http.target))?;
        }
        let mut outcomes = Vec::with_capacity(plan.steps.len());
        let mut findings = Vec::new();
        let run = Run::default();
        let mut steps: Vec<&Step> = plan.steps.iter().collect();
        steps.sort_by_key(|step| step.stage);
        for stage in steps.chunk_by(|a, b| a.stage == b.stage) {
            let mut definitions = Vec::new();
            let mut done = at_once(AT_ONCE, stage.iter().map(|step| self.step(step, &run)));
            while let Some(done) = done.next().await {
                progress.resource(&done.outcome.report);
                outcomes.push(done.outcome);
                definitions.extend(done.defines);
            }
            if !definitions.is_empty() {
                findings.extend(self.wait_for_definitions(definitions).await);
            }
        }
        let mut report = plan.report(outcomes);
        report.add_findings(findings);
        Ok(report)
    }

    async fn step(&self, step: &Step, run: &Run) -> Done {
        match &step.action {
            Action::Leave | Action::Skip | Action::Fail => Done::new(step.done()),
            Action::Create { object } => self.send(step, object, false, run).await,
            Action::Apply { object, content_equal } => self.send(step, object, *content_equal, run).await,
            Action::Prune { uid, resource_version } => {
                self.prune(step, uid.as_deref(), resource_version.as_deref(), run).await
            }
        }
    }

    async fn send(&self, step: &Step, object: &Value, content_equal: bool, run: &Run) -> Done {
        let kind = match self.kind_of(step, run).await {
            Ok(kind) => kind,
            Err(done) => return *done,
        };
        let namespace = step.id.namespace.as_deref();
        let before = self.watched_version(step);
        let answer = match self.http.apply(&kind.resource, namespace, &step.id.name, object).await {
            Ok(answer) => answer,
            Err(failure) => return self.failed(step, &failure, run),
        };
        let body = Arc::new(answer.body);
        let outcome = match () {
            () if answer.created => Outcome::Created,
            () if content_equal || before.is_some() && before == version(&body) => Outcome::Unchanged,
            () => Outcome::Changed,
        };
        for (_, watch) in self.watches_of(step) {
            watch.we_applied(&body);
        }
        let defines = definitions::of(&step.id, &body);
        if defines.is_some() || definitions::changes_kinds(&step.id) {
            self.with_discovered(|discovered| discovered.kinds = None);
        }
        Done { defines, outcome: step.done().with_outcome(outcome) }
    }

    async fn prune(&self, step: &Step, uid: Option<&str>, resource_version: Option<&str>, run: &Run) -> Done {
        let kind = match self.kind_of(step, run).await {
            Ok(kind) => kind,
            Err(done) => return *done,
        };
        let params = DeleteParams::background().preconditions(Preconditions {
            uid: uid.map(str::to_owned),
            resource_version: resource_version.map(str::to_owned),
        });
        let namespace = step.id.namespace.as_deref();
        match self.http.delete(&kind.resource, namespace, &step.id.name, &params).await {
            // What has finalizers, or ends gracefully, is there until that is done.
            Ok(answer) if text(&answer.body, "deletionTimestamp").is_some() => {
                let object = Arc::new(answer.body);
                for (_, watch) in self.watches_of(step) {
                    watch.we_applied(&object);
                }
            }
            Ok(_) => self.is_gone(step, uid),
            Err(failure) if failure.kind == FailureKind::NotFound => self.is_gone(step, uid),
            Err(failure) => return self.failed(step, &failure, run),
        }
        if definitions::changes_kinds(&step.id) {
            self.with_discovered(|discovered| discovered.kinds = None);
        }
        Done::new(step.done())
    }

    fn is_gone(&self, step: &Step, uid: Option<&str>) {
        let key = (step.id.namespace.clone(), step.id.name.clone());
        for (_, watch) in self.watches_of(step) {
            watch.with(|store| store.we_deleted(key.clone(), uid.unwrap_or_default()));
        }
    }

    /// The running watches of a step's kind, in any version.
    fn watches_of(&self, step: &Step) -> Vec<(WatchKey, Arc<Watch>)> {
        self.watches.all(|key| key.kind == step.id.kind && key.group() == step.id.group)
    }

    /// The version of the object that a watch shows.
    fn watched_version(&self, step: &Step) -> Option<u64> {
        let key = WatchKey {
            api_version: step.api_version.clone(),
            kind: step.id.kind.clone(),
            selection: Selection::Marked,
        };
        let watch = self.watches.get(&key)?;
        let at = (step.id.namespace.clone(), step.id.name.clone());
        watch.with(|store| store.get(&at).and_then(|object| version(object)))
    }

    async fn kind_of(&self, step: &Step, run: &Run) -> Result<Kind, Box<Done>> {
        if let Some(failure) = run.dead.get() {
            let message = format!("not tried: {}", failure.error(&self.http.target));
            // The finding is that of the object with which it was noticed.
            return Err(Box::new(Done::new(step.failed(Reason::Unavailable, message).without_finding())));
        }
        let find = |kinds: &Kinds| kinds.get(&step.api_version, &step.id.kind).cloned();
        if let Some(kind) =
            self.with_discovered(|discovered| discovered.kinds.as_ref().and_then(|kinds| find(kinds)))
        {
            return Ok(kind);
        }
        let kinds = run
            .kinds
            .get_or_try_init(|| self.discover())
            .await
            .map_err(|failure| Box::new(self.failed(step, &failure, run)))?;
        find(kinds).ok_or_else(|| {
            let message = format!(
                "the server has no kind {} in {}; its CustomResourceDefinition is not there",
                step.id.kind, step.api_version
            );
            Box::new(Done::new(step.failed(Reason::UnknownKind, message)))
        })
    }

    fn failed(&self, step: &Step, failure: &Failure, run: &Run) -> Done {
        let user = &self.http.target.user;
        let prune = matches!(step.action, Action::Prune { .. });
        let is_secret = step.id.kind == "Secret" && step.id.group.is_empty();
        let words = if is_secret { failure.redacted() } else { failure.text() };
        let (reason, message, remedy) = match failure.kind {
            FailureKind::Unreachable | FailureKind::Untrusted | FailureKind::Unauthorized => {
                let _ = run.dead.set(failure.clone());
                let message = failure.error(&self.http.target).to_string();
                (Reason::Unavailable, message, "sync again when the API server answers".to_owned())
            }
            FailureKind::Silent | FailureKind::RateLimited | FailureKind::Overloaded => {
                (Reason::Unavailable, words, "the API server is overloaded; sync again in a while".to_owned())
            }
            FailureKind::Broken => (
                Reason::Rejected,
                words,
                "look into the log of the API server, or of the admission webhook that it names".to_owned(),
            ),
            FailureKind::Forbidden => (
                Reason::Rejected,
                words,
                format!(
                    "allow {user} to {} {} with a Role or ClusterRole, or see what the admission plugin named wants",
                    if prune { "delete" } else { "create and patch" },
                    step.id.kind
                ),
            ),
            FailureKind::NotFound => (
                Reason::Rejected,
                words,
                "make the namespace, in git or the cluster, or put the object in one that exists".to_owned(),
            ),
            FailureKind::Conflict | FailureKind::Gone if prune => (
                Reason::Rejected,
                format!("it has changed since it was looked at: {words}"),
                "nothing; the next sync looks at it again".to_owned(),
            ),
            FailureKind::Conflict | FailureKind::Gone => {
                (Reason::Rejected, words, "sync again; the object is being changed by others".to_owned())
            }
            FailureKind::Invalid | FailureKind::Garbled => {
                (Reason::Rejected, words, "correct the manifest in git".to_owned())
            }
        };
        Done::new(step.failed(reason, message).with_remedy(remedy))
    }
}
