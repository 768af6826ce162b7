//! Cases about commits: what lands, what is refused, and who wins.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::future::join_all;

use super::fixture::{ConfigRepoFixture, Refusal, Upstream, body, change, good, is, shop, unknown};
use crate::{
    backend::{Author, Change, ConfigRepo, Error, ErrorKind, Range, Revision, Tree},
    repo_path::RepoPath,
};

/// An upstream with the repository under one of its folders, at the same tip as the whole of it.
struct NarrowShop {
    upstream: Box<dyn Upstream>,
    repo: Arc<dyn ConfigRepo>,
    everything: Arc<dyn ConfigRepo>,
    base: Revision,
    before: Tree,
}

impl NarrowShop {
    async fn of(fixture: &dyn ConfigRepoFixture) -> Self {
        let upstream = shop(fixture).await;
        let repo = upstream.repo(&["deploy"]).await;
        let everything = upstream.repo(&[]).await;
        let base = good("head", everything.head().await);
        let before = good("tree", everything.tree(&base).await);
        good("head", repo.head().await);
        Self { upstream, repo, everything, base, before }
    }

    /// Commits under the folder; gives the new tip and all that is there then.
    async fn land(&self, files: &[(&str, &str)]) -> (Revision, Tree) {
        let landed = good("commit", self.repo.commit(&self.base, &change(files)).await);
        good("head", self.everything.head().await);
        let after = good("tree", self.everything.tree(&landed).await);
        (landed, after)
    }
}

/// A commit becomes the tip upstream, with its contents, message, author, time and note, for
/// everybody.
pub async fn commit_lands_with_all_it_says(fixture: &dyn ConfigRepoFixture) {
    let upstream = shop(fixture).await;
    let repo = upstream.repo(&["deploy"]).await;
    let base = good("head", repo.head().await);
    let mut change =
        change(&[("deploy/web.yaml", "image: web:2\n"), ("deploy/db/claims/data.yaml", "size: 2Gi\n")]);
    change.message = "Release web:2\n\nAnd a larger claim.\n".into();
    change.author = Some(Author { name: "Ada Lovelace".into(), email: "ada@example.com".into() });
    change.note = Some("{\"job\":\"1\"}\n".into());
    let landed = good("commit", repo.commit(&base, &change).await);
    let stranger = upstream.repo(&["deploy"]).await;
    for (who, repo) in [("who committed", repo), ("a stranger", stranger)] {
        assert_eq!(good("head", repo.head().await), landed, "the tip that {who} sees");
        assert_eq!(body(&*repo, &landed, "deploy/web.yaml").await, "image: web:2\n");
        assert_eq!(body(&*repo, &landed, "deploy/db/claims/data.yaml").await, "size: 2Gi\n");
        let range = Range { after: Some(base.clone()), upto: landed.clone(), limit: 10 };
        let history = good("history", repo.history(&range).await);
        assert_eq!(history.len(), 1, "one change is one commit for {who}: {history:?}");
        let commit = &history[0];
        assert_eq!(commit.revision, landed);
        assert_eq!(commit.parents, std::slice::from_ref(&base), "the parent that {who} sees");
        assert_eq!(commit.message, change.message);
        assert_eq!(Some(&commit.author), change.author.as_ref());
        assert_eq!(commit.time, change.time);
        assert_eq!(commit.note, change.note, "the note that {who} sees");
    }
}

/// A file that a commit doesn't name keeps content and mode, inside and outside of the configured
/// paths; one that it names keeps its mode.
pub async fn commit_keeps_everything_else(fixture: &dyn ConfigRepoFixture) {
    let shop = NarrowShop::of(fixture).await;
    let (landed, after) = shop.land(&[("deploy/render.sh", "#!/bin/bash\n")]).await;
    let unchanged = |tree: &Tree| {
        let files = tree.files().map(|(path, id)| (path.to_owned(), id.clone()));
        files.filter(|(path, _)| path != "deploy/render.sh").collect::<BTreeMap<_, _>>()
    };
    assert_eq!(unchanged(&after), unchanged(&shop.before));
    assert_eq!(shop.upstream.modes(&landed).await, shop.upstream.modes(&shop.base).await, "modes changed");
}

/// A file that is not there is added as a plain one, with its folders.
pub async fn commit_adds_files_that_are_not_there(fixture: &dyn ConfigRepoFixture) {
    let shop = NarrowShop::of(fixture).await;
    let added = [("deploy/db/claims/more/logs.yaml", "size: 3Gi\n"), ("deploy/new.yaml", "")];
    for (path, _) in added {
        assert_eq!(shop.before.refuses(path), None, "the tree would have refused {path}");
    }
    let changed = [&added[..], &[("deploy/web.yaml", "image: web:2\n")]].concat();
    let (landed, after) = shop.land(&changed).await;
    for (path, text) in changed {
        assert_eq!(body(&*shop.everything, &landed, path).await, text, "{path}");
    }
    for (path, _) in added {
        assert!(!after.is_executable(path), "{path} is added as a plain file");
    }
    let others = after.file_paths().filter(|path| added.iter().all(|(added, _)| path != added));
    assert!(others.eq(shop.before.file_paths()), "nothing else comes or goes");
    let (old, new) = (shop.upstream.modes(&shop.base).await, shop.upstream.modes(&landed).await);
    if let (Some(old), Some(mut new)) = (old, new) {
        let modes = added.map(|(path, _)| new.remove(path));
        assert_eq!(modes, [Some(0o100_644); 2], "the modes of what was added");
        assert_eq!(new, old, "the modes of what was there");
    }
}

/// A commit on a revision that is no longer the tip is [`ErrorKind::Moved`], and upstream is as it
/// was.
pub async fn commit_on_a_stale_base_changes_nothing(fixture: &dyn ConfigRepoFixture) {
    let upstream = shop(fixture).await;
    let repo = upstream.repo(&[]).await;
    let base = good("head", repo.head().await);
    // ImageOrigin in the tree: a merge would have succeeded, but the plan was not made on it.
    let moved = upstream.push(&[("README.md", "# store\n")], "by hand").await;
    let mut late = change(&[("deploy/web.yaml", "image: web:2\n")]);
    late.note = Some("late".into());
    for when in ["before head was asked", "after head was asked"] {
        let refused = repo.commit(&base, &late).await;
        assert_eq!(refused, Err(Error::moved(&base)), "{when}");
        assert_eq!(good("head", repo.head().await), moved, "upstream changed {when}");
    }
    assert_eq!(body(&*repo, &moved, "deploy/web.yaml").await, "image: web:1\n");
    let again = good("commit on the new tip", repo.commit(&moved, &late).await);
    assert_eq!(good("head", repo.head().await), again);
}

/// Of several commits at once on one base exactly one lands, and the others are
/// [`ErrorKind::Moved`]; repeated, all land.
pub async fn commit_of_several_at_once_lands_one(fixture: &dyn ConfigRepoFixture) {
    const AT_ONCE: usize = 4;
    let upstream = shop(fixture).await;
    let mut waiting: Vec<(Arc<dyn ConfigRepo>, Change)> = Vec::new();
    let shared = upstream.repo(&[]).await;
    for n in 0..AT_ONCE {
        // Half of them through one repository, half through one of their own.
        let repo = if n % 2 == 0 { Arc::clone(&shared) } else { upstream.repo(&[]).await };
        let mut change = change(&[("deploy/web.yaml", &format!("image: web:{}\n", n + 2))]);
        change.message = format!("commit {n}\n");
        change.note = Some(format!("note {n}"));
        waiting.push((repo, change));
    }
    let start = good("head", shared.head().await);
    let mut base = start.clone();
    while !waiting.is_empty() {
        for (repo, _) in &waiting {
            assert_eq!(good("head", repo.head().await), base);
        }
        let outcomes = join_all(waiting.iter().map(|(repo, change)| repo.commit(&base, change))).await;
        let landed: Vec<usize> = (0..outcomes.len()).filter(|n| outcomes[*n].is_ok()).collect();
        assert_eq!(landed.len(), 1, "how many landed on one base: {outcomes:?}");
        for outcome in outcomes.iter().filter(|outcome| outcome.is_err()) {
            assert_eq!(outcome, &Err(Error::moved(&base)));
        }
        base = good("head", shared.head().await);
        assert_eq!(
            outcomes[landed[0]],
            Ok(base.clone()),
            "the tip is the commit that was said to have landed"
        );
        waiting.remove(landed[0]);
    }
    let range = Range { after: Some(start), upto: base, limit: 100 };
    let history = good("history", shared.history(&range).await);
    let messages: BTreeSet<&str> = history.iter().map(|commit| commit.message.as_str()).collect();
    assert_eq!(messages.len(), AT_ONCE, "each lands once: {history:?}");
    for commit in &history {
        let note = commit.message.trim_end().replace("commit", "note");
        assert_eq!(commit.note, Some(note), "no note is lost or on another commit");
    }
}

/// A change outside of the paths or of the repository, through or to what is no file, or of nothing
/// at all, is refused, and upstream is as it was.
pub async fn commit_that_cannot_be_is_refused(fixture: &dyn ConfigRepoFixture) {
    let upstream = shop(fixture).await;
    let repo = upstream.repo(&["deploy"]).await;
    let base = good("head", repo.head().await);
    let modes = upstream.modes(&base).await.unwrap_or_default();
    let links = modes.get("deploy/latest.yaml").map(|_| "deploy/latest.yaml/x");
    let cannot_be = [
        "deploy/db",
        "deploy/web.yaml/below-a-file",
        "deploy/web.yaml/deep/below-a-file",
        "README.md",
        "new-outside.yaml",
        "deploy/../README.md",
        "deploy/../../out.yaml",
        "/deploy/new.yaml",
        "deploy/new/",
        "deploy//new.yaml",
        "deploy/./new.yaml",
        "deploy/.git/config",
        "deploy/.GIT/config",
        "",
    ];
    let tree = good("tree", repo.tree(&base).await);
    for path in cannot_be.into_iter().chain(links) {
        assert!(tree.refuses(path).is_some(), "the tree would have taken {path}");
        // A change cannot have the others.
        if path.parse::<RepoPath>().is_err() {
            continue;
        }
        let refused = repo.commit(&base, &change(&[("deploy/web.yaml", "x\n"), (path, "x\n")])).await;
        assert!(is(&refused, ErrorKind::Invalid, path), "{path}: {refused:?}");
    }
    let one_below_the_other = change(&[("deploy/new", "x\n"), ("deploy/new/file.yaml", "x\n")]);
    let refused = repo.commit(&base, &one_below_the_other).await;
    assert!(is(&refused, ErrorKind::Invalid, ""), "{refused:?}");
    let same = repo.commit(&base, &change(&[("deploy/web.yaml", "image: web:1\n")])).await;
    assert!(is(&same, ErrorKind::Invalid, ""), "{same:?}");
    let nothing = repo.commit(&base, &change(&[])).await;
    assert!(is(&nothing, ErrorKind::Invalid, ""), "{nothing:?}");
    let nowhere = repo.commit(&unknown(&base), &change(&[("deploy/web.yaml", "x\n")])).await;
    assert!(is(&nowhere, ErrorKind::NotFound, ""), "{nowhere:?}");
    assert_eq!(good("head", repo.head().await), base);
}

/// A commit that upstream refuses is [`ErrorKind::Rejected`], in upstream's words, and upstream is
/// as it was.
pub async fn commit_refused_upstream_says_why(fixture: &dyn ConfigRepoFixture) {
    let words = "releases are frozen until Monday";
    let upstream = shop(fixture).await;
    let repo = upstream.repo(&[]).await;
    let base = good("head", repo.head().await);
    let refusal = upstream.refuse(words).await;
    if refusal == Refusal::Unsupported {
        return;
    }
    let mut change = change(&[("deploy/web.yaml", "image: web:2\n")]);
    for note in [None, Some("noted".to_owned())] {
        change.note = note;
        let refused = repo.commit(&base, &change).await;
        let repeated = if refusal == Refusal::Spoken { words } else { "" };
        assert!(
            is(&refused, ErrorKind::Rejected, repeated),
            "not refused, or not in upstream's words: {refused:?}"
        );
        assert_eq!(good("head", repo.head().await), base, "upstream changed");
    }
}
