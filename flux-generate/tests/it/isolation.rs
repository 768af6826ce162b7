//! Commands are kept apart: a private folder, no environment, no input, no way back into this
//! process.

use flux_core::generate::{GenerateError, Run};
use flux_generate::ProcessGenerator;

use crate::support::{checkout, checkout_by, command, print};

#[tokio::test]
async fn nobody_else_can_read_the_copy_and_it_goes_with_its_owner() {
    let mut copy = checkout(&[("a/b/plain.yaml", "a: 1\n"), ("a/run.sh", "#!/bin/sh\necho ran\n")]).await;
    let modes = print(&mut *copy, "stat -c %a . a a/b a/b/plain.yaml a/run.sh | tr '\\n' ' '").await;
    assert_eq!(modes, "700 700 700 600 700 ");
    assert_eq!(print(&mut *copy, "./a/run.sh").await, "ran\n");
    let folder = print(&mut *copy, "pwd -P").await;
    let folder = std::path::Path::new(folder.trim());
    assert!(folder.is_dir());
    drop(copy);
    assert!(!folder.exists());
}

#[tokio::test]
async fn the_copy_is_made_where_the_builder_says_and_has_the_changed_contents() {
    let parent = tempfile::tempdir().unwrap();
    let generator = ProcessGenerator::builder().folder(parent.path()).build();
    let files = [("a.txt", "old"), ("b.txt", "kept")];
    let mut copy = checkout_by(&generator, &files, &[("a.txt", "new"), ("c/d.txt", "added")]).await.unwrap();
    assert_eq!(print(&mut *copy, "cat a.txt b.txt c/d.txt").await, "newkeptadded");
    let folder = print(&mut *copy, "pwd -P").await;
    assert!(folder.starts_with(parent.path().canonicalize().unwrap().to_str().unwrap()), "{folder}");
    // What is over the tree is how it was copied, and no change.
    assert!(copy.changes().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_command_finds_its_variables_and_path_and_nothing_else() {
    let mut copy = checkout(&[("a.txt", "")]).await;
    let mut run = command("env | cut -d= -f1 | sort | tr '\\n' ' '; echo $FLUX_TAG");
    run.env.insert("FLUX_TAG".to_owned(), "1.2".to_owned());
    let output = copy.run(&run).await.unwrap();
    let output = String::from_utf8(output.stdout.to_vec()).unwrap();
    // PWD and the like are the shell's own.
    let known = ["PATH", "FLUX_RUN", "FLUX_TAG", "PWD", "OLDPWD", "SHLVL", "_", "1.2"];
    let names: Vec<&str> = output.split_whitespace().collect();
    assert!(names.contains(&"PATH") && names.iter().all(|name| known.contains(name)), "{names:?}");
    assert!(std::env::vars().any(|(name, _)| !known.contains(&name.as_str())), "there is something to hide");
    let [first, second] =
        [print(&mut *copy, "echo $FLUX_RUN").await, print(&mut *copy, "echo $FLUX_RUN").await];
    assert_ne!(first, second, "each run has a value of its own");
}

#[tokio::test]
async fn a_command_has_no_input_and_runs_in_its_folder() {
    let mut copy = checkout(&[("prod/a.txt", "")]).await;
    assert_eq!(print(&mut *copy, "cat; echo end").await, "end\n");
    let mut run = command("ls");
    run.folder = "prod".to_owned();
    assert_eq!(copy.run(&run).await.unwrap().stdout, "a.txt\n");
    for folder in ["missing", "../..", "/etc", "prod/a.txt"] {
        run.folder = folder.to_owned();
        let error = copy.run(&run).await.unwrap_err();
        assert!(matches!(&error, GenerateError::Unavailable(_)) && error.is_retryable(), "{folder}: {error}");
        assert!(error.to_string().contains("there is no folder"), "{folder}: {error}");
    }
}

#[tokio::test]
async fn nothing_lies_or_runs_outside_of_the_copy() {
    let outside = ["../outside.txt", "a/../../outside.txt", "/tmp/outside.txt"].map(|path| (path, "x"));
    let mut copy = checkout(&[&outside[..], &[("a.txt", "")]].concat()).await;
    assert_eq!(print(&mut *copy, "find . -type f; ls ../outside.txt 2>/dev/null || :").await, "./a.txt\n");
    for folder in ["..", "a/../..", "/tmp"] {
        let run = Run { folder: folder.to_owned(), ..command("pwd") };
        let error = copy.run(&run).await.unwrap_err().to_string();
        assert!(error.contains(&format!("there is no folder {folder} to run it in")), "{error}");
    }
}

/// Processes of the same user find the memory and the environment of one that is dumpable.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn this_process_is_hidden_from_the_commands() {
    use rustix::process::{DumpableBehavior, dumpable_behavior};

    let _copy = checkout(&[("a.txt", "")]).await;
    assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
}
