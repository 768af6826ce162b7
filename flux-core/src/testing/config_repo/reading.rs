//! Cases about what is read: the tip, trees, contents, history.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::fixture::{ConfigRepoFixture, SHOP, SeedKind, body, change, good, is, shop, unknown};
use crate::{
    backend::{ContentId, ErrorKind, FileBody, Range, Revision},
    repo_path::RepoPath,
};

const FILES_UNDER_DEPLOY: [&str; 3] = ["deploy/db/claims/data.yaml", "deploy/render.sh", "deploy/web.yaml"];

/// `head` is the tip upstream, now, and the same while upstream stands still.
pub async fn head_follows_upstream(fixture: &dyn ConfigRepoFixture) {
    let upstream = shop(fixture).await;
    let repo = upstream.repo(&[]).await;
    let first = good("head", repo.head().await);
    assert_eq!(good("head", repo.head().await), first, "head changed while upstream did not");
    let second = upstream.push(&[("deploy/web.yaml", "image: web:2\n")], "by hand").await;
    assert_ne!(first, second, "the fixture's push made no new revision");
    assert_eq!(good("head", repo.head().await), second, "head did not follow upstream");
    assert_eq!(body(&*repo, &second, "deploy/web.yaml").await, "image: web:2\n");
}

/// A branch that was put back or rewritten upstream is followed.
pub async fn head_follows_a_forced_push(fixture: &dyn ConfigRepoFixture) {
    let upstream = shop(fixture).await;
    let repo = upstream.repo(&[]).await;
    let first = good("head", repo.head().await);
    upstream.push(&[("deploy/web.yaml", "image: web:2\n")], "a mistake").await;
    good("head", repo.head().await);
    if !upstream.rewind(&first).await {
        return;
    }
    assert_eq!(good("head", repo.head().await), first, "head did not follow the branch back");
    let other = upstream.push(&[("deploy/web.yaml", "image: web:3\n")], "done anew").await;
    assert_eq!(good("head", repo.head().await), other, "head did not follow the rewritten branch");
    let landed = repo.commit(&other, &change(&[("deploy/web.yaml", "image: web:4\n")])).await;
    assert_eq!(good("head", repo.head().await), good("commit on the rewritten branch", landed));
}

/// `tree` has every file under the configured paths, at any depth, no links and nothing else; and
/// names the paths that are missing.
pub async fn tree_lists_files_under_the_paths(fixture: &dyn ConfigRepoFixture) {
    let upstream = shop(fixture).await;
    let all: Vec<&str> =
        SHOP.iter().filter(|seed| seed.kind != SeedKind::Link).map(|seed| seed.path).collect();
    let cases: [(&[&str], Vec<&str>, &[&str]); 6] = [
        (&[], all, &[]),
        (&["deploy"], FILES_UNDER_DEPLOY.to_vec(), &[]),
        (&["deploy", "deploy/db"], FILES_UNDER_DEPLOY.to_vec(), &[]),
        (&["deploy/db", "README.md"], vec!["README.md", "deploy/db/claims/data.yaml"], &[]),
        (&["deploy/db", "nowhere"], vec!["deploy/db/claims/data.yaml"], &["nowhere"]),
        (&["README.md/below-a-file"], vec![], &["README.md/below-a-file"]),
    ];
    for (paths, files, missing) in cases {
        let repo = upstream.repo(paths).await;
        let head = good("head", repo.head().await);
        let tree = good("tree", repo.tree(&head).await);
        let found: BTreeSet<&str> = tree.file_paths().map(RepoPath::as_str).collect();
        assert_eq!(found, files.into_iter().collect(), "files under {paths:?}");
        assert_eq!(tree.missing(), missing, "what is missing of {paths:?}");
    }
}

/// `tree` says which files can be run, which links there are, and the part of the repository that
/// it covers.
pub async fn tree_tells_of_modes_and_links(fixture: &dyn ConfigRepoFixture) {
    let upstream = shop(fixture).await;
    for paths in [&[][..], &["deploy"], &["deploy/render.sh", "README.md"]] {
        let repo = upstream.repo(paths).await;
        let head = good("head", repo.head().await);
        let tree = good("tree", repo.tree(&head).await);
        assert_eq!(tree.roots(), paths, "what the tree tells of");
        assert_eq!(tree.left_out().next(), None, "a checkout could have all of them");
        let Some(modes) = upstream.modes(&head).await else { continue };
        let of = |is: fn(u32) -> bool| -> BTreeSet<&str> {
            let all = modes.iter().filter(|(path, mode)| tree.covers(path) && is(**mode));
            all.map(|(path, _)| path.as_str()).collect()
        };
        let executable: BTreeSet<&str> =
            tree.file_paths().map(RepoPath::as_str).filter(|path| tree.is_executable(path)).collect();
        assert_eq!(executable, of(|mode| mode == 0o100_755), "what can be run under {paths:?}");
        let links: BTreeSet<&str> = tree.links().map(RepoPath::as_str).collect();
        assert_eq!(links, of(|mode| mode & 0o170_000 != 0o100_000), "links under {paths:?}");
    }
}

/// Equal contents have equal addresses, and a revision's tree stays what it was when upstream moves
/// on.
pub async fn tree_of_an_old_revision_stays(fixture: &dyn ConfigRepoFixture) {
    let upstream = shop(fixture).await;
    let repo = upstream.repo(&["deploy"]).await;
    let first = good("head", repo.head().await);
    let before = good("tree", repo.tree(&first).await);
    upstream.push(&[("deploy/web.yaml", "image: web:2\n")], "by hand").await;
    let second = good("head", repo.head().await);
    let after = good("tree", repo.tree(&second).await);
    assert_eq!(good("tree", repo.tree(&first).await), before, "the tree of a revision changed");
    let is_changed = |(path, id): &(&RepoPath, &ContentId)| before.file(path) != Some(id);
    let changed: Vec<&RepoPath> = after.files().filter(is_changed).map(|(path, _)| path).collect();
    assert_eq!(changed, ["deploy/web.yaml"], "only the changed file has another address");
    assert_eq!(body(&*repo, &first, "deploy/web.yaml").await, "image: web:1\n");
}

/// `read` gives contents in the order asked for, repeated if so asked, and of a file beyond the
/// limit its size only.
pub async fn read_gives_contents_in_order_and_within_the_limit(fixture: &dyn ConfigRepoFixture) {
    let upstream = shop(fixture).await;
    let repo = upstream.repo(&[]).await;
    let tree = good("tree", repo.tree(&good("head", repo.head().await)).await);
    let id = |path: &'static str| good("finding the file", tree.file(path).ok_or(path)).clone();
    let (readme, web) = (id("README.md"), id("deploy/web.yaml"));
    let bytes = |text: &'static str| FileBody::Bytes(Bytes::from_static(text.as_bytes()));
    assert_eq!(good("read", repo.read(&[], 0).await), []);
    assert_eq!(
        good("read", repo.read(&[web.clone(), readme.clone(), web.clone()], 13).await),
        [bytes("image: web:1\n"), bytes("# shop\n"), bytes("image: web:1\n")],
        "a file of exactly the limit is read"
    );
    assert_eq!(
        good("read", repo.read(&[web, readme], 12).await),
        [FileBody::TooLarge { size: 13 }, bytes("# shop\n")],
        "a file beyond the limit doesn't stop the others"
    );
}

/// `history` has the commits of the range that touched the paths, newest first, at most as many as
/// asked for.
pub async fn history_tells_of_the_paths_newest_first(fixture: &dyn ConfigRepoFixture) {
    let upstream = shop(fixture).await;
    let repo = upstream.repo(&["deploy"]).await;
    let first = good("head", repo.head().await);
    upstream.push(&[("README.md", "# store\n")], "elsewhere").await;
    let second = upstream.push(&[("deploy/web.yaml", "image: web:2\n")], "by hand").await;
    good("head", repo.head().await);
    let mut change = change(&[("deploy/web.yaml", "image: web:3\n")]);
    change.note = Some("noted".into());
    let third = good("commit", repo.commit(&second, &change).await);
    let fourth = upstream.push(&[("deploy/db/claims/data.yaml", "size: 2Gi\n")], "grow").await;
    good("head", repo.head().await);
    let revisions_of = async |after: Option<&Revision>, upto: &Revision, limit: usize| {
        let range = Range { after: after.cloned(), upto: upto.clone(), limit };
        let history = good("history", repo.history(&range).await);
        history.into_iter().map(|commit| commit.revision).collect::<Vec<_>>()
    };
    let revisions = |list: &[&Revision]| list.iter().map(|revision| (*revision).clone()).collect::<Vec<_>>();
    assert_eq!(revisions_of(None, &fourth, 10).await, revisions(&[&fourth, &third, &second, &first]));
    assert_eq!(revisions_of(Some(&first), &fourth, 10).await, revisions(&[&fourth, &third, &second]));
    assert_eq!(revisions_of(Some(&second), &third, 10).await, revisions(&[&third]));
    assert_eq!(revisions_of(None, &fourth, 2).await, revisions(&[&fourth, &third]));
    assert_eq!(revisions_of(None, &first, 10).await, revisions(&[&first]));
    assert_eq!(revisions_of(Some(&fourth), &fourth, 10).await, []);
    assert_eq!(revisions_of(None, &fourth, 0).await, []);
    let range = Range { after: Some(second.clone()), upto: fourth, limit: 10 };
    let notes: Vec<_> =
        good("history", repo.history(&range).await).into_iter().map(|commit| commit.note).collect();
    assert_eq!(notes, [None, Some("noted".to_owned())]);
    let range = Range { after: None, limit: 10, ..range };
    let parents: Vec<_> =
        good("history", repo.history(&range).await).into_iter().map(|commit| commit.parents).collect();
    let expected = [vec![third], vec![second], vec![first], vec![]];
    assert_eq!(parents, expected, "a parent that touched nothing is replaced by the one before it");
}

/// A revision, a content, a branch that is not there, and an upstream without commits, are
/// [`ErrorKind::NotFound`] and named.
pub async fn what_is_not_there_is_not_found(fixture: &dyn ConfigRepoFixture) {
    let upstream = shop(fixture).await;
    let repo = upstream.repo(&[]).await;
    let head = good("head", repo.head().await);
    let nowhere = unknown(&head);
    let tree = repo.tree(&nowhere).await;
    assert!(is(&tree, ErrorKind::NotFound, nowhere.as_str()), "{tree:?}");
    let read = repo.read(&[ContentId::new(&nowhere)], 100).await;
    assert!(is(&read, ErrorKind::NotFound, nowhere.as_str()), "{read:?}");
    let history = repo.history(&Range { after: None, upto: nowhere, limit: 1 }).await;
    assert!(is(&history, ErrorKind::NotFound, ""), "{history:?}");
    if let Some(repo) = upstream.repo_on("no-such-branch").await {
        let head = repo.head().await;
        assert!(is(&head, ErrorKind::NotFound, "no-such-branch"), "{head:?}");
    }
    if let Some(empty) = fixture.upstream(&[]).await {
        let head = empty.repo(&[]).await.head().await;
        assert!(is(&head, ErrorKind::NotFound, ""), "{head:?}");
    }
}
