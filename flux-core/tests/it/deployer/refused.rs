//! The files of the corpus: `check` says nothing of them that the API server does not refuse.

use std::{fs, path::PathBuf, sync::Arc};

use flux_core::{
    Code, Finding,
    deployer::Deployer,
    memory::{MemoryCluster, MemoryRegistry, MemoryRepo},
};

async fn check(path: &str, text: Vec<u8>) -> Vec<Finding> {
    let repo = MemoryRepo::new([(path.to_owned(), text)]);
    let (registry, cluster) = (Arc::new(MemoryRegistry::new()), Arc::new(MemoryCluster::new()));
    let report = Deployer::new(Arc::new(repo), registry, cluster).check().await.unwrap();
    let is_refusal = |finding: &Finding| {
        matches!(finding.code, Code::InvalidField | Code::InvalidMetadata | Code::DuplicateItem)
    };
    report.findings.into_iter().filter(is_refusal).collect()
}

/// The findings, each of which is right; that workloads are written without the selector and the
/// template that they need is left out.
const FOUND: [&str; 13] = [
    "anchors.yaml:15:19 `metadata.labels.image` is `example/app:1.0`",
    "anchors.yaml:15:19 `spec.selector.matchLabels.image` is `example/app:1.0`",
    "anchors.yaml:15:19 `spec.template.metadata.labels.image` is `example/app:1.0`",
    "anchors.yaml:31:1 the object has no field `x-defaults`",
    "anchors.yaml:44:11 `spec.jobTemplate.spec.template.spec` has no `restartPolicy`",
    "anchors.yaml:49:23 `spec.jobTemplate.spec.template.spec.containers` is empty",
    "annotations.yaml:60:12 `metadata.annotations.truth` is the truth value true",
    "annotations.yaml:61:13 `metadata.annotations.number` is the number 1.2",
    "list.yaml:27:66 `spec` has no `ports`",
    "unicode.yaml:8:5 `metadata.annotations` has the key `漢字`",
    "unicode.yaml:9:5 `metadata.annotations` has the key `💡`",
    "unicode.yaml:19:16 `spec.template.spec.containers[0].name` is `名`",
    "unicode.yaml:20:15 `spec.template.spec.containers[1].name` is `über`",
];

#[tokio::test]
async fn nothing_is_said_of_the_corpus_that_is_not_right() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        names.filter(|name| name.contains('.') && !name.contains(".expected")).collect();
    names.sort();
    let mut found = Vec::new();
    for name in names.iter().filter(|name| folder.join(name).is_file()) {
        for finding in check(name, fs::read(folder.join(name)).unwrap()).await {
            let position = finding.place.unwrap().position;
            found.push(format!("{name}:{position} {}", finding.evidence));
        }
    }
    let needs = ["has no `selector`, which", "has no `template`, which"];
    found.retain(|line| !needs.iter().any(|needed| line.contains(needed)));
    assert_eq!(found.len(), FOUND.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(FOUND) {
        assert!(found.starts_with(expected), "{found} {expected}");
    }
}
