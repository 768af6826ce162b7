//! The corpus: nasty files as people write them, edits, and the bytes that must come out.
//!
//! `NAME.yaml` is edited into `NAME.expected.yaml`. Every file, the expected ones too, must come through a parse and no edit unchanged.

use std::{collections::BTreeMap, fs, path::PathBuf};

use flux_core::manifest::{Edit, Intent, annotation_edits, parse, prove};

/// What is done to a file.
enum Step {
    /// Sets the image of a container of an object.
    Image(&'static str, &'static str, &'static str),
    /// Sets an annotation of an object.
    Set(&'static str, &'static str, &'static str),
    /// Removes an annotation of an object.
    Remove(&'static str, &'static str),
}
use Step::{Image, Remove, Set};

const CASES: &[(&str, &[Step])] = &[
    (
        "sock-shop",
        &[
            Image("front-end", "front-end", "weaveworksdemos/front-end:0.3.12"),
            Image("carts-db", "carts-db", "mongo:3.4"),
            Set("front-end", "fluxcd.io/automated", "true"),
            Set("front-end", "fluxcd.io/tag.front-end", "semver:~0.3"),
            Remove("carts", "fluxcd.io/locked"),
            Remove("carts", "fluxcd.io/locked_msg"),
            Image("carts", "carts", "weaveworksdemos/carts:0.4.8"),
        ],
    ),
    (
        "crlf-and-bom",
        &[
            Image("web", "web", "registry.example.com:5000/team/web:1.21"),
            Set("web", "fluxcd.io/locked", "true"),
        ],
    ),
    (
        "anchors",
        &[
            Image("worker", "worker", "example/app:2.0"),
            Image("migrate", "migrate", "example/migrate:2.0"),
            Set("worker", "fluxcd.io/automated", "true"),
        ],
    ),
    (
        "styles",
        &[
            Image("styles", "plain", "a/plain:2"),
            Image("styles", "single", "a/single:2"),
            Image("styles", "double", "a/double:2"),
            Image("styles", "folded", "a/folded:2"),
            Image("styles", "literal", "a/literal:2"),
            Image("styles", "flow", "a/flow:2"),
            Image("styles", "explicit", "a/explicit:2"),
            Image("styles", "next-line", "a/next-line:2"),
            Image("styles", "tagged", "a/tagged:2"),
            Image("styles", "escaped", "a/escaped:2"),
            Remove("styles", "gone"),
            Remove("styles", "gone-too"),
        ],
    ),
    (
        "list",
        &[
            Image("one", "one", "a/one:2"),
            Image("two", "two", "a/two:2"),
            Set("one", "fluxcd.io/automated", "true"),
            Set("two", "fluxcd.io/automated", "true"),
        ],
    ),
    (
        "helm",
        &[
            Image("shop", "chart-image", "quay.io/shop/app:1.20"),
            Image("shop", "sidecar", "quay.io/shop/sidecar:v2"),
            Image("shop", "db", "postgres:16"),
            Set("shop", "filter.fluxcd.io/chart-image", "regexp:^\\d+\\.\\d+$"),
        ],
    ),
    ("broken-neighbours", &[Image("web", "web", "a/web:2"), Set("last", "a", "b")]),
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn edits(source: &[u8], steps: &[Step]) -> (Vec<Edit>, Vec<Intent>) {
    let file = parse(source);
    let index = |object: &str| {
        file.resources.iter().position(|r| r.name == object).unwrap_or_else(|| panic!("no {object}"))
    };
    let (mut edits, mut intents) = (Vec::new(), Vec::new());
    let mut annotations: BTreeMap<usize, BTreeMap<String, Option<String>>> = BTreeMap::new();
    for step in steps {
        match *step {
            Image(object, container, to) => {
                let containers = file.resources[index(object)].workload.iter().flatten();
                let container = containers.into_iter().find(|c| c.name == container).unwrap();
                for (edit, intent) in container.edits(&to.parse().unwrap()).unwrap() {
                    edits.push(edit);
                    intents.push(intent);
                }
            }
            Set(object, key, value) => {
                annotations.entry(index(object)).or_default().insert(key.to_owned(), Some(value.to_owned()));
            }
            Remove(object, key) => {
                annotations.entry(index(object)).or_default().insert(key.to_owned(), None);
            }
        }
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
        let source = fs::read(folder().join(format!("{name}.yaml"))).unwrap();
        let (edits, intents) = edits(&source, steps);
        let edited = prove(&source, &edits, &intents).unwrap_or_else(|e| panic!("{name}: {e}"));
        let path = folder().join(format!("{name}.expected.yaml"));
        if std::env::var_os("UPDATE_CORPUS").is_some() {
            fs::write(&path, &edited).unwrap();
        }
        let expected = fs::read(&path).unwrap();
        assert_eq!(String::from_utf8(edited).unwrap(), String::from_utf8(expected).unwrap(), "{name}");
    }
}

#[test]
fn what_is_not_edited_is_not_changed() {
    let mut seen = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "yaml") {
            let source = fs::read(&path).unwrap();
            assert_eq!(prove(&source, &[], &[]).unwrap(), source, "{}", path.display());
            seen += 1;
        }
    }
    assert_eq!(seen, CASES.len() * 2, "every file of the corpus is in the table");
}
