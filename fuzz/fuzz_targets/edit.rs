//! Edits of any file are proven or refused.
//!
//! A proven edit changes only the bytes of the edits, and the new text has the intended content.

#![no_main]

use std::{collections::BTreeMap, sync::Arc};

use flux_core::{RepoPath, edit::{Edit, EditError, ImageChange, Intent, annotation_edits, image_edits, prove}, image::ImageRef, manifest_set::Manifests, workload::parse};
use libfuzzer_sys::fuzz_target;

const PATH: &str = "kustomization.yaml";

fuzz_target!(|bytes: &[u8]| {
    let file = Arc::new(parse(bytes));
    for index in 0..file.resources.len() {
        for value in [Some("1.20".to_owned()), None] {
            let changes = BTreeMap::from([("fluxcd.io/automated".to_owned(), value)]);
            if let Ok((edits, intents)) = annotation_edits(bytes, index, &changes) {
                check(bytes, &edits, &intents);
            }
        }
    }
    // In two files, so that a kustomization may be about objects that stand beside it.
    let files = [PATH, "a.yaml"].map(|path| (path.parse().expect("a path"), file.clone()));
    let manifests = Manifests::new(BTreeMap::from(files));
    let images: Vec<_> = manifests
        .resources()
        .flat_map(|located| {
            let path = located.path.clone();
            located.resource.workload.iter().flatten().map(move |c| (path.clone(), c)).collect::<Vec<_>>()
        })
        .filter_map(|(path, container)| Some((path, container, next(container.image.as_ref().ok()?))))
        .collect();
    let changes: Vec<_> =
        images.iter().map(|(path, container, to)| ImageChange { path, container, to }).collect();
    let mut all: BTreeMap<RepoPath, (Vec<Edit>, Vec<Intent>)> = BTreeMap::new();
    for placed in image_edits(&changes).into_iter().flatten().flatten() {
        let (edits, intents) = all.entry(placed.path).or_default();
        edits.push(placed.edit);
        intents.push(placed.intent);
    }
    for (edits, intents) in all.values() {
        check(bytes, edits, intents);
    }
});

fn next(image: &ImageRef) -> ImageRef {
    ImageRef { tag: "1.20".parse().ok(), ..image.clone() }
}

/// Edits fit the file that they were made for, and a proof holds.
fn check(bytes: &[u8], edits: &[Edit], intents: &[Intent]) {
    match prove(bytes, edits, intents) {
        Ok(edited) => {
            let read = parse(&edited);
            for intent in intents {
                let value = read.resources[intent.resource].object.at(&intent.pointer);
                assert_eq!(value, intent.value, "{}", intent.pointer);
            }
        }
        Err(EditError::NotProven(_)) => {}
        Err(error) => panic!("{error}"),
    }
}
