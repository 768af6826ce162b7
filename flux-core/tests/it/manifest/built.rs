//! The objects that kustomize builds, and the places where their images and policies are written.
//!
//! `*.built.yaml` of the corpus is the output of kustomize for the folder of that name; the tests
//! on real servers compare it with the installed kustomize.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use flux_core::{
    RepoPath,
    edit::{EditError, ImageChange, image_edits, prove},
    kustomize::Build,
    manifest::ParsedFile,
    manifest_set::Manifests,
    workload::parse,
};

type Files = BTreeMap<String, String>;

/// Returns the folder `built` of the corpus.
fn corpus() -> Files {
    fn read(folder: &Path, below: &str, files: &mut Files) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = format!("{below}{}", entry.file_name().to_str().unwrap());
            if entry.path().is_dir() {
                read(&entry.path(), &format!("{name}/"), files);
            } else {
                files.insert(name, fs::read_to_string(entry.path()).unwrap());
            }
        }
    }
    let mut files = Files::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/built"), "", &mut files);
    files
}

fn path_of(root: &str) -> RepoPath {
    format!("{root}/kustomization.yaml#generated").parse().unwrap()
}

/// Returns the manifests of files with these folders built by kustomize.
fn built(files: &Files, roots: &[&str]) -> Manifests {
    let parsed: BTreeMap<RepoPath, Arc<ParsedFile>> =
        files.iter().map(|(path, text)| (path.parse().unwrap(), Arc::new(parse(text.as_bytes())))).collect();
    let made =
        roots.iter().map(|root| (path_of(root), parsed[format!("{root}.built.yaml").as_str()].clone()));
    let kustomizations: BTreeMap<_, _> = parsed
        .iter()
        .filter(|(path, _)| path.ends_with("kustomization.yaml"))
        .map(|(p, f)| (p.clone(), f.clone()))
        .collect();
    let build = |root: &&str| {
        let mut files = kustomizations.clone();
        let root: RepoPath = format!("{root}/kustomization.yaml").parse().unwrap();
        let wanted = Build::wants(&root, &kustomizations);
        files.extend(wanted.into_iter().filter_map(|path| {
            let (path, file) = parsed.get_key_value(path.as_str())?;
            Some((path.clone(), file.clone()))
        }));
        Build { root, files }
    };
    let builds = roots.iter().map(|root| (path_of(root), build(root))).collect();
    Manifests::new(made.collect()).with_builds(builds)
}

/// Sets images by `workload container`, as one set, and returns the files that change.
fn set(files: &Files, roots: &[&str], changes: &[(&str, &str)]) -> Result<Files, EditError> {
    let all = built(files, roots);
    let targets: Vec<flux_core::image::ImageRef> =
        changes.iter().map(|(_, to)| to.parse().unwrap()).collect();
    let change = |(&(name, _), to)| {
        let (workload, container) = str::split_once(name, ' ').unwrap();
        let located = all.workload(&workload.parse().unwrap()).unwrap();
        let container =
            located.resource.workload.as_ref().unwrap().iter().find(|c| c.name == container).unwrap();
        ImageChange { path: located.path, container, to }
    };
    let changes: Vec<_> = changes.iter().zip(&targets).map(change).collect();
    let mut by_path: BTreeMap<RepoPath, (Vec<_>, Vec<_>)> = BTreeMap::new();
    for placed in image_edits(&changes).into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten() {
        let (edits, intents) = by_path.entry(placed.path).or_default();
        edits.push(placed.edit);
        intents.push(placed.intent);
    }
    by_path
        .into_iter()
        .map(|(path, (edits, intents))| {
            let text = prove(files[path.as_str()].as_bytes(), &edits, &intents)?;
            Ok((path.into(), String::from_utf8(text).unwrap()))
        })
        .collect()
}

#[test]
fn an_image_is_written_where_it_was_set_last() {
    let files = corpus();
    let table = [
        ("web", "mirror/web:3", "prod/kustomization.yaml", "newTag: \"2\"", "newTag: \"3\""),
        (
            "web",
            "mirror.example.com/web:2",
            "prod/kustomization.yaml",
            "mirror/web",
            "mirror.example.com/web",
        ),
        ("init", "example/init:6", "comp/kustomization.yaml", "\"5\"", "\"6\""),
        ("log", "example/log:2", "prod/memory.yaml", "example/log:1", "example/log:2"),
    ];
    for (container, to, path, before, after) in table {
        let edited =
            set(&files, &["prod"], &[(&format!("shop:deployment/prod-web-v2 {container}"), to)]).unwrap();
        assert_eq!(edited, [(path.to_owned(), files[path].replace(before, after))].into(), "{container}");
    }
}

#[test]
fn a_place_that_other_builds_share_is_written_with_them_or_not_at_all() {
    let files = corpus();
    let (prod, staging) = ("shop:deployment/prod-web-v2 side", "default:deployment/web side");
    let error = set(&files, &["prod"], &[(prod, "example/side:s2")]).unwrap_err().to_string();
    assert!(
        error.contains("base/kustomization.yaml, which staging/kustomization.yaml is built from"),
        "{error}"
    );
    let error = set(&files, &["prod", "staging"], &[(prod, "example/side:s2")]).unwrap_err().to_string();
    assert!(error.contains("release them together"), "{error}");
    let both = [(prod, "example/side:s2"), (staging, "example/side:s2")];
    let edited = set(&files, &["prod", "staging"], &both).unwrap();
    let base = "base/kustomization.yaml".to_owned();
    assert_eq!(edited, [(base.clone(), files[&base].replace("s1", "s2"))].into());
    let apart = [(prod, "example/side:s2"), (staging, "example/side:s3")];
    assert!(set(&files, &["prod", "staging"], &apart).is_err());
}

#[test]
fn an_image_that_cannot_be_traced_is_refused() {
    let error =
        set(&corpus(), &["prod"], &[("shop:statefulset/prod-db-v2 db", "example/db:10")]).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("base/db.yaml has example/db:1 for it"), "{message}");
}

#[test]
fn the_documents_of_an_object_are_found_with_the_others_that_share_them() {
    let files = corpus();
    let described = |roots: &[&str]| {
        let all = built(&files, roots);
        let located = all.workload(&"shop:deployment/prod-web-v2".parse().unwrap()).unwrap();
        let documents = all.described(&located).into_iter();
        documents.map(|(at, _)| (at.document.path.clone(), at.refused.clone())).collect::<Vec<_>>()
    };
    let patch = ("prod/memory.yaml".parse().unwrap(), None);
    let base = |why: &str| ("base/web.yaml".parse().unwrap(), Some(why.to_owned()));
    let other = base("base/web.yaml is also what staging/kustomization.yaml is built from");
    assert_eq!(described(&["prod"]), [other, patch.clone()]);
    assert_eq!(
        described(&["prod", "staging"]),
        [base("several workloads are built from base/web.yaml"), patch]
    );
}

/// Returns a base that one root builds twice, with names of its own.
fn twice(base: &str, x: &str) -> Files {
    let image = |image: &str| {
        format!("spec: {{template: {{spec: {{containers: [{{name: c, image: '{image}'}}]}}}}}}\n")
    };
    let web = |name: &str, from: &str| {
        format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\n{}", image(from))
    };
    let x_image = if x.is_empty() { "app:1" } else { "app:2" };
    [
        ("all/kustomization.yaml", "resources: [../x, ../y]\n".to_owned()),
        ("x/kustomization.yaml", format!("namePrefix: x-\nresources: [../base]\n{x}")),
        ("y/kustomization.yaml", "namePrefix: y-\nresources: [../base]\n".to_owned()),
        ("base/kustomization.yaml", format!("resources: [web.yaml]\n{base}")),
        ("base/web.yaml", web("web", "app:1")),
        ("all.built.yaml", format!("{}---\n{}", web("x-web", x_image), web("y-web", "app:1"))),
    ]
    .map(|(path, text)| (path.to_owned(), text))
    .into()
}

#[test]
fn a_base_that_is_built_twice_is_distinguished_by_the_settings_for_each() {
    let (x, y) = ("default:deployment/x-web c", "default:deployment/y-web c");
    let files = twice("", "images: [{name: app, newTag: '2'}]\n");
    let edited = set(&files, &["all"], &[(x, "app:3")]).unwrap();
    let path = "x/kustomization.yaml".to_owned();
    assert_eq!(edited, [(path.clone(), files[&path].replace('2', "3"))].into());
    for base in ["", "images: [{name: app, newTag: '1'}]\n"] {
        let files = twice(base, "");
        let error = set(&files, &["all"], &[(y, "app:3")]).unwrap_err().to_string();
        assert!(
            error.contains(
                "release them together, or set it for this one in the `images` of y/kustomization.yaml"
            ),
            "{error}"
        );
        let edited = set(&files, &["all"], &[(x, "app:3"), (y, "app:3")]).unwrap();
        assert_eq!(edited.len(), 1);
    }
    // The root has precedence: nothing within it is proposed.
    let mut files = twice("", "");
    let root = files.get_mut("all/kustomization.yaml").unwrap();
    root.push_str("images: [{name: app, newTag: '1'}]\n");
    let error = set(&files, &["all"], &[(y, "app:3")]).unwrap_err().to_string();
    assert!(error.ends_with("release them together"), "{error}");
}
