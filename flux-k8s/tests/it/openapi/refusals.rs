//! What `check` finds, beside what the API server refuses, of thousands of objects with a mistake.

use std::{collections::BTreeMap, sync::Arc};

use flux_core::{
    Finding, Severity,
    deployer::Deployer,
    memory::{MemoryCluster, MemoryRegistry, MemoryRepo},
};
use serde_json::Value;

use super::{
    mutations::{Mutant, mutants},
    samples,
    server::Server,
};

/// Checks an object as a file of a repository has it.
async fn check(object: &Value) -> Vec<Finding> {
    let repo = MemoryRepo::new([("object.yaml", object.to_string())]);
    let (registry, cluster) = (Arc::new(MemoryRegistry::new()), Arc::new(MemoryCluster::new()));
    let report = Deployer::new(Arc::new(repo), registry, cluster).check().await.unwrap();
    report.findings.into_iter().filter(|finding| finding.severity() == Severity::Error).collect()
}

/// Returns what a refusal is about, without names and values.
fn kind_of(refusal: &str) -> String {
    let words = [
        "field not declared in schema", "duplicate entries for key", "expected string", "expected numeric",
        "expected boolean", "expected list", "expected map", "cannot convert", "cannot unmarshal", "null element",
        "Required value", "Unsupported value", "Duplicate value", "Not found", "Forbidden", "Too long", "Too many",
        "Invalid value", "illegal base64", "quantities must match", "cannot parse", "omits",
    ];
    let word = words.iter().find(|word| refusal.contains(**word));
    word.map_or_else(|| refusal.chars().take(80).collect(), |word| (*word).to_owned())
}

#[tokio::test]
async fn what_is_found_is_refused() {
    let Some(kube) = flux_test_support::kube() else { return };
    let server = Server::of(&kube).await;
    let samples = samples::all(&server.namespace);
    let mut wrong = Vec::new();
    for sample in &samples {
        wrong.extend(check(sample).await.into_iter().map(|finding| format!("a sample is valid: {finding}")));
    }
    let (mut both, mut neither) = (0, 0);
    let mut missed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Mutant { mutation, pointer, object } in samples.iter().flat_map(mutants) {
        let (found, refused) = (check(&object).await, server.refuses(&object).await);
        let named = || format!("{} {mutation} at {pointer}", object["kind"]);
        match (found.as_slice(), refused) {
            ([], None) => neither += 1,
            ([_, ..], Some(_)) => both += 1,
            ([first, ..], None) => wrong.push(format!("{}: {first}", named())),
            ([], Some(refusal)) => {
                let refusal = refusal.chars().take(300).collect::<String>();
                missed.entry(kind_of(&refusal)).or_default().push(format!("{}: {refusal}", named()));
            }
        }
    }
    let not_found: usize = missed.values().map(Vec::len).sum();
    println!("{both} found and refused, {neither} neither, {not_found} refused and not found");
    for (kind, cases) in &missed {
        println!("{} {kind}", cases.len());
        cases.iter().for_each(|case| println!("    {case}"));
    }
    assert_eq!(wrong, [""; 0], "{} findings, and the server takes the object", wrong.len());
}
