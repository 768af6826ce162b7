//! Findings about kustomizations, compared with the verdicts of kustomize.

use std::{collections::BTreeMap, sync::Arc};

use flux_core::{
    deployer::Deployer,
    finding::{Code, Finding},
    generate::Generation,
    memory::{MemoryCluster, MemoryRegistry, MemoryRepo},
};
use futures::executor::block_on;
use serde::Deserialize;

/// Folders `x` with a kustomization, and the verdict of kustomize 5.5 (`kubectl kustomize x`).
///
/// The tests on real servers compare them with kustomize again.
#[derive(Debug, Deserialize)]
struct Verdicts {
    /// The files that are there in every case.
    beside: BTreeMap<String, String>,
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
struct Case {
    kustomize: String,
    files: BTreeMap<String, String>,
    findings: Vec<String>,
    /// The reason that it is only a warning.
    because: Option<String>,
}

fn findings<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>, paths: &[&str]) -> Vec<Finding> {
    let files = files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned()));
    let repo = MemoryRepo::new(files).with_paths(paths);
    let (registry, cluster) = (Arc::new(MemoryRegistry::new()), Arc::new(MemoryCluster::new()));
    let generation = Generation::off(paths.iter().map(|path| (*path).to_owned()).collect());
    let deployer = Deployer::new(Arc::new(repo), registry, cluster).with_generation(generation);
    block_on(deployer.check()).unwrap().findings
}

/// Returns `error path:line:column` for each finding about a kustomization.
fn reported(findings: &[Finding]) -> Vec<String> {
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
fn mistakes_are_reported_at_their_line_and_what_kustomize_takes_is_no_error() {
    let Verdicts { beside, cases } = serde_json::from_str(include_str!("verdicts.json")).unwrap();
    for case in cases {
        let files = beside.iter().chain(&case.files).map(|(path, text)| (path.as_str(), text.as_str()));
        let found = findings(files, &[]);
        assert_eq!(reported(&found), case.findings, "{:?}\n{found:?}", case.files);
        let is_error = case.findings.iter().any(|text| text.starts_with("error"));
        let is_refused = case.kustomize == "refuses";
        assert_eq!(is_error || case.because.is_some(), is_refused, "{case:?}");
    }
}

const BUILDS: &str = "resources: [../base]\n";

#[test]
fn paths_that_the_tree_does_not_show_are_not_checked() {
    let (overlay, base) =
        (("prod/kustomization.yaml", BUILDS), ("base/kustomization.yaml", "nameprefix: [1]\n"));
    assert_eq!(reported(&findings([overlay], &[])), ["error prod/kustomization.yaml:1:13"]);
    assert_eq!(reported(&findings([overlay], &["prod"])), [""; 0]);
    assert_eq!(reported(&findings([overlay, base], &["prod"])), [""; 0]);
    // A listed kustomization is checked, wherever it is.
    let both = ["error base/kustomization.yaml:1:1", "warning base/kustomization.yaml:1:1"];
    assert_eq!(reported(&findings([overlay, base], &[])), both);
}

#[test]
fn a_circle_is_reported_once_wherever_the_search_starts() {
    let files = [
        ("a/kustomization.yaml", "resources: [../b]\n"),
        ("b/kustomization.yaml", "resources:\n- ../c\n- ../d\n"),
        ("c/kustomization.yaml", "namePrefix: c-\n"),
        ("d/kustomization.yaml", "resources: [../c, ../a]\n"),
        ("e/kustomization.yaml", "resources: [../b]\n"),
    ];
    let found = findings(files, &[]);
    assert_eq!(reported(&found), ["error d/kustomization.yaml:1:19"]);
    let circle = found.iter().find(|finding| finding.code == Code::InvalidKustomization).unwrap();
    let round = "a/kustomization.yaml → b/kustomization.yaml → d/kustomization.yaml → a/";
    assert!(circle.evidence.contains(round), "{circle}");
}

#[test]
fn circles_of_many_are_reported_in_few_words() {
    const COUNT: usize = 150;
    let list: String = (0..COUNT).map(|n| format!("- ../{n:03}\n")).collect();
    let files: Vec<(String, String)> = (0..COUNT)
        .map(|n| {
            let others = list.replace(&format!("- ../{n:03}\n"), "");
            (format!("{n:03}/kustomization.yaml"), format!("resources:\n{others}"))
        })
        .collect();
    let found = findings(files.iter().map(|(path, text)| (path.as_str(), text.as_str())), &[]);
    let of_last: Vec<&Finding> = found.iter().filter(|f| f.subject == "149/kustomization.yaml").collect();
    assert_eq!(of_last.len(), 101);
    assert!(of_last.iter().any(|finding| finding.evidence == "there are 49 mistakes more"));
    let first: String = (0..9).map(|n| format!("{n:03}/kustomization.yaml → ")).collect();
    let rest = "140 more → 149/kustomization.yaml → 000/kustomization.yaml";
    let whole = format!("it leads round in a circle: {first}{rest}");
    assert!(found.iter().any(|finding| finding.evidence == whole));
    assert!(found.iter().all(|finding| finding.evidence.len() <= whole.len()));
}

#[test]
fn an_unreadable_file_is_reported_once() {
    let sealed = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nsops: {mac: x}\n";
    let codes = |files: &[(&str, &str)], paths: &[&str]| -> Vec<Code> {
        findings(files.iter().copied(), paths).into_iter().map(|finding| finding.code).collect()
    };
    assert_eq!(codes(&[("kustomization.yaml", sealed)], &[]), [Code::Encrypted]);
    assert_eq!(codes(&[("kustomization.yaml", "a: [\n")], &[]), [Code::InvalidYaml]);
}

#[test]
fn a_long_chain_and_a_long_list_are_walked() {
    let chain: Vec<(String, String)> = (0..3000)
        .map(|n| (format!("{n}/kustomization.yaml"), format!("resources: [../{}]\n", (n + 1) % 3000)))
        .collect();
    let found = findings(chain.iter().map(|(path, text)| (path.as_str(), text.as_str())), &[]);
    assert_eq!(reported(&found).len(), 1);
    let list: String = (0..1000).map(|n| format!("- {n}.yaml\n")).collect();
    let found = findings([("kustomization.yaml", format!("resources:\n{list}").as_str())], &[]);
    assert_eq!(found.len(), 101);
    assert!(found.iter().any(|finding| finding.evidence == "there are 900 mistakes more"));
    let list: String = (0..60_000).map(|n| format!("- {n}.yaml\n")).collect();
    let found = findings([("kustomization.yaml", format!("resources:\n{list}").as_str())], &[]);
    assert_eq!(reported(&found), ["warning kustomization.yaml:1:1"]);
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
        assert_eq!(reported(&findings([("kustomization.yaml", text.as_str())], &[])), [""; 0], "{remote}");
    }
}

#[test]
fn fields_that_only_a_kustomize_run_applies_are_reported_where_none_is_run() {
    let web = ("web.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    for (kustomization, place) in [
        ("resources: [web.yaml]\nimages: [{name: x, newTag: v2}]\n", None),
        (
            "resources: [web.yaml]\nnamePrefix: a-\ncommonAnnotations: {fluxcd.io/locked: 'true'}\n",
            Some("kustomization.yaml:3:1"),
        ),
    ] {
        let found = findings([("kustomization.yaml", kustomization), web], &[]);
        let places: Vec<String> = found
            .iter()
            .filter(|finding| finding.code == Code::NotBuilt)
            .map(|finding| finding.place.as_ref().unwrap().to_string())
            .collect();
        assert_eq!(places, Vec::from_iter(place), "{found:?}");
    }
}
