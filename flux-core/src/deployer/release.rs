//! Releases: load, gather what the planner needs, plan, prove, commit; on a moved branch, again.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use super::{DeployError, Deployer, LoadedRepo, PreparedRelease};
use crate::{
    backend::{Author, Change, FileBody, RepoError, Revision},
    edit::{self, EditError},
    finding::{Code, Finding},
    generate::{Engine, Files, RefusedPath},
    manifest,
    release::{self, ClusterFacts, ImageFacts, Reason, ReleasePlan, Request, Snapshot},
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

/// The reason why a plan cannot be proven.
enum Unproven {
    /// The edits of these files do not do what they are intended to.
    Edits(BTreeMap<String, EditError>),
    /// The changes of this generated path cannot be made.
    Generated(RefusedPath),
}

impl Deployer {
    /// Plans a release and proves its edits, and stops there.
    ///
    /// # Errors
    /// [`DeployError`] if the repository or the cluster as a whole cannot be looked at, or if an
    /// edit would not do what it is intended to.
    pub async fn plan_release(&self, request: &Request) -> Result<PreparedRelease, DeployError> {
        let loaded = self.load().await?;
        let cluster = self.cluster_facts().await?;
        let (prepared, _) = self.prepare(&loaded, request, ImageFacts::default(), cluster).await?;
        Ok(prepared)
    }

    /// Plans a release and lands it as one commit. When the branch moves meanwhile, plans anew on
    /// the new tip.
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
                Err(DeployError::Repo(RepoError::Moved { base })) => {
                    tracing::info!(%base, "the branch moved; planning anew");
                    images = gathered;
                }
                other => return other,
            }
        }
        Err(DeployError::KeptMoving { attempts })
    }

    /// Lands exactly a plan that was made earlier, or reports that there is nothing to land. The
    /// plan is proven again before.
    ///
    /// # Errors
    /// [`DeployError::Outdated`] if the branch is no longer where the plan was made;
    /// [`DeployError::Edit`] and [`DeployError::Altered`] if the plan does not make the files it
    /// comes with. Nothing is written then. Else those of
    /// [`ConfigRepo::commit`](crate::backend::ConfigRepo::commit).
    pub async fn carry_out(&self, prepared: PreparedRelease) -> Result<ReleaseReport, DeployError> {
        if prepared.plan.is_empty() {
            return Ok(ReleaseReport { plan: prepared.plan, revision: None });
        }
        self.check_head(&prepared.plan.base).await?;
        let loaded = self.load_at(&prepared.plan.base).await?;
        self.prove_again(&loaded, &prepared).await?;
        match self.land(prepared).await {
            Err(DeployError::Repo(RepoError::Moved { base })) => {
                Err(DeployError::Outdated { planned: base, head: self.repo.head().await? })
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

    /// Gathers, plans and proves. Workloads whose changes cannot be proven are planned again
    /// without these.
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
        self.gather(loaded, &mut snapshot, |snapshot| release::needs(snapshot, request, now)).await?;
        let (mut plan, files) = loop {
            let plan = release::plan(&snapshot, request, now);
            match self.prove(loaded, &plan).await? {
                Ok(files) => break (plan, files),
                // Each time round there is one file less to fail.
                Err(Unproven::Edits(failed)) => {
                    if let Some((path, source)) = failed.first_key_value()
                        && failed.keys().all(|path| snapshot.unproven.contains_key(path))
                    {
                        return Err(DeployError::Edit { path: path.clone(), source: source.clone() });
                    }
                    snapshot.unproven.extend(failed.into_iter().map(|(path, why)| (path, why.to_string())));
                }
                // Each time round one path less is changed.
                Err(Unproven::Generated(refused)) => {
                    snapshot.manifests = Arc::new(refused.mark(&snapshot.manifests));
                }
            }
        };
        mention_hidden_objects(&mut plan, loaded);
        plan.findings.extend(loaded.findings.iter().cloned());
        plan.findings.extend(cluster_findings);
        plan.findings.sort();
        plan.findings.dedup();
        Ok((PreparedRelease { plan, files }, snapshot.images))
    }

    /// Proves a plan: returns the contents of all files it changes, or why it cannot be carried out
    /// as it is.
    async fn prove(
        &self,
        loaded: &LoadedRepo,
        plan: &ReleasePlan,
    ) -> Result<Result<Files, Unproven>, DeployError> {
        let mut files = match self.prove_edits(loaded, plan).await? {
            Ok(files) => files,
            Err(failed) => return Ok(Err(Unproven::Edits(failed))),
        };
        if plan.generated.is_empty() {
            return Ok(Ok(files));
        }
        let tree = self.repo.tree(&loaded.revision).await?;
        let engine = Engine::new(&self.loader.generation, &*self.repo, &tree);
        let updated = engine.update(&loaded.manifests, &loaded.generated, &plan.generated, &files).await?;
        Ok(match updated {
            Ok(updated) => {
                files.extend(updated);
                Ok(files)
            }
            Err(refused) => Err(Unproven::Generated(refused)),
        })
    }

    /// Reads the files that a plan edits in place, and proves the edits: their new contents, or
    /// those that cannot be proven.
    async fn prove_edits(
        &self,
        loaded: &LoadedRepo,
        plan: &ReleasePlan,
    ) -> Result<Result<Files, BTreeMap<String, EditError>>, DeployError> {
        let edits = plan.edits_by_path();
        let (paths, ids): (Vec<&str>, Vec<_>) =
            edits.keys().filter_map(|path| Some((*path, loaded.address(path)?.clone()))).unzip();
        let bodies = self.repo.read(&ids, manifest::MAX_FILE_BYTES).await?;
        let sources: BTreeMap<&str, FileBody> = paths.into_iter().zip(bodies).collect();
        let (mut files, mut failed) = (Files::new(), BTreeMap::new());
        for (path, edits) in &edits {
            let intents = plan.intents.get(*path).map(Vec::as_slice).unwrap_or_default();
            let proven = match sources.get(path) {
                Some(FileBody::Bytes(source)) => edit::prove(source, edits, intents),
                Some(FileBody::TooLarge { .. }) | None => {
                    Err(EditError::NotProven("the file cannot be read".to_owned()))
                }
            };
            match proven {
                Ok(after) => drop(files.insert((*path).to_owned(), Bytes::from(after))),
                Err(why) => drop(failed.insert((*path).to_owned(), why)),
            }
        }
        Ok(if failed.is_empty() { Ok(files) } else { Err(failed) })
    }

    /// Proves that a prepared release has exactly the files that its plan makes.
    async fn prove_again(&self, loaded: &LoadedRepo, prepared: &PreparedRelease) -> Result<(), DeployError> {
        let files = match self.prove(loaded, &prepared.plan).await? {
            Ok(files) => files,
            Err(Unproven::Generated(refused)) => {
                let (path, why) = refused.into_parts();
                return Err(DeployError::Altered { path, why });
            }
            Err(Unproven::Edits(failed)) => match failed.into_iter().next() {
                Some((path, source)) => return Err(DeployError::Edit { path, source }),
                None => Files::new(),
            },
        };
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
