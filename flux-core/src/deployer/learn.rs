//! Asking for what a planner needs, and no more: the registries, the texts and the past of files, other revisions.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};

use super::{DeployError, Deployer, Look, lineage::Lineage};
use crate::{
    backend::{
        Commit, Completeness, ContentId, Error, ErrorKind, FileBody, Images, InspectError, Observation,
        Range, Revision,
    },
    image::{CanonicalName, ImageName, Tag},
    manifest,
    release::{ImageFacts, Needs, PastFile, RepositoryFacts, Snapshot},
};

/// How many repositories are asked at the same time.
const CONCURRENT_REPOSITORIES: usize = 16;

/// How often a planner may ask for more before it has to decide on what it has.
const MAX_ROUNDS: usize = 32;

/// How many commits are looked at to tell what was done to a file.
const PAST_COMMITS: usize = 100;

impl Deployer {
    /// Asks for what `needs` says until nothing is missing, or nothing more is to be had.
    pub(super) async fn learn(
        &self,
        look: &Look,
        snapshot: &mut Snapshot,
        needs: impl Fn(&Snapshot) -> Needs,
    ) -> Result<(), DeployError> {
        for _ in 0..MAX_ROUNDS {
            let needs = needs(snapshot);
            if needs.is_empty() {
                return Ok(());
            }
            self.ask(&needs, &mut snapshot.images).await;
            self.sources(look, &needs.sources, snapshot).await?;
            self.past(look, &needs.past, snapshot).await?;
            for revision in &needs.revisions {
                let found = match self.looker.read(&*self.repo, revision).await {
                    Ok(look) => Some(look.manifests),
                    Err(DeployError::Repo(e))
                        if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::Invalid) =>
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

    /// Reads the texts of files. One that cannot be had is noted as empty, so that it is not asked for again.
    async fn sources(
        &self,
        look: &Look,
        paths: &BTreeSet<String>,
        snapshot: &mut Snapshot,
    ) -> Result<(), DeployError> {
        let (known, ids): (Vec<&String>, Vec<ContentId>) =
            paths.iter().filter_map(|path| Some((path, look.address(path)?.clone()))).unzip();
        let bodies = self.repo.read(&ids, manifest::MAX_FILE_BYTES).await?;
        for (path, body) in known.into_iter().zip(bodies) {
            if let FileBody::Bytes(bytes) = body {
                snapshot.sources.insert(path.clone(), bytes);
            }
        }
        for path in paths {
            snapshot.sources.entry(path.clone()).or_default();
        }
        Ok(())
    }

    /// Finds the commits that changed files, newest first, with what the files were before.
    pub(super) async fn past(
        &self,
        look: &Look,
        paths: &BTreeSet<String>,
        snapshot: &mut Snapshot,
    ) -> Result<(), DeployError> {
        if paths.is_empty() {
            return Ok(());
        }
        let range = Range { after: None, upto: look.revision.clone(), limit: PAST_COMMITS };
        let commits = self.repo.history(&range).await?;
        let mut lineage = Lineage::of(&*self.repo, &commits);
        let tip = self.repo.tree(&look.revision).await?;
        let mut changes: BTreeMap<&String, Vec<(&Commit, Option<ContentId>)>> = BTreeMap::new();
        for path in paths {
            changes.insert(path, lineage.changes(path, tip.file(path)).await?);
        }
        let ids = changes.values().flatten().filter_map(|(_, id)| id.as_ref());
        let (parsed, _) = self.looker.parsed(&*self.repo, ids).await?;
        for (path, found) in changes {
            let past = found.into_iter().map(|(commit, id)| PastFile {
                commit: commit.clone(),
                before: id.and_then(|id| parsed.get(&id).cloned()),
            });
            snapshot.past.get_or_insert_default().insert(path.clone(), past.collect());
        }
        Ok(())
    }

    /// The full name of a revision that is written short: the one among those reachable from the tip that begins so.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if there is none, [`Invalid`](ErrorKind::Invalid) if there are several.
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

    /// Asks the registries for what is needed. What cannot be had is noted as such, so that it is not asked again.
    pub(super) async fn ask(&self, needs: &Needs, facts: &mut ImageFacts) {
        let tags = stream::iter(needs.tags.clone())
            .map(|(key, name)| async move { (key, self.registry.tags(&name).await) })
            .buffer_unordered(CONCURRENT_REPOSITORIES)
            .collect::<Vec<_>>()
            .await;
        for (key, answer) in tags {
            facts.repositories.insert(key, answer.map(RepositoryFacts::of));
        }
        let details = stream::iter(needs.details.clone())
            .map(|(key, (name, tags))| self.inspect(key, name, tags))
            .buffer_unordered(CONCURRENT_REPOSITORIES)
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
                    known.images.extend(asked.iter().map(|tag| {
                        let error = InspectError { missing: false, message: error.to_string() };
                        (tag.clone(), Err(error))
                    }));
                    known.completeness = Completeness::Partial(vec![error.to_string()]);
                }
            }
            // A backend that leaves a tag out must not be asked for it for ever.
            for tag in asked {
                known.images.entry(tag).or_insert_with(|| {
                    let message = "the registry gave no answer for this tag".to_owned();
                    Err(InspectError { missing: false, message })
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
}
