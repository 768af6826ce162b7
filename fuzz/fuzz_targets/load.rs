//! Any bytes are a file that can be loaded.
//!
//! It is read without a panic, its parse comes back from a cache unchanged, and a repository can be
//! made of it.

#![no_main]

use std::{collections::BTreeMap, sync::Arc};

use flux_core::{manifest::ParsedFile, manifest_set::Manifests, workload::parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let file = parse(bytes);
    let stored = serde_json::to_string(&file).expect("a parse can be stored");
    let read: ParsedFile = serde_json::from_str(&stored).expect("what is stored can be read");
    assert_eq!(read, file);
    let file = Arc::new(file);
    // The file is an object's and a kustomization's at once, so that it may speak of itself.
    let paths = ["a.yaml", "b/kustomization.yaml", "kustomization.yaml"];
    let files = paths.map(|path| (path.parse().expect("a path"), file.clone()));
    let manifests = Manifests::new(BTreeMap::from(files));
    manifests.findings();
    assert!(manifests.workloads().count() <= manifests.resources().count());
});
