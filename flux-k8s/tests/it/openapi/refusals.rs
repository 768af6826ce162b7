//! The findings of `check` beside the refusals of the API server, for objects with a mistake each.

use std::{collections::BTreeMap, fmt, sync::Arc};

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
use crate::support::eventually;

/// Checks an object as a file of a repository has it, beside other objects in other files.
async fn check(object: &Value, others: &[Value]) -> Vec<Finding> {
    let others = others.iter().enumerate().map(|(n, other)| (format!("{n}.yaml"), other.to_string()));
    let repo = MemoryRepo::new(others.chain([("object.yaml".to_owned(), object.to_string())]));
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

/// The same, of objects of the kind that is defined.
const LEAST_SHARE_OF_CUSTOM: usize = 75;

/// How many of the mutants are tried: one in so many; `FLUX_ALL_MUTANTS=1` tries them all, which
/// takes some minutes.
const ONE_IN: u64 = 8;

/// Returns `true` for the mutants that are tried: the same in each run.
fn is_tried(n: usize) -> bool {
    let mixed = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    std::env::var_os("FLUX_ALL_MUTANTS").is_some() || mixed.is_multiple_of(ONE_IN)
}

#[tokio::test]
async fn what_is_found_is_refused() {
    let Some(kube) = flux_test_support::kube() else { return };
    let server = Server::of(&kube).await;
    let samples = samples::all(&server.namespace);
    let tried = samples.iter().flat_map(mutants).enumerate().filter(|(n, _)| is_tried(*n));
    let compared = compare(&server, &samples, tried.map(|(_, mutant)| mutant).collect(), &[]).await;
    println!("{compared}");
    compared.is_right(1_000, LEAST_SHARE);
}

const DEFINITION: &str = include_str!("definition.yaml");

#[tokio::test]
async fn what_is_found_of_kinds_that_git_defines_is_refused() {
    let Some(kube) = flux_test_support::kube() else { return };
    let server = Server::of(&kube).await;
    kube.kubectl_with(&["apply", "-f", "-"], DEFINITION);
    let name = "things.checked.example.com";
    kube.kubectl(&["wait", "--for=condition=Established", "--timeout=30s", "crd", name]);
    let read = |text: &str| -> Vec<Value> {
        let file = flux_core::workload::parse(text.as_bytes());
        file.resources.iter().map(|resource| resource.object.value()).collect()
    };
    let definition = read(DEFINITION);
    let mut thing = read(THING);
    for thing in &mut thing {
        thing["metadata"]["namespace"] = server.namespace.clone().into();
    }
    // The schema is served a moment after the kind is.
    let mut unknown = thing[0].clone();
    unknown["spec"]["other"] = 1.into();
    eventually("the schema is served", async || server.refuses(&unknown).await.map(|_| ())).await;
    let compared = compare(&server, &thing, thing.iter().flat_map(mutants).collect(), &definition).await;
    println!("{compared}");
    compared.is_right(400, LEAST_SHARE_OF_CUSTOM);
}

const THING: &str = "\
apiVersion: checked.example.com/v1
kind: Thing
metadata: {name: thing, labels: {a: b}, annotations: {c: d}}
spec:
  size: 3
  count: 7
  ratio: 1.5
  colour: red
  free: text
  since: '2030-01-02T03:04:05Z'
  port: http
  isOn: true
  open: {known: text, more: [1, two]}
  anything: {x: 1}
  table: {a: b}
  named: [{name: a, value: b}, {name: c}]
  unique: [a, b]
  plain: [a, a]
  defaulted: {other: 1}
  embedded: {apiVersion: v1, kind: ConfigMap, metadata: {name: inner}, data: {a: b}}
";

/// Compares what is found in mutants with what the server refuses; the other objects are in git as
/// well.
async fn compare(server: &Server, samples: &[Value], tried: Vec<Mutant>, others: &[Value]) -> Comparison {
    let mut wrong = Vec::new();
    for sample in samples {
        wrong.extend(server.refuses(sample).await);
        wrong.extend(
            check(sample, others).await.into_iter().map(|finding| format!("a sample is valid: {finding}")),
        );
    }
    let (mut both, mut neither, mut wrapped) = (0, 0, 0);
    let mut missed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Mutant { mutation, pointer, object } in tried {
        let (found, refused) = (check(&object, others).await, server.refuses(&object).await);
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
    Comparison { both, neither, wrapped, missed, wrong }
}

/// The findings about mutants beside the refusals.
struct Comparison {
    both: usize,
    neither: usize,
    wrapped: usize,
    /// The refusals of which nothing was found, by kind.
    missed: BTreeMap<String, Vec<String>>,
    /// The findings about objects that the server takes.
    wrong: Vec<String>,
}

impl Comparison {
    /// Expects no wrong finding, so many cases, and that so many refusals in 100 were found.
    #[track_caller]
    fn is_right(&self, least_cases: usize, least_share: usize) {
        let Self { both, neither, wrapped, missed, wrong } = self;
        assert_eq!(*wrong, [""; 0], "{} findings, and the server takes the object", wrong.len());
        let not_found: usize = missed.values().map(Vec::len).sum();
        let cases = both + neither + wrapped + not_found;
        assert!(cases >= least_cases, "only {cases} cases");
        let share = both * 100 / (both + not_found);
        assert!(share >= least_share, "of what the server refuses, {share} in 100 are found");
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { both, neither, wrapped, missed, wrong } = self;
        let not_found: usize = missed.values().map(Vec::len).sum();
        writeln!(f, "{both} found and refused, {neither} neither, {not_found} refused and not found")?;
        writeln!(f, "{wrapped} found, and the server keeps another number than the one that is written")?;
        writeln!(f, "{} found and taken", wrong.len())?;
        for (kind, cases) in missed {
            writeln!(f, "{} {kind}\n    {}", cases.len(), cases.join("\n    "))?;
        }
        Ok(())
    }
}
