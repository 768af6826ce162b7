//! The repository in memory as the model of the one in git.
//!
//! After the same operations both have the same content and history.

use std::collections::BTreeMap;

use bytes::Bytes;
use flux_core::{
    backend::{Author, Change, ConfigRepo, ErrorKind, FileBody, Range, Result, Revision},
    memory::MemoryRepo,
    testing::config_repo::{Seed, SeedKind},
};
use jiff::Timestamp;
use proptest::prelude::*;

use crate::upstream::{Bare, init_bare, revision};

const FILES: [&str; 4] = ["deploy/a.yaml", "deploy/b/c.yaml", "elsewhere.yaml", "deploy.yaml"];

/// The paths that we write: those of [`FILES`], new ones, and ones that cannot exist beside them.
const WRITTEN: [&str; 8] = [
    FILES[0],
    FILES[1],
    FILES[2],
    FILES[3],
    "deploy/new/d.yaml",
    "deploy/new",
    "deploy/a.yaml/below.yaml",
    "deploy/b",
];

#[derive(Clone, Debug)]
enum Step {
    /// Somebody else writes a file.
    Push { file: usize, body: u8 },
    /// We commit files, on the revision that was the tip so many steps ago.
    Commit { files: BTreeMap<usize, u8>, age: usize, note: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let commit = (prop::collection::btree_map(0..WRITTEN.len(), 0..4_u8, 0..3), 0..3_usize, any::<bool>());
    prop_oneof![
        1 => (0..FILES.len(), 0..4_u8).prop_map(|(file, body)| Step::Push { file, body }),
        3 => commit.prop_map(|(files, age, note)| Step::Commit { files, age, note }),
    ]
}

/// The content and the history of a repository, without the ids that it assigns.
#[derive(Debug, PartialEq)]
struct Content {
    files: BTreeMap<String, String>,
    commits: Vec<(String, Option<String>)>,
}

async fn content_of(repo: &dyn ConfigRepo) -> Content {
    let head = repo.head().await.unwrap();
    let tree = repo.tree(&head).await.unwrap();
    let ids: Vec<_> = tree.files().map(|(_, id)| id.clone()).collect();
    let bodies = repo.read(&ids, 1000).await.unwrap().into_iter().map(|body| match body {
        FileBody::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        FileBody::TooLarge { size } => format!("{size} bytes"),
    });
    let files = tree.file_paths().map(ToString::to_string).zip(bodies).collect();
    let history = repo.history(&Range { after: None, upto: head, limit: 100 }).await.unwrap();
    let commits = history.into_iter().map(|commit| (commit.message, commit.note)).collect();
    Content { files, commits }
}

/// The kind of an outcome, in which both have to agree.
fn kind(outcome: &Result<Revision>) -> &'static str {
    match outcome {
        Ok(_) => "landed",
        Err(error) if error.kind() == ErrorKind::Moved => "moved",
        Err(error) if error.kind() == ErrorKind::Invalid => "invalid",
        Err(_) => "another error",
    }
}

async fn both(steps: Vec<Step>) {
    let dir = tempfile::tempdir().unwrap();
    init_bare(&dir.path().join("a.git"));
    let bare = Bare::at(dir.path().join("a.git"));
    let seeds = FILES.map(|path| Seed { path, body: "0", kind: SeedKind::Plain });
    bare.seed(&seeds);
    let git = bare.open(|builder| builder.paths(["deploy"]));
    let memory = MemoryRepo::new(seeds.map(|seed| (seed.path, seed.body))).with_paths(["deploy"]);
    let mut tips = vec![(git.head().await.unwrap(), memory.head().await.unwrap())];
    for (n, step) in steps.into_iter().enumerate() {
        let message = format!("step {n}\n");
        match step {
            Step::Push { file, body } => {
                let body = body.to_string();
                let pushed = bare.write(&[(FILES[file], &body)], &message);
                tips.push((revision(pushed), memory.push_file(FILES[file], body, &message)));
            }
            Step::Commit { files, age, note } => {
                let change = Change {
                    files: files
                        .into_iter()
                        .map(|(file, body)| (WRITTEN[file].parse().unwrap(), Bytes::from(body.to_string())))
                        .collect(),
                    message,
                    author: Some(Author { name: "a".into(), email: "a@example.com".into() }),
                    time: Timestamp::constant(1_700_000_000, 0),
                    note: note.then(|| format!("note {n}")),
                };
                let (in_git, in_memory) = tips[tips.len().saturating_sub(1 + age)].clone();
                let outcomes = (git.commit(&in_git, &change).await, memory.commit(&in_memory, &change).await);
                // For a change that is stale as well as impossible, either error is right.
                if age == 0 || outcomes.0.is_ok() || outcomes.1.is_ok() {
                    assert_eq!(kind(&outcomes.0), kind(&outcomes.1), "{outcomes:?}");
                }
                if let (Ok(in_git), Ok(in_memory)) = outcomes {
                    tips.push((in_git, in_memory));
                }
            }
        }
    }
    let (mut in_git, mut in_memory) = (content_of(&git).await, content_of(&memory).await);
    // The first commit's message is the fixture's.
    in_git.commits.pop();
    in_memory.commits.pop();
    assert_eq!(in_git, in_memory);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_git_tell_the_same(steps in prop::collection::vec(step(), 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(both(steps));
    }
}
