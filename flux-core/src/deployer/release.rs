//! Releases: load, gather what the planner needs, plan, prove, commit; on a moved branch, again.

use std::{collections::BTreeMap, sync::Arc};

use super::{DeployError, Deployer, LoadedRepo, PreparedRelease};
use crate::{
    backend::{Author, Change, ErrorKind, FileBody, Revision},
    finding::{Code, Finding},
    generate::{Engine, Files, RefusedPath},
    manifest,
    plan::{Reason, ReleasePlan, Request},
    release::{self, ClusterFacts, ImageFacts, Snapshot},
    repo_path::RepoPath,
};

/// The result of a release.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReleaseReport {
    /// The plan that was carried out.
    pub plan: ReleasePlan,
    /// The commit; `None` if there was nothing to change.
    pub revision: Option<Revision>,
}

impl Deployer {
    /// Plans a release, verifies its edits, and stops there.
    ///
    /// # Errors
    /// [`DeployError`] if the repository or the cluster as a whole cannot be looked at.
    pub async fn plan_release(&self, request: &Request) -> Result<PreparedRelease, DeployError> {
        let loaded = self.load().await?;
        let cluster = self.cluster_facts().await?;
        let (prepared, _) = self.prepare(&loaded, request, ImageFacts::default(), cluster).await?;
        Ok(prepared)
    }

    /// Plans a release and lands it as one commit.
    ///
    /// When the branch moves meanwhile, plans anew on the new tip.
    ///
    /// # Errors
    /// Those of [`plan_release`](Self::plan_release) and of
    /// [`ConfigRepo::commit`](crate::backend::ConfigRepo::commit); [`DeployError::KeptMoving`]
    /// after as many attempts as [`Options`](super::Options) allow.
    pub async fn release(&self, request: &Request) -> Result<ReleaseReport, DeployError> {
        let cluster = self.cluster_facts().await?;
        let attempts = self.options.attempts.max(1);
        let mut images = ImageFacts::default();
        for _ in 0..attempts {
            let loaded = self.load().await?;
            let (prepared, gathered) = self.prepare(&loaded, request, images, cluster.clone()).await?;
            match self.land(prepared).await {
                Err(DeployError::Repo(error)) if error.kind() == ErrorKind::Moved => {
                    tracing::info!(base = error.subject(), "the branch moved; planning anew");
                    images = gathered;
                }
                other => return other,
            }
        }
        Err(DeployError::KeptMoving { attempts })
    }

    /// Lands exactly a plan that was made earlier, or reports that there is nothing to land.
    ///
    /// The plan is proven again before.
    ///
    /// # Errors
    /// [`DeployError::Outdated`] if the branch is no longer where the plan was made;
    /// [`DeployError::Files`] and [`DeployError::Altered`] if the plan does not make the files it
    /// comes with. Nothing is written then. Else those of
    /// [`ConfigRepo::commit`](crate::backend::ConfigRepo::commit).
    pub async fn carry_out(&self, prepared: PreparedRelease) -> Result<ReleaseReport, DeployError> {
        if prepared.plan.is_empty() {
            return Ok(ReleaseReport { plan: prepared.plan, revision: None });
        }
        let planned = prepared.plan.base.clone();
        self.check_head(&planned).await?;
        let loaded = self.load_at(&planned).await?;
        self.prove_again(&loaded, &prepared).await?;
        match self.land(prepared).await {
            Err(DeployError::Repo(error)) if error.kind() == ErrorKind::Moved => {
                Err(DeployError::Outdated { planned, head: self.repo.head().await? })
            }
            other => other,
        }
    }

    /// Checks that the branch is still where a plan was made.
    pub(super) async fn check_head(&self, planned: &Revision) -> Result<(), DeployError> {
        let head = self.repo.head().await?;
        if head == *planned {
            return Ok(());
        }
        Err(DeployError::Outdated { planned: planned.clone(), head })
    }

    /// Commits the files of a plan on the revision that it was made on.
    async fn land(&self, prepared: PreparedRelease) -> Result<ReleaseReport, DeployError> {
        let PreparedRelease { plan, files } = prepared;
        if plan.is_empty() {
            return Ok(ReleaseReport { plan, revision: None });
        }
        let change = Change {
            files,
            message: plan.message(),
            author: plan.request.cause.user.as_deref().map(author),
            time: self.clock.now(),
            note: Some(plan.note()),
        };
        let revision = self.repo.commit(&plan.base, &change).await?;
        tracing::info!(%revision, edits = plan.edits.len(), "released");
        Ok(ReleaseReport { plan, revision: Some(revision) })
    }

    /// Gathers, plans and verifies.
    ///
    /// Generated workloads whose changes cannot be proven are planned again without these.
    async fn prepare(
        &self,
        loaded: &LoadedRepo,
        request: &Request,
        images: ImageFacts,
        cluster: (ClusterFacts, Vec<Finding>),
    ) -> Result<(PreparedRelease, ImageFacts), DeployError> {
        let now = self.clock.now();
        let (cluster, cluster_findings) = cluster;
        let mut snapshot = Snapshot {
            images,
            cluster: Some(cluster),
            past: Some(BTreeMap::new()),
            ..Snapshot::new(loaded.revision.clone(), loaded.manifests.clone())
        };
        let (mut plan, files) = loop {
            self.gather(loaded, &mut snapshot, |snapshot| release::needs(snapshot, request, now)).await?;
            let (plan, mut files) = release::plan_with_files(&snapshot, request, now);
            match self.update_generated(loaded, &plan, &files).await? {
                Ok(updated) => {
                    files.extend(updated);
                    break (plan, files);
                }
                // Each time round one path less is changed.
                Err(refused) => snapshot.manifests = Arc::new(refused.mark(&snapshot.manifests)),
            }
        };
        let violations = release::check_at(&plan, &snapshot, now);
        if !violations.is_empty() {
            return Err(DeployError::ReleaseViolations(violations));
        }
        mention_hidden_objects(&mut plan, loaded);
        plan.findings.extend(loaded.findings.iter().cloned());
        plan.findings.extend(cluster_findings);
        Ok((PreparedRelease { plan, files }, snapshot.images))
    }

    /// Returns the new contents of the files that bring a plan's changes of generated workloads
    /// about, or the path whose changes cannot be made.
    ///
    /// `edited` are the files edited in place.
    async fn update_generated(
        &self,
        loaded: &LoadedRepo,
        plan: &ReleasePlan,
        edited: &Files,
    ) -> Result<Result<Files, RefusedPath>, DeployError> {
        if plan.generated.is_empty() {
            return Ok(Ok(Files::new()));
        }
        let tree = self.repo.tree(&loaded.revision).await?;
        let engine = Engine::new(&self.loader.generation, &*self.repo, &tree);
        Ok(engine.update(&loaded.manifests, &loaded.generated, &plan.generated, edited).await?)
    }

    /// Proves that a prepared release keeps the rules of every plan, and has exactly the files that
    /// its plan makes.
    async fn prove_again(&self, loaded: &LoadedRepo, prepared: &PreparedRelease) -> Result<(), DeployError> {
        let plan = &prepared.plan;
        let (paths, ids): (Vec<RepoPath>, Vec<_>) = plan
            .edits_by_path()
            .keys()
            .filter_map(|path| Some(((*path).clone(), loaded.address(path)?.clone())))
            .unzip();
        let bodies = self.repo.read(&ids, manifest::MAX_FILE_BYTES).await?;
        let texts = paths.into_iter().zip(bodies).filter_map(|(path, body)| match body {
            FileBody::Bytes(text) => Some((path, text)),
            FileBody::TooLarge { .. } => None,
        });
        let snapshot = Snapshot {
            sources: texts.collect(),
            ..Snapshot::new(loaded.revision.clone(), loaded.manifests.clone())
        };
        let violations = release::check(plan, &snapshot);
        if !violations.is_empty() {
            return Err(DeployError::ReleaseViolations(violations));
        }
        let mut files = plan.files(&snapshot.sources).map_err(DeployError::Files)?;
        match self.update_generated(loaded, plan, &files).await? {
            Ok(updated) => files.extend(updated),
            Err(refused) => {
                let (path, why) = refused.into_parts();
                return Err(DeployError::Altered { path, why });
            }
        }
        let mut paths = files.keys().chain(prepared.files.keys());
        match paths.find(|path| files.get(*path) != prepared.files.get(*path)) {
            None => Ok(()),
            Some(path) => {
                let why = "the contents are not those that the plan makes".to_owned();
                Err(DeployError::Altered { path: path.clone(), why })
            }
        }
    }
}

/// Mentions, for workloads that were not found, that they may be among what could not be generated.
fn mention_hidden_objects(plan: &mut ReleasePlan, loaded: &LoadedRepo) {
    let codes = [Code::GenerationFailed, Code::GenerationOff, Code::InvalidGeneration];
    let Some(finding) = loaded.findings.iter().find(|finding| codes.contains(&finding.code)) else { return };
    let place = finding.place.as_ref().map_or_else(|| finding.subject.clone(), ToString::to_string);
    for verdict in plan.workloads.values_mut() {
        if matches!(verdict.reason, Reason::NotFound | Reason::NotInRepository) {
            verdict.message = format!(
                "{}; what is generated is not known in full ({} at {place})",
                verdict.message, finding.code
            );
        }
    }
}

/// Returns the author that a user's words name: `Name <address>`, or a name.
fn author(user: &str) -> Author {
    match user.split_once('<') {
        Some((name, rest)) => {
            Author { name: name.trim().to_owned(), email: rest.trim_end_matches('>').trim().to_owned() }
        }
        None => Author { name: user.trim().to_owned(), email: String::new() },
    }
}
