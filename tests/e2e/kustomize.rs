//! Kustomizations: a release edits their sources, a sync applies what kustomize builds.

use std::{env, path::Path, process::Command};

use serde_json::Value;

use crate::world::{Transport, World};

/// Returns `PATH` with the servers' kubectl first.
fn path(world: &World) -> std::ffi::OsString {
    let rest = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(world.kube.kubectl_folder().to_owned()).chain(env::split_paths(&rest));
    env::join_paths(folders).expect("a PATH")
}

#[test]
fn what_is_built_is_released_in_the_files_that_it_is_built_from() {
    let Some(world) = World::new(Transport::Http) else { return };
    for tag in ["1.0", "1.1"] {
        world.push("web", tag, "2020-01-01T00:00:00Z");
    }
    let (image, namespace) = (world.image("web"), &world.namespace);
    let web = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web # the window\nspec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers:\n      - {name: web, image: window}\n";
    let prod = format!(
        "namePrefix: prod-\nnamespace: {namespace}\nresources: [../base]\nimages:\n- name: window\n  newName: {image} # ours\n  newTag: '1.0'\n"
    );
    world.commit(
        &[
            ("base/kustomization.yaml", "resources: [web.yaml]\n"),
            ("base/web.yaml", web),
            ("prod/kustomization.yaml", &prod),
        ],
        "Describe the shop",
    );
    let fluxctl = |words: &[&str]| {
        let mut command = world.command("fluxctl");
        command.env("PATH", path(&world)).args(["--manifest-generation", "--git-path", "prod"]).args(words);
        crate::ran::Ran::from(command.output().expect("fluxctl runs"))
    };
    fluxctl(&["sync"]).exits(0);
    assert_eq!(world.running("prod-web"), format!("{image}:1.0"));
    let id = format!("{namespace}:deployment/prod-web");
    fluxctl(&["policy", "-w", &id, "--tag-all", "semver:*"]).exits(0);
    fluxctl(&["release", "-w", &id, "--update-all-images"]).exits(0);
    let git = world.git.path(&world.repo);
    let show = |file: &str| {
        let output = Command::new("git").arg("-C").arg(&git).args(["show", &format!("HEAD:{file}")]).output();
        String::from_utf8(output.expect("git runs").stdout).expect("text")
    };
    assert_eq!(show("prod/kustomization.yaml"), prod.replace("'1.0'", "'1.1'"));
    let annotated = "name: web # the window\n  annotations:\n    fluxcd.io/tag.web: semver:*\n";
    assert_eq!(show("base/web.yaml"), web.replace("name: web # the window\n", annotated));
    fluxctl(&["sync"]).exits(0);
    assert_eq!(world.running("prod-web"), format!("{image}:1.1"));
}

#[test]
fn the_corpus_has_what_kustomize_builds() {
    let Some(world) = World::new(Transport::Http) else { return };
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("flux-core/tests/corpus/built");
    for folder in ["prod", "staging"] {
        let built = std::fs::read_to_string(corpus.join(format!("{folder}.built.yaml"))).expect("a corpus");
        let path = corpus.join(folder);
        assert_eq!(world.kube.kubectl(&["kustomize", path.to_str().expect("text")]), built, "{folder}");
    }
}

#[test]
fn messages_about_kustomizations_agree_with_kustomize() {
    let Some(world) = World::new(Transport::Http) else { return };
    let verdicts = include_str!("../../flux-core/tests/it/deployer/verdicts.json");
    let verdicts: Value = serde_json::from_str(verdicts).expect("JSON");
    let files = |of: &Value| -> Vec<(String, String)> {
        let files = of.as_object().expect("files").iter();
        files.map(|(path, text)| (path.clone(), text.as_str().expect("text").to_owned())).collect()
    };
    let mut differ = Vec::new();
    for case in verdicts["cases"].as_array().expect("cases") {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (path, text) in files(&verdicts["beside"]).into_iter().chain(files(&case["files"])) {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        let says =
            match world.kube.try_kubectl(&["kustomize", folder.path().join("x").to_str().expect("text")]) {
                Ok(_) => "takes",
                Err(_) => "refuses",
            };
        if case["kustomize"] != says {
            differ.push(format!("it {says} {}", case["files"]));
        }
    }
    assert!(differ.is_empty(), "{differ:#?}");
}
