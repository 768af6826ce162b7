//! The files that commands changed, added and removed in the copy.

use std::collections::BTreeMap;

use bytes::Bytes;
use flux_core::{RepoPath, generate::GenerateError};
use flux_generate::ProcessGenerator;

use crate::support::{checkout, checkout_by, print};

#[tokio::test]
async fn changed_new_and_removed_files_are_found_and_ignored_ones_are_left_out() {
    let mut copy = checkout(&[
        (".gitignore", "*.log\nbuild/\n"),
        ("same.yaml", "a: 1\n"),
        ("changed.yaml", "a: 1\n"),
        ("gone.yaml", "a: 1\n"),
        ("kept.log", "known though ignored"),
    ])
    .await;
    let script = "echo b > changed.yaml; rm gone.yaml; touch same.yaml; mkdir -p new build .git; echo c > new/n.yaml; echo d > d.log; echo e > build/e; echo f > .git/f; echo g > kept.log";
    print(&mut *copy, script).await;
    let expected: BTreeMap<RepoPath, Option<Bytes>> = [
        ("changed.yaml", Some("b\n")),
        ("gone.yaml", None),
        ("kept.log", Some("g\n")),
        ("new/n.yaml", Some("c\n")),
    ]
    .map(|(path, text)| (path.parse().unwrap(), text.map(Bytes::from)))
    .into();
    assert_eq!(copy.changes().await.unwrap(), expected);
}

#[tokio::test]
async fn links_lead_nowhere() {
    let mut copy = checkout(&[("a.yaml", "a: 1\n")]).await;
    print(&mut *copy, "rm a.yaml; ln -s /etc/passwd a.yaml").await;
    assert_eq!(copy.changes().await.unwrap(), BTreeMap::from([("a.yaml".parse().unwrap(), None)]));
    print(&mut *copy, "ln -s /etc/passwd new.yaml").await;
    let error = copy.changes().await.unwrap_err().to_string();
    assert!(error.contains("new.yaml") && error.contains("it is a link"), "{error}");
}

#[tokio::test]
async fn a_new_file_that_git_would_not_check_out_is_an_error_with_its_place() {
    let mut copy = checkout(&[("a.yaml", "a: 1\n")]).await;
    print(&mut *copy, "mkdir -p b/.GIT; touch b/.GIT/c.yaml").await;
    let error = copy.changes().await.unwrap_err();
    assert!(matches!(error, GenerateError::Unavailable(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with("b/.GIT/c.yaml, which is new, cannot be added: "), "{text}");
    assert!(text.contains("it leads into `.git`") && text.contains("list it in .gitignore"), "{text}");
    print(&mut *copy, "echo .GIT/ > .gitignore").await;
    let changes = copy.changes().await.unwrap();
    assert_eq!(changes.keys().collect::<Vec<_>>(), [".gitignore"]);
}

#[tokio::test]
async fn new_files_are_bounded_in_number_and_size() {
    let generator = ProcessGenerator::builder().max_new_files(2).max_new_bytes(10).build();
    for (script, fits) in [
        ("echo 1 > 1; echo 2 > 2", true),
        ("touch 1 2 3", false),
        ("printf 0123456789 > 1", true),
        ("printf 01234 > 1; printf 567890 > 2", false),
        // Those of the repository are not counted.
        ("printf 0123456789abcdef > known", true),
    ] {
        let mut copy = checkout_by(&generator, &[("known", "k")], &[]).await.unwrap();
        print(&mut *copy, script).await;
        match copy.changes().await {
            Ok(_) => assert!(fits, "{script}"),
            Err(error) => {
                assert!(!fits, "{script}: {error}");
                assert!(matches!(error, GenerateError::TooManyFiles { files: 2, bytes: 10 }), "{error}");
            }
        }
    }
}
