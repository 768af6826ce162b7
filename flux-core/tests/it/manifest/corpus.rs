//! The corpus: nasty files as people write them, edits, and the bytes that must come out.
//!
//! `NAME.yaml` is edited into `NAME.expected.yaml`, and the files of the folder `NAME` into those of the folder `NAME.expected`. Every file, the expected ones too, must come through a parse and no edit unchanged.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use flux_core::{
    image::ImageRef,
    manifest::{Edit, ImageChange, Intent, Manifests, annotation_edits, image_edits, parse, prove},
};

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

const DIGEST: &str =
    "ghcr.io/example/hello@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// Images of whole repositories: the workload, the container, the image.
const REPOSITORIES: &[(&str, &[(&str, &str, &str)])] = &[(
    "kustomize",
    &[
        ("default:deployment/web", "web", "example/web:1.10"),
        ("default:deployment/web", "cache", "mirror.example.com/cache:7.1"),
        ("default:pipeline/nightly", "build", "example/web:1.10"),
        ("default:pipeline/nightly", "push", "example/push:1.1"),
        ("default:pipeline/nightly", "agent", "example/agent:1.10"),
    ],
)];

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
    (
        "rollouts",
        &[
            Image("web", "web", "example/web:1.10"),
            Image("web", "init", "example/init:1.1"),
            Image("hello", "user-container", DIGEST),
        ],
    ),
    (
        "setters",
        &[
            Image("apps", "web", "ghcr.io/example/web:1.20"),
            Image("apps", "api", "mirror.example.com/api:v2"),
            Image("images", "worker", "ghcr.io/example/worker:2.0"),
            Image("shop", "chart-image", "ghcr.io/example/shop:v2.0"),
            Image("shop", "proxy", "ghcr.io/example/proxy:2.0"),
        ],
    ),
    (
        "helm-deep",
        &[
            Image("stack", "api", "example/api:1.10"),
            Image("stack", "backend.web", "quay.io/team/web:1.20"),
            Image("stack", "backend.web.sidecars.proxy", "envoy:v2"),
            Image("stack", "exporter", "example/exporter:3"),
        ],
    ),
    (
        "shared-anchors",
        &[
            Image("web", "web", "example/app:2.0"),
            Image("web", "migrate", "example/app:2.0"),
            Image("worker", "worker", "example/app:2.0"),
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
    let mut images = Vec::new();
    for step in steps {
        match *step {
            Image(object, container, to) => {
                let containers = file.resources[index(object)].workload.iter().flatten();
                let container = containers.into_iter().find(|c| c.name == container).unwrap();
                images.push((container, to.parse().unwrap()));
            }
            Set(object, key, value) => {
                annotations.entry(index(object)).or_default().insert(key.to_owned(), Some(value.to_owned()));
            }
            Remove(object, key) => {
                annotations.entry(index(object)).or_default().insert(key.to_owned(), None);
            }
        }
    }
    let changes: Vec<_> =
        images.iter().map(|(container, to)| ImageChange { path: "", container, to }).collect();
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

/// The files of a folder and those below, by their paths from it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
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
        let parsed = texts.iter().map(|(path, text)| (path.clone(), Arc::new(parse(text)))).collect();
        let manifests = Manifests::new(parsed);
        assert_eq!(manifests.findings(), [], "{name}");
        let targets: Vec<ImageRef> = images.iter().map(|(.., to)| to.parse().unwrap()).collect();
        let change = |(&(id, container, _), to): (&(&str, &str, &str), _)| {
            let located = manifests.workload(&id.parse().unwrap()).unwrap();
            let container = located.resource.workload.iter().flatten().find(|c| c.name == container).unwrap();
            ImageChange { path: located.path, container, to }
        };
        let changes: Vec<_> = images.iter().zip(&targets).map(change).collect();
        let mut by_path: BTreeMap<String, (Vec<Edit>, Vec<Intent>)> = BTreeMap::new();
        for placed in
            image_edits(&changes).into_iter().flat_map(|e| e.unwrap_or_else(|e| panic!("{name}: {e}")))
        {
            let (edits, intents) = by_path.entry(placed.path).or_default();
            edits.push(placed.edit);
            intents.push(placed.intent);
        }
        for (path, (edits, intents)) in by_path {
            let edited =
                prove(&texts[&path], &edits, &intents).unwrap_or_else(|e| panic!("{name}/{path}: {e}"));
            texts.insert(path, edited);
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
        whole += usize::from(!path.contains('/') && path.ends_with(".yaml"));
    }
    assert_eq!(whole, CASES.len() * 2, "every file of the corpus is in the table");
}
