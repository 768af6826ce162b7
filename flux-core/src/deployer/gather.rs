//! Gathering what a planner needs, and no more: facts of registries and of the cluster, texts and
//! past of files, other revisions.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};

use super::{DeployError, Deployer, LoadedRepo};
use crate::{
    backend::{
        Commit, Completeness, ContentId, Error, ErrorKind, FileBody, Images, InspectError, Observation,
        Range, Revision,
    },
    finding::Finding,
    image::{CanonicalName, DatePreference, ImageName, Tag},
    lineage::Lineage,
    manifest,
    policy::Glob,
    release::{ClusterFacts, ImageFacts, Needs, PastFile, RepositoryFacts, Snapshot},
    repo_path::RepoPath,
};

impl Deployer {
    /// Gathers what `needs` says until nothing is missing, or nothing more is to be had.
    pub(crate) async fn gather(
        &self,
        loaded: &LoadedRepo,
        snapshot: &mut Snapshot,
        needs: impl Fn(&Snapshot) -> Needs,
    ) -> Result<(), DeployError> {
        for _ in 0..self.options.rounds {
            let needs = needs(snapshot);
            if needs.is_empty() {
                return Ok(());
            }
            self.gather_images(&needs, &mut snapshot.images).await;
            self.gather_texts(loaded, &needs.sources, snapshot).await?;
            self.gather_past(loaded, &needs.past, snapshot).await?;
            for revision in &needs.revisions {
                let found = match self.loader.read(&*self.repo, revision, &self.options).await {
                    Ok(loaded) => Some(loaded.manifests),
                    Err(DeployError::Repo(error))
                        if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Invalid) =>
                    {
                        None
                    }
                    Err(error) => return Err(error),
                };
                snapshot.revisions.insert(revision.clone(), found);
            }
        }
        Ok(())
    }

    /// Reads the texts of files.
    ///
    /// One that cannot be had is noted as such, so that it is not asked for again.
    async fn gather_texts(
        &self,
        loaded: &LoadedRepo,
        paths: &BTreeSet<RepoPath>,
        snapshot: &mut Snapshot,
    ) -> Result<(), DeployError> {
        let (known, ids): (Vec<&RepoPath>, Vec<ContentId>) =
            paths.iter().filter_map(|path| Some((path, loaded.address(path)?.clone()))).unzip();
        let bodies = self.repo.read(&ids, manifest::MAX_FILE_BYTES).await?;
        for (path, body) in known.into_iter().zip(bodies) {
            if let FileBody::Bytes(bytes) = body {
                snapshot.sources.insert(path.clone(), bytes);
            }
        }
        let unreadable = paths.iter().filter(|path| !snapshot.sources.contains_key(*path));
        snapshot.unreadable.extend(unreadable.cloned());
        Ok(())
    }

    /// Finds the commits that changed files, newest first, with the contents of the files before.
    async fn gather_past(
        &self,
        loaded: &LoadedRepo,
        paths: &BTreeSet<RepoPath>,
        snapshot: &mut Snapshot,
    ) -> Result<(), DeployError> {
        if paths.is_empty() {
            return Ok(());
        }
        let range = Range { after: None, upto: loaded.revision.clone(), limit: self.options.history_commits };
        let commits = self.repo.history(&range).await?;
        let mut lineage = Lineage::of(&*self.repo, &commits, self.options.history_changes);
        let tip = self.repo.tree(&loaded.revision).await?;
        let mut changes: BTreeMap<&RepoPath, Vec<(&Commit, Option<ContentId>)>> = BTreeMap::new();
        for path in paths {
            changes.insert(path, lineage.changes(path, tip.file(path)).await?);
        }
        let ids = changes.values().flatten().filter_map(|(_, id)| id.as_ref());
        let parsed = self.loader.parse(&*self.repo, ids, &self.options).await?;
        for (path, found) in changes {
            let past = found.into_iter().map(|(commit, id)| PastFile {
                commit: commit.clone(),
                before: id.and_then(|id| parsed.get(&id).cloned()),
            });
            snapshot.past.get_or_insert_default().insert(path.clone(), past.collect());
        }
        Ok(())
    }

    /// Returns the full name of a revision that is written short: the one among those reachable
    /// from the tip that begins so.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if there is none, [`Invalid`](ErrorKind::Invalid) if there
    /// are several.
    pub async fn resolve(&self, short: &str) -> Result<Revision, DeployError> {
        const FULL: usize = 40;
        if short.len() >= FULL {
            return Ok(Revision::new(short));
        }
        let range = Range { after: None, upto: self.repo.head().await?, limit: usize::MAX };
        let commits = self.repo.history(&range).await?;
        let mut found = commits.iter().filter(|commit| commit.revision.as_str().starts_with(short));
        match (found.next(), found.next()) {
            (Some(commit), None) if short.len() >= 4 => Ok(commit.revision.clone()),
            (Some(_), _) => {
                let text = format!("`{short}` is not enough to name one revision; write more of it");
                Err(Error::invalid(short, text).into())
            }
            (None, _) => {
                let text = format!(
                    "no commit of the branch that touched the configured paths begins with `{short}`; `git log` shows which there are"
                );
                Err(Error::not_found(short, text).into())
            }
        }
    }

    /// Asks the registries for what is needed.
    ///
    /// An image that cannot be read is noted as such, so that it is not asked for again.
    pub(crate) async fn gather_images(&self, needs: &Needs, facts: &mut ImageFacts) {
        let concurrent = self.options.concurrent_repositories.max(1);
        let tags = stream::iter(needs.tags.clone())
            .map(|(key, name)| async move { (key, self.registry.tags(&name).await) })
            .buffer_unordered(concurrent)
            .collect::<Vec<_>>()
            .await;
        for (key, answer) in tags {
            let globs = self.options.label_dates.iter();
            let prefers_labels = globs.map(|glob| Glob::new(glob)).any(|glob| glob.matches(key.as_str()));
            let dates = if prefers_labels { DatePreference::Labels } else { DatePreference::default() };
            let answer = answer.map(|tags| RepositoryFacts { dates, ..RepositoryFacts::of(tags) });
            facts.repositories.insert(key, answer);
        }
        let details = stream::iter(needs.details.clone())
            .map(|(key, (name, tags))| self.inspect(key, name, tags))
            .buffer_unordered(concurrent)
            .collect::<Vec<_>>()
            .await;
        for (key, asked, answer) in details {
            let Some(Ok(known)) = facts.repositories.get_mut(&key) else { continue };
            match answer {
                Ok(images) => {
                    known.images.extend(images.value);
                    if known.completeness.is_complete() {
                        known.completeness = images.completeness;
                    }
                }
                Err(error) => {
                    known.images.extend(
                        asked
                            .iter()
                            .map(|tag| (tag.clone(), Err(InspectError::unreadable(error.to_string())))),
                    );
                    known.completeness = Completeness::Partial(vec![error.to_string()]);
                }
            }
            // A backend that leaves a tag out must not be asked for it for ever.
            for tag in asked {
                known.images.entry(tag).or_insert_with(|| {
                    Err(InspectError::unreadable("the registry gave no answer for this tag"))
                });
            }
        }
    }

    async fn inspect(
        &self,
        key: CanonicalName,
        name: ImageName,
        tags: BTreeSet<Tag>,
    ) -> (CanonicalName, BTreeSet<Tag>, Result<Observation<Images>, Error>) {
        let list: Vec<Tag> = tags.iter().cloned().collect();
        let answer = self.registry.inspect(&name, &list).await;
        (key, tags, answer)
    }

    /// Gathers which workloads the cluster has, and the findings about what it does not show.
    pub(crate) async fn cluster_facts(&self) -> Result<(ClusterFacts, Vec<Finding>), DeployError> {
        let seen = self.cluster.workloads(None).await.map_err(DeployError::Cluster)?;
        let findings = seen.completeness.cluster_findings();
        let workloads = seen.value.into_iter().map(|w| w.id).collect();
        Ok((ClusterFacts { workloads, complete: findings.is_empty() }, findings))
    }
}
