//! The corpus: difficult files as people write them, edits, and the bytes that must result.
//!
//! A file is edited into the one with `.expected` in its name, and the files of a folder into those
//! of the folder with `.expected`. Every file, the expected ones too, must stay unchanged by a
//! parse and no edit, must be the same after an annotation is added and removed, and must take a
//! new tag wherever it has no reason to refuse it.

mod cases;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use cases::{CASES, REPOSITORIES, Step};
use flux_core::{
    Code, RepoPath,
    edit::{Edit, EditError, ImageChange, Intent, annotation_edits, image_edits, prove},
    image::ImageRef,
    manifest::Resource,
    manifest_set::Manifests,
    workload::parse,
};
use proptest::prelude::*;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn edits(source: &[u8], steps: &[Step]) -> (Vec<Edit>, Vec<Intent>) {
    let file = parse(source);
    let index = |object: &str| {
        let (namespace, name) = object.split_once('/').map_or((None, object), |(ns, name)| (Some(ns), name));
        let is_named =
            |r: &Resource| r.name == name && namespace.is_none_or(|ns| r.namespace.as_deref() == Some(ns));
        let found = file.resources.iter().position(is_named);
        found.unwrap_or_else(|| panic!("no {object}"))
    };
    let (mut edits, mut intents) = (Vec::new(), Vec::new());
    let mut annotations: BTreeMap<usize, BTreeMap<String, Option<String>>> = BTreeMap::new();
    let mut images = Vec::new();
    for step in steps {
        match *step {
            Step::Image(object, container, to) => {
                let containers = file.resources[index(object)].workload.iter().flatten();
                let container = containers.into_iter().find(|c| c.name == container).unwrap();
                images.push((container, to.parse().unwrap()));
            }
            Step::Set(object, key, value) => {
                annotations.entry(index(object)).or_default().insert(key.to_owned(), Some(value.to_owned()));
            }
            Step::Remove(object, key) => {
                annotations.entry(index(object)).or_default().insert(key.to_owned(), None);
            }
        }
    }
    let path = "a.yaml".parse().unwrap();
    let changes: Vec<_> =
        images.iter().map(|(container, to)| ImageChange { path: &path, container, to }).collect();
    for placed in image_edits(&changes).into_iter().flat_map(Result::unwrap) {
        edits.push(placed.edit);
        intents.push(placed.intent);
    }
    for (index, changes) in annotations {
        let (more, wanted) = annotation_edits(source, index, &changes).unwrap();
        edits.extend(more);
        intents.extend(wanted);
    }
    (edits, intents)
}

#[test]
fn each_file_is_edited_to_the_byte() {
    for (name, steps) in CASES {
        let (stem, extension) = name.split_once('.').unwrap_or((name, "yaml"));
        let source = fs::read(folder().join(format!("{stem}.{extension}"))).unwrap();
        let (edits, intents) = edits(&source, steps);
        let edited = prove(&source, &edits, &intents).unwrap_or_else(|e| panic!("{name}: {e}"));
        let path = folder().join(format!("{stem}.expected.{extension}"));
        if std::env::var_os("UPDATE_CORPUS").is_some() {
            fs::write(&path, &edited).unwrap();
        }
        let expected = fs::read(&path).unwrap();
        assert_eq!(String::from_utf8(edited).unwrap(), String::from_utf8(expected).unwrap(), "{name}");
    }
}

/// Returns the files of a folder and those below, by their paths from it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with('.') {
            // Git's own configuration is no part of the corpus.
        } else if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(below, text)| (format!("{name}/{below}"), text)));
        } else {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn each_repository_is_edited_to_the_byte() {
    for (name, images) in REPOSITORIES {
        let mut texts = files(&folder().join(name));
        let parsed =
            texts.iter().map(|(path, text)| (path.parse().unwrap(), Arc::new(parse(text)))).collect();
        let manifests = Manifests::new(parsed);
        assert_eq!(manifests.findings(), [], "{name}");
        let targets: Vec<ImageRef> = images.iter().map(|(.., to)| to.parse().unwrap()).collect();
        let change = |(&(id, container, _), to): (&(&str, &str, &str), _)| {
            let located = manifests.workload(&id.parse().unwrap()).unwrap();
            let container = located.resource.workload.iter().flatten().find(|c| c.name == container).unwrap();
            ImageChange { path: located.path, container, to }
        };
        let changes: Vec<_> = images.iter().zip(&targets).map(change).collect();
        let mut by_path: BTreeMap<RepoPath, (Vec<Edit>, Vec<Intent>)> = BTreeMap::new();
        for placed in
            image_edits(&changes).into_iter().flat_map(|e| e.unwrap_or_else(|e| panic!("{name}: {e}")))
        {
            let (edits, intents) = by_path.entry(placed.path).or_default();
            edits.push(placed.edit);
            intents.push(placed.intent);
        }
        for (path, (edits, intents)) in by_path {
            let edited = prove(&texts[path.as_str()], &edits, &intents)
                .unwrap_or_else(|e| panic!("{name}/{path}: {e}"));
            texts.insert(path.into(), edited);
        }
        let expected = folder().join(format!("{name}.expected"));
        if std::env::var_os("UPDATE_CORPUS").is_some() {
            for (path, text) in &texts {
                let path = expected.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
        }
        let text = |files: BTreeMap<String, Vec<u8>>| -> BTreeMap<String, String> {
            files.into_iter().map(|(path, text)| (path, String::from_utf8(text).unwrap())).collect()
        };
        assert_eq!(text(texts), text(files(&expected)), "{name}");
    }
}

#[test]
fn what_is_not_edited_is_not_changed() {
    let mut whole = 0;
    for (path, source) in files(&folder()) {
        assert_eq!(prove(&source, &[], &[]).unwrap(), source, "{path}");
        whole += usize::from(!path.contains('/'));
    }
    assert_eq!(whole, CASES.len() * 2, "every file of the corpus is in the table");
}

#[test]
fn an_annotation_that_comes_and_goes_leaves_no_trace() {
    let change =
        |value: Option<&str>| BTreeMap::from([("fluxcd.io/corpus".to_owned(), value.map(str::to_owned))]);
    for (path, source) in files(&folder()) {
        for (index, resource) in parse(&source).resources.iter().enumerate() {
            let what = format!("{path}, {}", resource.name);
            let (edits, intents) = match annotation_edits(&source, index, &change(Some("1.20"))) {
                Ok(edits) => edits,
                Err(error) => {
                    assert!(
                        resource.is_encrypted() || resource.name.is_empty() || SHARED.contains(&&*what),
                        "{what}: {error}"
                    );
                    continue;
                }
            };
            let with = prove(&source, &edits, &intents).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(
                parse(&with).resources[index].annotations.get("fluxcd.io/corpus").unwrap().value,
                "1.20",
                "{what}"
            );
            let (edits, intents) = annotation_edits(&with, index, &change(None)).unwrap();
            let without = prove(&with, &edits, &intents).unwrap_or_else(|e| panic!("{what}: {e}"));
            let annotations = resource.object.at("/metadata/annotations");
            // A key without annotations is removed with the last of them, whoever wrote it.
            if !annotations.is_some_and(|a| a.as_object().is_none_or(serde_json::Map::is_empty)) {
                assert_eq!(
                    String::from_utf8(without).unwrap(),
                    String::from_utf8(source.clone()).unwrap(),
                    "{what}"
                );
            }
        }
    }
}

/// The objects whose annotations are shared with others.
const SHARED: [&str; 2] = ["merge-keys.yaml, parts", "merge-keys.expected.yaml, parts"];

#[test]
fn each_image_takes_a_new_tag_or_says_why_not() {
    for (path, source) in files(&folder()) {
        for container in parse(&source).resources.iter().flat_map(|r| r.workload.iter().flatten()) {
            let what = format!("{path}, {}", container.name);
            let Ok(image) = &container.image else { continue };
            for tag in ["1.20", "v1.20", "null"] {
                let to = ImageRef { tag: tag.parse().ok(), digest: None, ..image.clone() };
                match container.edits(&to) {
                    Ok(edits) => {
                        let (edits, intents): (Vec<_>, Vec<_>) = edits.into_iter().unzip();
                        let edited =
                            prove(&source, &edits, &intents).unwrap_or_else(|e| panic!("{what}: {e}"));
                        let file = parse(&edited);
                        let mut all = file.resources[container.resource].workload.iter().flatten();
                        assert!(
                            all.any(|c| c.name == container.name && c.image.as_ref() == Ok(&to)),
                            "{what}"
                        );
                    }
                    Err(error) => {
                        let refused = container.sites.iter().any(|site| site.refused.is_some());
                        assert!(refused, "{what}: {error}");
                    }
                }
            }
        }
    }
}

/// The codes of the findings for files of the corpus.
///
/// All other files have none.
const FINDINGS: [(&str, &[Code]); 4] = [
    (
        "broken-neighbours.yaml",
        &[Code::InvalidYaml, Code::Template, Code::InvalidImage, Code::NotForKubernetes, Code::InvalidYaml],
    ),
    ("references.yaml", &[Code::DuplicateKey]),
    ("scalars.yaml", &[Code::InvalidImage]),
    ("sealed.yaml", &[Code::Encrypted]),
];

#[test]
fn the_findings_for_a_file_stay_when_it_is_edited() {
    let findings = |expected: bool| -> BTreeMap<String, Vec<Code>> {
        let files = files(&folder()).into_iter().filter(|(path, _)| path.contains(".expected") == expected);
        let codes = |source: &[u8]| parse(source).problems.iter().map(|problem| problem.code).collect();
        let codes_by_path = files.map(|(path, source)| (path.replace(".expected", ""), codes(&source)));
        codes_by_path.filter(|(_, codes): &(_, Vec<Code>)| !codes.is_empty()).collect()
    };
    assert_eq!(
        findings(false),
        BTreeMap::from(FINDINGS.map(|(path, codes)| (path.to_owned(), codes.to_vec())))
    );
    assert_eq!(findings(false), findings(true));
}

/// Returns a file of the corpus with the mistakes of a careless edit: lines lost, doubled and
/// moved.
fn slipped() -> impl Strategy<Value = String> {
    let sources: Vec<String> =
        files(&folder()).into_values().map(|source| String::from_utf8(source).unwrap()).collect();
    let slips =
        prop::collection::vec((0..4_u8, any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..4);
    (prop::sample::select(sources), slips).prop_map(|(source, slips)| {
        let mut lines: Vec<&str> = source.split_inclusive('\n').collect();
        for (kind, from, to) in slips {
            let (from, to) = (from.index(lines.len()), to.index(lines.len()));
            match kind {
                0 => lines.insert(to, lines[from]),
                1 => lines.swap(from, to),
                2 if lines.len() > 1 => drop(lines.remove(from)),
                _ => lines.insert(to, "\n"),
            }
        }
        lines.concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_a_careless_edit_images_are_edited_or_refused(text in slipped()) {
        let source = text.as_bytes();
        let file = parse(source);
        let change = BTreeMap::from([("fluxcd.io/corpus".to_owned(), Some("1.20".to_owned()))]);
        for index in 0..file.resources.len() {
            if let Ok((edits, intents)) = annotation_edits(source, index, &change) {
                let proof = prove(source, &edits, &intents);
                prop_assert!(matches!(proof, Ok(_) | Err(EditError::NotProven(_))), "{:?}", proof);
            }
        }
        let all = file.resources.iter().flat_map(|r| r.workload.iter().flatten());
        let targets: Vec<_> = all
            .filter_map(|container| Some((container, ImageRef { tag: "1.20".parse().ok(), ..container.image.clone().ok()? })))
            .collect();
        for (container, to) in &targets {
            if let Ok(edits) = container.edits(to) {
                let (edits, intents): (Vec<_>, Vec<_>) = edits.into_iter().unzip();
                prop_assert!(prove(source, &edits, &intents).is_ok(), "{} in {}", container.name, text);
            }
        }
        let path = "a.yaml".parse().unwrap();
        let changes: Vec<_> = targets.iter().map(|(container, to)| ImageChange { path: &path, container, to }).collect();
        let placed = image_edits(&changes).into_iter().flatten().flatten();
        let (edits, intents): (Vec<_>, Vec<_>) = placed.map(|placed| (placed.edit, placed.intent)).unzip();
        let proof = prove(source, &edits, &intents);
        prop_assert!(proof.is_ok(), "{:?} of {}", proof, text);
    }
}
