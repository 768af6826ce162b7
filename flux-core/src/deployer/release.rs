//! Releases: look, ask the registries for what the planner needs, plan, prove, commit; on a moved branch, again.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use super::{DeployError, Deployer, Listing, Look, MAX_ATTEMPTS, generate::told};
use crate::{
    backend::{Author, Change, Completeness, ErrorKind, FileBody, Revision},
    finding::{Code, Finding},
    manifest::{self, EditError},
    release::{self, ClusterFacts, Explanation, ImageFacts, Inquiry, Reason, ReleasePlan, Request, Snapshot},
};

/// What a release did.
#[derive(Clone, Debug)]
pub struct ReleaseReport {
    /// The plan that was carried out.
    pub plan: ReleasePlan,
    /// The commit; none if there was nothing to change or if it was a dry run.
    pub revision: Option<Revision>,
}

/// A plan with the proven contents of the files it changes.
#[derive(Clone, Debug)]
pub struct Released {
    /// The plan.
    pub plan: ReleasePlan,
    /// The new contents by path.
    pub files: BTreeMap<String, Bytes>,
}

impl Deployer {
    /// Plans a release and proves its edits, and stops there.
    ///
    /// # Errors
    /// [`DeployError`] if the repository or the cluster as a whole cannot be looked at, or if an edit would not do what it is meant to.
    pub async fn plan_release(&self, request: &Request) -> Result<Released, DeployError> {
        let look = self.look().await?;
        let facts = ImageFacts::default();
        let cluster = self.cluster_facts().await?;
        self.plan_on(&look, request, facts, cluster).await.map(|(released, _)| released)
    }

    /// Plans a release and lands it as one commit. When the branch moves meanwhile, plans anew on the new tip.
    ///
    /// # Errors
    /// Those of [`plan_release`](Self::plan_release) and of [`ConfigRepo::commit`](crate::backend::ConfigRepo::commit);
    /// [`DeployError::KeptMoving`] after [`MAX_ATTEMPTS`].
    pub async fn release(&self, request: &Request) -> Result<ReleaseReport, DeployError> {
        let cluster = self.cluster_facts().await?;
        let mut facts = ImageFacts::default();
        for _ in 0..MAX_ATTEMPTS {
            let look = self.look().await?;
            let (released, seen) = self.plan_on(&look, request, facts, cluster.clone()).await?;
            match self.carry_out(released).await {
                Err(DeployError::Repo(error)) if error.kind() == ErrorKind::Moved => {
                    tracing::info!(base = error.subject(), "the branch moved; planning anew");
                    facts = seen;
                }
                other => return other,
            }
        }
        Err(DeployError::KeptMoving { attempts: MAX_ATTEMPTS })
    }

    /// Lands a plan that was made earlier, or reports that there is nothing to land.
    ///
    /// # Errors
    /// [`Moved`](ErrorKind::Moved) if the branch is no longer where the plan was made; nothing is written then.
    pub async fn carry_out(&self, released: Released) -> Result<ReleaseReport, DeployError> {
        let Released { plan, files } = released;
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

    /// Explains, for the containers that are asked about, what speaks for or against every known tag.
    ///
    /// # Errors
    /// [`DeployError`] if the repository as a whole cannot be looked at.
    pub async fn explain(&self, inquiry: &Inquiry) -> Result<Listing<Explanation>, DeployError> {
        let look = self.look().await?;
        let now = self.clock.now();
        let mut snapshot = Snapshot {
            past: Some(BTreeMap::new()),
            ..Snapshot::new(look.revision.clone(), look.manifests.clone())
        };
        self.learn(&look, &mut snapshot, |snapshot| release::explain_needs(snapshot, inquiry, now)).await?;
        let (entries, mut findings) = release::explain(&snapshot, inquiry, now);
        findings.extend(look.findings.iter().cloned());
        told(&look.generated, &mut findings);
        findings.sort();
        Ok(Listing { entries, findings })
    }

    async fn plan_on(
        &self,
        look: &Look,
        request: &Request,
        images: ImageFacts,
        cluster: (ClusterFacts, Vec<Finding>),
    ) -> Result<(Released, ImageFacts), DeployError> {
        let now = self.clock.now();
        let (cluster, cluster_findings) = cluster;
        let mut snapshot = Snapshot {
            images,
            cluster: Some(cluster),
            past: Some(BTreeMap::new()),
            ..Snapshot::new(look.revision.clone(), look.manifests.clone())
        };
        self.learn(look, &mut snapshot, |snapshot| release::needs(snapshot, request, now)).await?;
        let (mut plan, files) = loop {
            let plan = release::plan(&snapshot, request, now);
            let (mut files, failed) = self.prove(look, &plan).await?;
            // What cannot be done for one workload is left out; each time round there is one file less to fail.
            if let Some((path, source)) = failed.first_key_value() {
                if failed.keys().all(|path| snapshot.unproven.contains_key(path)) {
                    return Err(DeployError::Edit { path: path.clone(), source: source.clone() });
                }
                snapshot.unproven.extend(failed.into_iter().map(|(path, why)| (path, why.to_string())));
                continue;
            }
            match self.update_generated(look, &plan, &files).await? {
                Ok(updated) => {
                    files.extend(updated);
                    break (plan, files);
                }
                // Each time round one path less is changed.
                Err(refused) => snapshot.manifests = Arc::new(refused.mark(&snapshot.manifests)),
            }
        };
        say_what_is_hidden(&mut plan, look);
        plan.findings.extend(look.findings.iter().cloned());
        plan.findings.extend(cluster_findings);
        told(&look.generated, &mut plan.findings);
        plan.findings.sort();
        plan.findings.dedup();
        Ok((Released { plan, files }, snapshot.images))
    }

    /// Reads the files that a plan edits, and proves the edits: their new contents, and those that cannot be proven.
    async fn prove(
        &self,
        look: &Look,
        plan: &ReleasePlan,
    ) -> Result<(BTreeMap<String, Bytes>, BTreeMap<String, EditError>), DeployError> {
        let edits = plan.edits_by_path();
        let (paths, ids): (Vec<&str>, Vec<_>) =
            edits.keys().filter_map(|path| Some((*path, look.address(path)?.clone()))).unzip();
        let bodies = self.repo.read(&ids, manifest::MAX_FILE_BYTES).await?;
        let (mut files, mut failed) = (BTreeMap::new(), BTreeMap::new());
        for (path, body) in paths.into_iter().zip(bodies) {
            let FileBody::Bytes(source) = body else { continue };
            let intents = plan.intents.get(path).map(Vec::as_slice).unwrap_or_default();
            match manifest::prove(&source, &edits[path], intents) {
                Ok(after) => drop(files.insert(path.to_owned(), Bytes::from(after))),
                Err(why) => drop(failed.insert(path.to_owned(), why)),
            }
        }
        Ok((files, failed))
    }

    pub(super) async fn cluster_facts(&self) -> Result<(ClusterFacts, Vec<Finding>), DeployError> {
        let seen = self.cluster.workloads(None).await.map_err(DeployError::Cluster)?;
        let findings = partial_cluster(&seen.completeness);
        let workloads = seen.value.into_iter().map(|w| w.id).collect();
        Ok((ClusterFacts { workloads, complete: findings.is_empty() }, findings))
    }
}

/// Says of workloads that were not found that they may be where nothing could be generated.
fn say_what_is_hidden(plan: &mut ReleasePlan, look: &Look) {
    let codes = [Code::GenerationFailed, Code::GenerationOff, Code::InvalidGeneration];
    let Some(finding) = look.findings.iter().find(|finding| codes.contains(&finding.code)) else { return };
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

/// The findings about a cluster that was not seen whole.
pub(super) fn partial_cluster(completeness: &Completeness) -> Vec<Finding> {
    let finding = |evidence: String, remedy: &str| Finding {
        code: Code::PartialCluster,
        subject: "cluster".to_owned(),
        place: None,
        evidence,
        remedy: remedy.to_owned(),
    };
    match completeness {
        Completeness::Complete => Vec::new(),
        Completeness::Partial(missing) => missing
            .iter()
            .map(|what| {
                finding(what.clone(), "grant get, list and watch on it, or leave it out of what is synced")
            })
            .collect(),
        Completeness::Stale { age, reason } => {
            vec![finding(
                format!("last seen {age:#} ago: {reason}"),
                "see that the API server can be reached",
            )]
        }
    }
}

/// The author that a user's words name: `Name <address>`, or a name.
fn author(user: &str) -> Author {
    match user.split_once('<') {
        Some((name, rest)) => {
            Author { name: name.trim().to_owned(), email: rest.trim_end_matches('>').trim().to_owned() }
        }
        None => Author { name: user.trim().to_owned(), email: String::new() },
    }
}
