//! The commits of a branch with merges, and the changes of each to a file.

use async_trait::async_trait;
use futures::executor::block_on;

use super::Lineage;
use crate::{
    backend::{Change, Commit, ConfigRepo, ContentId, FileBody, Range, Result, Revision, Tree},
    manifest::MAX_FILE_BYTES,
    memory::MemoryRepo,
    workload,
};

/// A repository whose commits have other parents than the ones that they were pushed on.
#[derive(Debug)]
struct Branched {
    inner: MemoryRepo,
    /// The parents by message.
    parents: &'static [(&'static str, &'static [&'static str])],
}

#[async_trait]
impl ConfigRepo for Branched {
    async fn head(&self) -> Result<Revision> {
        self.inner.head().await
    }

    async fn tree(&self, at: &Revision) -> Result<Tree> {
        self.inner.tree(at).await
    }

    async fn read(&self, ids: &[ContentId], limit: u64) -> Result<Vec<FileBody>> {
        self.inner.read(ids, limit).await
    }

    async fn commit(&self, base: &Revision, change: &Change) -> Result<Revision> {
        self.inner.commit(base, change).await
    }

    async fn history(&self, range: &Range) -> Result<Vec<Commit>> {
        let mut commits = self.inner.history(range).await?;
        let named = |message: &str| commits.iter().find(|c| c.message == message).unwrap().revision.clone();
        let parents: Vec<Vec<Revision>> = commits
            .iter()
            .map(|commit| {
                let (_, parents) = self.parents.iter().find(|(of, _)| *of == commit.message).unwrap();
                parents.iter().map(|parent| named(parent)).collect()
            })
            .collect();
        commits.iter_mut().zip(parents).for_each(|(commit, parents)| commit.parents = parents);
        Ok(commits)
    }
}

fn web(tag: &str, label: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  labels: {{team: {label}}}\n\
         spec:\n  template:\n    spec:\n      containers:\n      - {{name: web, image: 'team/web:{tag}'}}\n"
    )
}

/// Returns the image of the only container of a file.
async fn image(repo: &dyn ConfigRepo, id: &ContentId) -> String {
    let bodies = repo.read(std::slice::from_ref(id), MAX_FILE_BYTES).await.unwrap();
    let FileBody::Bytes(text) = &bodies[0] else { panic!("the file is small") };
    workload::parse(text).resources[0].workload.as_ref().unwrap()[0].image.clone().unwrap().to_string()
}

/// Returns the commits that changed the file of a branch, with the image before each.
fn past(pushed: &[(&str, String)], parents: &'static [(&str, &[&str])]) -> Vec<(String, Option<String>)> {
    let (_, first) = &pushed[0];
    let inner = MemoryRepo::new([("web.yaml", first.clone())]);
    for (message, text) in &pushed[1..] {
        inner.push_file("web.yaml", text.clone(), message);
    }
    let repo = Branched { inner, parents };
    block_on(async {
        let head = repo.head().await.unwrap();
        let range = Range { after: None, upto: head.clone(), limit: 100 };
        let commits = repo.history(&range).await.unwrap();
        let tip = repo.tree(&head).await.unwrap();
        let mut lineage = Lineage::of(&repo, &commits, 8);
        let mut found = Vec::new();
        for (commit, before) in lineage.changes("web.yaml", tip.file("web.yaml")).await.unwrap() {
            let before = match &before {
                Some(id) => Some(image(&repo, id).await),
                None => None,
            };
            found.push((commit.message.clone(), before));
        }
        found
    })
}

#[test]
fn a_commit_beside_a_release_did_not_undo_it() {
    let pushed = [
        ("Initial commit", web("1.0", "red")),
        ("Auto-release team/web:1.1", web("1.1", "red")),
        ("Paint it blue", web("1.0", "blue")),
        ("Merge", web("1.1", "blue")),
    ];
    let parents: &[(&str, &[&str])] = &[
        ("Initial commit", &[]),
        ("Auto-release team/web:1.1", &["Initial commit"]),
        ("Paint it blue", &["Initial commit"]),
        ("Merge", &["Auto-release team/web:1.1", "Paint it blue"]),
    ];
    let seen = past(&pushed, parents);
    let seen: Vec<(&str, Option<&str>)> =
        seen.iter().map(|(message, before)| (message.as_str(), before.as_deref())).collect();
    assert_eq!(
        seen,
        [
            ("Merge", Some("team/web:1.1")),
            ("Auto-release team/web:1.1", Some("team/web:1.0")),
            ("Initial commit", None),
        ]
    );
}

#[test]
fn a_merge_that_took_a_file_from_one_side_is_followed_there() {
    let pushed = [
        ("Initial commit", web("1.0", "red")),
        ("Paint it blue", web("1.0", "blue")),
        ("Auto-release team/web:1.1", web("1.1", "red")),
        ("Merge", web("1.1", "red")),
    ];
    let parents: &[(&str, &[&str])] = &[
        ("Initial commit", &[]),
        ("Auto-release team/web:1.1", &["Initial commit"]),
        ("Paint it blue", &["Initial commit"]),
        ("Merge", &["Paint it blue", "Auto-release team/web:1.1"]),
    ];
    let seen: Vec<String> = past(&pushed, parents).into_iter().map(|(message, _)| message).collect();
    assert_eq!(seen, ["Auto-release team/web:1.1", "Initial commit"]);
}
