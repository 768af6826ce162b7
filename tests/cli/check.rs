//! `fluxctl check`: a linter for config repositories.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::{
    ran::{Ran, example},
    shop::Shop,
    sock_shop,
};

/// The sock shop in a folder, with these files beside it.
fn folder(more: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = sock_shop::files();
    let own = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    own.chain(more.iter().copied()).for_each(|(path, text)| write(folder.path(), path, text));
    folder
}

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
    fs::write(path, text).expect("the file is written");
}

fn check(folder: &Path, words: &[&str]) -> Ran {
    let mut command = Command::new(example("fluxctl"));
    command.env_clear().arg("check").arg(folder).args(words);
    command.output().expect("fluxctl runs").into()
}

fn workload(name: &str, annotations: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  annotations:\n{annotations}spec:\n  template:\n    spec:\n      containers:\n      - {{name: web, image: 'example/web:1'}}\n"
    )
}

/// `code path:line:column` of each finding.
fn told(found: &Value) -> Vec<String> {
    let line = |f: &Value| {
        let place = &f["place"];
        let (code, path) = (f["code"].as_str().expect("a code"), place["path"].as_str().expect("a path"));
        format!("{code} {path}:{}:{}", place["line"], place["column"])
    };
    found.as_array().expect("an array").iter().map(line).collect()
}

#[test]
fn a_sound_folder_has_no_findings() {
    let folder = folder(&[]);
    let ran = check(folder.path(), &[]).exits(0);
    assert!(ran.stdout.contains(" 0 errors, 0 warnings"), "{}", ran.stdout);
    assert_eq!(check(folder.path(), &["-o", "json"]).exits(0).json(), serde_json::json!([]));
}

#[test]
fn every_mistake_is_told_at_its_line_with_its_remedy() {
    let policy = "apiVersion: fluxcd.io/v1alpha1\nkind: FluxPolicy\nmetadata: {name: platform}\nspec:\n  rules:\n  - policy:\n      minAg: 24h\n";
    let web = workload(
        "web",
        "    fluxcd.io/automated: maybe\n    fluxcd.io/tag.web: 'semver:abc'\n    fluxcd.io/tag.sidecar: glob:*\n",
    );
    let folder = folder(&[
        ("bad/broken.yaml", "apiVersion: v1\nkind: [ConfigMap\n"),
        ("bad/policy.yaml", policy),
        ("bad/web.yaml", &web),
    ]);
    let ran = check(folder.path(), &["-o", "json"]).exits(1);
    let found = ran.json();
    assert_eq!(
        told(&found),
        [
            "invalid-yaml bad/broken.yaml:2:7",
            "invalid-policy bad/policy.yaml:7:7",
            "invalid-policy bad/web.yaml:6:26",
            "invalid-pattern bad/web.yaml:7:24",
            "unknown-container bad/web.yaml:8:28",
        ]
    );
    for finding in found.as_array().expect("an array") {
        assert!(!finding["remedy"].as_str().expect("text").is_empty(), "{finding}");
    }
    let ran = check(folder.path(), &[]).exits(1);
    assert!(ran.stdout.contains("bad/policy.yaml:7:7: error[invalid-policy]: "), "{}", ran.stdout);
    assert!(ran.stdout.contains("\n  remedy: name one of: web\n"), "{}", ran.stdout);
    assert!(ran.stdout.ends_with(" 4 errors, 1 warning\n"), "{}", ran.stdout);
}

#[test]
fn warnings_alone_are_no_failure() {
    let folder = folder(&[("web.yaml", &workload("web", "    fluxcd.io/tag.sidecar: glob:*\n"))]);
    let ran = check(folder.path(), &["-o", "json"]).exits(0);
    assert_eq!(told(&ran.json()), ["unknown-container web.yaml:6:28"]);
}

#[test]
fn a_repository_is_checked_at_its_tip() {
    let shop = Shop::new();
    shop.fluxctl(&["check"]).exits(0);
    shop.commit(&[("sock-shop/broken.yaml".to_owned(), "{{ .Values }}: [".to_owned())], "Break a file");
    let ran = shop.fluxctl(&["check", "-o", "json"]).exits(1);
    assert_eq!(ran.json()[0]["place"]["path"], "sock-shop/broken.yaml");
}

#[test]
fn only_the_paths_named_are_checked() {
    let folder = folder(&[("elsewhere/broken.yaml", "a: [")]);
    check(folder.path(), &["--git-path", "sock-shop"]).exits(0);
    check(folder.path(), &["--git-path", "elsewhere"]).exits(1);
    let ran = check(folder.path(), &["--git-path", "nowhere", "-o", "json"]).exits(1);
    assert_eq!(ran.json()[0]["code"], "path-not-found");
}

#[test]
fn what_git_ignores_is_not_checked() {
    let folder = folder(&[("build/broken.yaml", "a: ["), (".gitignore", "/build\n")]);
    check(folder.path(), &[]).exits(1);
    git2::Repository::init(folder.path()).expect("a repository");
    check(folder.path(), &[]).exits(0);
    check(&folder.path().join("build"), &[]).exits(1);
}

#[test]
fn names_that_are_not_utf_8_are_told_where_manifests_may_be_missed() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let folder = folder(&[]);
    for (name, is_told) in [(&b"caf\xe9.txt"[..], false), (b"caf\xe9.yaml", true)] {
        fs::write(folder.path().join(OsStr::from_bytes(name)), "a: 1\n").expect("the file is written");
        let ran = check(folder.path(), &["-o", "json"]).exits(i32::from(is_told));
        let expected: &[&str] = if is_told { &["invalid-name caf\u{fffd}.yaml:1:1"] } else { &[] };
        assert_eq!(told(&ran.json()), expected, "{name:?}");
    }
    fs::create_dir(folder.path().join(OsStr::from_bytes(b"\xff"))).expect("the folder is made");
    let ran = check(folder.path(), &["-o", "json"]).exits(1);
    assert_eq!(told(&ran.json()), ["invalid-name caf\u{fffd}.yaml:1:1", "invalid-name \u{fffd}/:1:1"]);
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let ran = check(Path::new("/nowhere/at/all"), &[]).exits(1);
    assert!(ran.stderr.contains("/nowhere/at/all"), "{}", ran.stderr);
    let ran = Ran::from(Command::new(example("fluxctl")).env_clear().arg("check").output().expect("it runs"));
    assert!(ran.exits(2).stderr.contains("--git-url"));
}
