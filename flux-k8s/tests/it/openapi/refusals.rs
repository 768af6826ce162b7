//! What `check` finds, beside what the API server refuses, of thousands of objects with a mistake.

use std::{collections::BTreeMap, sync::Arc};

use flux_core::{
    Code, Finding, Severity,
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
    // That no node can pull an image is none of the API server's business.
    let counts = |finding: &Finding| {
        finding.severity() == Severity::Error
            && !matches!(finding.code, Code::InvalidImage | Code::InvalidWorkload)
    };
    report.findings.into_iter().filter(counts).collect()
}

/// Returns what a refusal is about, without names and values.
fn kind_of(refusal: &str) -> String {
    let words = [
        "field not declared in schema",
        "duplicate entries for key",
        "expected string",
        "expected numeric",
        "expected boolean",
        "expected list",
        "expected map",
        "cannot convert",
        "cannot unmarshal",
        "null element",
        "Required value",
        "Unsupported value",
        "Duplicate value",
        "Not found",
        "Forbidden",
        "Too long",
        "Too many",
        "Invalid value",
        "illegal base64",
        "quantities must match",
        "cannot parse",
        "omits",
    ];
    let word = words.iter().find(|word| refusal.contains(**word));
    word.map_or_else(|| refusal.chars().take(80).collect(), |word| (*word).to_owned())
}

/// The one mistake that the server takes: of a number past 32 bits it keeps the lower ones. Where
/// these are negative, most fields do not take them.
const WRAPPED: &str = "3000000000";

/// The refusals in 100 that are found at least; of all mutants it is 82.
const LEAST_SHARE: usize = 80;

/// How many of the mutants are tried: one in so many; `FLUX_ALL_MUTANTS=1` tries them all, which
/// takes some minutes.
const ONE_IN: u64 = 8;

/// Returns `true` for the mutants that are tried: the same in each run.
fn is_tried(n: usize) -> bool {
    let mixed = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    std::env::var_os("FLUX_ALL_MUTANTS").is_some() || mixed % ONE_IN == 0
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
    let (mut both, mut neither, mut wrapped) = (0, 0, 0);
    let mut missed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let tried = samples.iter().flat_map(mutants).enumerate().filter(|(n, _)| is_tried(*n));
    for Mutant { mutation, pointer, object } in tried.map(|(_, mutant)| mutant) {
        let (found, refused) = (check(&object).await, server.refuses(&object).await);
        let named = || format!("{} {mutation} at {pointer}", object["kind"]);
        match (found.as_slice(), refused) {
            ([], None) => neither += 1,
            ([_, ..], Some(_)) => both += 1,
            ([first, ..], None) if first.evidence.contains(WRAPPED) => wrapped += 1,
            ([first, ..], None) => wrong.push(format!("{}: {first}", named())),
            ([], Some(refusal)) => {
                let refusal = refusal.chars().take(300).collect::<String>();
                missed.entry(kind_of(&refusal)).or_default().push(format!("{}: {refusal}", named()));
            }
        }
    }
    let not_found: usize = missed.values().map(Vec::len).sum();
    let cases = both + neither + wrapped + not_found + wrong.len();
    println!("{cases} cases");
    println!("{wrapped} found, and the server keeps another number than the one that is written");
    println!("{both} found and refused, {neither} neither, {not_found} refused and not found");
    for (kind, cases) in &missed {
        println!("{} {kind}", cases.len());
        cases.iter().for_each(|case| println!("    {case}"));
    }
    assert_eq!(wrong, [""; 0], "{} findings, and the server takes the object", wrong.len());
    assert!(cases > 400, "only {cases} cases");
    let share = both * 100 / (both + not_found);
    assert!(share >= LEAST_SHARE, "of what the server refuses, {share} in 100 are found");
}
