//! What is told of kustomizations, against what kustomize says of them.

use std::{collections::BTreeMap, sync::Arc};

use futures::executor::block_on;
use serde::Deserialize;

use crate::{
    deployer::Deployer,
    finding::{Code, Finding},
    generate::Generation,
    memory::{MemoryCluster, MemoryRegistry, MemoryRepo},
};

/// A folder `x` with a kustomization, and what kustomize 5.5 said of it (`kubectl kustomize x`).
#[derive(Debug, Deserialize)]
struct Case {
    kustomize: String,
    /// Beside [`BESIDE`].
    files: BTreeMap<String, String>,
    told: Vec<String>,
    /// Why it is told of as a warning only.
    because: Option<String>,
}

const BESIDE: [(&str, &str); 2] = [
    ("x/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"),
    (
        "x/web.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: web, image: 'example/web:1'}]}}}\n",
    ),
];

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("verdicts.json")).unwrap()
}

fn findings<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>, paths: &[&str]) -> Vec<Finding> {
    let files = files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned()));
    let repo = MemoryRepo::new(files).with_paths(paths);
    let (registry, cluster) = (Arc::new(MemoryRegistry::new()), Arc::new(MemoryCluster::new()));
    let generation = Generation::off(paths.iter().map(|path| (*path).to_owned()).collect());
    let deployer = Deployer::new(Arc::new(repo), registry, cluster).with_generation(generation);
    block_on(deployer.check()).unwrap().findings
}

/// `error path:line:column` of each finding about a kustomization.
fn told(findings: &[Finding]) -> Vec<String> {
    let line = |finding: &Finding| {
        let word = match finding.code {
            Code::InvalidKustomization => "error",
            Code::DoubtfulKustomization => "warning",
            _ => return None,
        };
        assert!(!finding.remedy.is_empty() && !finding.evidence.is_empty(), "{finding}");
        Some(format!("{word} {}", finding.place.as_ref()?))
    };
    findings.iter().filter_map(line).collect()
}

#[test]
fn what_kustomize_refuses_is_told_at_its_line_and_what_it_takes_is_no_error() {
    for case in cases() {
        let files = case.files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        let found = findings(BESIDE.into_iter().chain(files), &[]);
        assert_eq!(told(&found), case.told, "{:?}\n{found:?}", case.files);
        let is_error = case.told.iter().any(|told| told.starts_with("error"));
        let is_refused = case.kustomize == "refuses";
        assert_eq!(is_error || case.because.is_some(), is_refused, "{case:?}");
    }
}

/// Run it to see whether another kustomize says the same.
#[test]
#[ignore = "it wants kubectl"]
fn the_verdicts_are_those_of_kustomize() {
    let root = std::env::temp_dir().join(format!("flux-verdicts-{}", std::process::id()));
    let differ: Vec<String> = cases()
        .into_iter()
        .filter_map(|case| {
            let files = case.files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
            for (path, text) in BESIDE.into_iter().chain(files) {
                let path = root.join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            let ran =
                std::process::Command::new("kubectl").arg("kustomize").arg(root.join("x")).output().unwrap();
            std::fs::remove_dir_all(&root).unwrap();
            let says = if ran.status.success() { "takes" } else { "refuses" };
            (says != case.kustomize).then(|| format!("it {says} {:?}", case.files))
        })
        .collect();
    assert!(differ.is_empty(), "{differ:#?}");
}

const BUILDS: &str = "resources: [../base]\n";

#[test]
fn what_the_tree_does_not_tell_of_is_taken_for_granted() {
    let (overlay, base) =
        (("prod/kustomization.yaml", BUILDS), ("base/kustomization.yaml", "nameprefix: [1]\n"));
    assert_eq!(told(&findings([overlay], &[])), ["error prod/kustomization.yaml:1:13"]);
    assert_eq!(told(&findings([overlay], &["prod"])), [""; 0]);
    assert_eq!(told(&findings([overlay, base], &["prod"])), [""; 0]);
    // Of what is listed the kustomization counts, wherever it is.
    let both = ["error base/kustomization.yaml:1:1", "warning base/kustomization.yaml:1:1"];
    assert_eq!(told(&findings([overlay, base], &[])), both);
}

#[test]
fn a_circle_is_told_once_however_it_is_walked() {
    let files = [
        ("a/kustomization.yaml", "resources: [../b]\n"),
        ("b/kustomization.yaml", "resources:\n- ../c\n- ../d\n"),
        ("c/kustomization.yaml", "namePrefix: c-\n"),
        ("d/kustomization.yaml", "resources: [../c, ../a]\n"),
        ("e/kustomization.yaml", "resources: [../b]\n"),
    ];
    let found = findings(files, &[]);
    assert_eq!(told(&found), ["error d/kustomization.yaml:1:19"]);
    assert!(
        found[0].evidence.contains("a/kustomization.yaml → b/kustomization.yaml → d/kustomization.yaml → a/")
    );
}

#[test]
fn a_long_chain_and_a_long_list_are_walked() {
    let chain: Vec<(String, String)> = (0..3000)
        .map(|n| (format!("{n}/kustomization.yaml"), format!("resources: [../{}]\n", (n + 1) % 3000)))
        .collect();
    let found = findings(chain.iter().map(|(path, text)| (path.as_str(), text.as_str())), &[]);
    assert_eq!(told(&found).len(), 1);
    let list: String = (0..1000).map(|n| format!("- {n}.yaml\n")).collect();
    let found = findings([("kustomization.yaml", format!("resources:\n{list}").as_str())], &[]);
    assert_eq!(found.len(), 101);
    assert!(found.iter().any(|finding| finding.evidence == "there are 900 mistakes more"));
    let list: String = (0..60_000).map(|n| format!("- {n}.yaml\n")).collect();
    let found = findings([("kustomization.yaml", format!("resources:\n{list}").as_str())], &[]);
    assert_eq!(told(&found), ["warning kustomization.yaml:1:1"]);
}

#[test]
fn remote_resources_are_not_asked_for() {
    for remote in [
        "https://example.com/a.yaml",
        "github.com/example/shop//deploy?ref=v1",
        "git@github.com:example/shop.git",
        "ssh://git@example.com/shop.git",
        "git.example.com/shop/config",
    ] {
        let text = format!("resources: ['{remote}']\n");
        assert_eq!(told(&findings([("kustomization.yaml", text.as_str())], &[])), [""; 0], "{remote}");
    }
}
