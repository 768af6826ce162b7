//! `fluxctl check`: a linter for config repositories.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use serde_json::Value;

use crate::{
    ran::{Ran, example},
    shop::Shop,
    sock_shop,
};

/// Creates the sock shop in a folder, with these files beside it.
fn folder(more: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = sock_shop::files();
    let own = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    own.chain(more.iter().copied()).for_each(|(path, text)| write(folder.path(), path, text));
    folder
}

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
    fs::write(path, text).expect("the file is written");
}

fn check(folder: &Path, words: &[&str]) -> Ran {
    let mut command = Command::new(example("fluxctl"));
    command.env_clear().arg("check").arg(folder).args(words);
    command.output().expect("fluxctl runs").into()
}

fn workload(name: &str, annotations: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  annotations:\n{annotations}spec:\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec:\n      containers:\n      - {{name: web, image: 'example/web:1'}}\n"
    )
}

/// Returns `code path:line:column` of each finding.
fn codes_and_places(found: &Value) -> Vec<String> {
    let line = |f: &Value| {
        let place = &f["place"];
        let (code, path) = (f["code"].as_str().expect("a code"), place["path"].as_str().expect("a path"));
        format!("{code} {path}:{}:{}", place["line"], place["column"])
    };
    found.as_array().expect("an array").iter().map(line).collect()
}

#[test]
fn a_sound_folder_has_no_findings() {
    let folder = folder(&[]);
    let ran = check(folder.path(), &[]).exits(0);
    assert!(ran.stdout.contains(" 0 errors, 0 warnings"), "{}", ran.stdout);
    assert_eq!(check(folder.path(), &["-o", "json"]).exits(0).json(), serde_json::json!([]));
}

#[test]
fn every_mistake_is_reported_at_its_line_with_its_remedy() {
    let policy = "apiVersion: fluxcd.io/v1alpha1\nkind: FluxPolicy\nmetadata: {name: platform}\nspec:\n  rules:\n  - policy:\n      minAg: 24h\n";
    let web = workload(
        "web",
        "    fluxcd.io/automated: maybe\n    fluxcd.io/tag.web: 'semver:abc'\n    fluxcd.io/tag.sidecar: glob:*\n",
    );
    let folder = folder(&[
        ("bad/broken.yaml", "apiVersion: v1\nkind: [ConfigMap\n"),
        ("bad/policy.yaml", policy),
        ("bad/web.yaml", &web),
    ]);
    let ran = check(folder.path(), &["-o", "json"]).exits(1);
    let found = ran.json();
    assert_eq!(
        codes_and_places(&found),
        [
            "invalid-yaml bad/broken.yaml:2:7",
            "invalid-policy bad/policy.yaml:7:7",
            "invalid-policy bad/web.yaml:6:26",
            "invalid-pattern bad/web.yaml:7:24",
            "unknown-container bad/web.yaml:8:28",
        ]
    );
    for finding in found.as_array().expect("an array") {
        assert!(!finding["remedy"].as_str().expect("text").is_empty(), "{finding}");
    }
    let ran = check(folder.path(), &[]).exits(1);
    assert!(ran.stdout.contains("bad/policy.yaml:7:7: error[invalid-policy]: "), "{}", ran.stdout);
    assert!(ran.stdout.contains("\n  remedy: name one of: web\n"), "{}", ran.stdout);
    assert!(ran.stdout.ends_with(" 4 errors, 1 warning\n"), "{}", ran.stdout);
}

#[test]
fn a_file_that_cannot_be_read_keeps_no_other_from_being_checked() {
    let folder = folder(&[("bad/sealed.yaml", "a: ["), ("closed/a.yaml", "a: ["), ("z.yaml", "a: [")]);
    let (file, closed) = (folder.path().join("bad/sealed.yaml"), folder.path().join("closed"));
    let close = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
    };
    close(&file, 0o000);
    close(&closed, 0o000);
    // Root may read everything.
    let is_root = fs::File::open(&file).is_ok();
    let found = check(folder.path(), &["-o", "json"]).exits(1).json();
    close(&closed, 0o755);
    let wanted = if is_root {
        ["invalid-yaml bad/sealed.yaml:1:4", "invalid-yaml closed/a.yaml:1:4", "invalid-yaml z.yaml:1:4"]
    } else {
        ["unreadable-file bad/sealed.yaml:1:1", "unreadable-file closed/:1:1", "invalid-yaml z.yaml:1:4"]
    };
    assert_eq!(codes_and_places(&found), wanted, "{found}");
}

#[test]
fn warnings_alone_are_no_failure() {
    let folder = folder(&[("web.yaml", &workload("web", "    fluxcd.io/tag.sidecar: glob:*\n"))]);
    let ran = check(folder.path(), &["-o", "json"]).exits(0);
    assert_eq!(codes_and_places(&ran.json()), ["unknown-container web.yaml:6:28"]);
}

#[test]
fn a_repository_is_checked_at_its_tip() {
    let shop = Shop::new();
    shop.fluxctl(&["check"]).exits(0);
    shop.commit(&[("sock-shop/broken.yaml".to_owned(), "{{ .Values }}: [".to_owned())], "Break a file");
    let ran = shop.fluxctl(&["check", "-o", "json"]).exits(1);
    assert_eq!(ran.json()[0]["place"]["path"], "sock-shop/broken.yaml");
}

#[test]
fn only_the_paths_named_are_checked() {
    let folder = folder(&[("elsewhere/broken.yaml", "a: [")]);
    check(folder.path(), &["--git-path", "sock-shop"]).exits(0);
    check(folder.path(), &["--git-path", "elsewhere"]).exits(1);
    let ran = check(folder.path(), &["--git-path", "nowhere", "-o", "json"]).exits(1);
    assert_eq!(ran.json()[0]["code"], "path-not-found");
}

#[test]
fn what_git_ignores_is_not_checked() {
    let folder = folder(&[("build/broken.yaml", "a: ["), (".gitignore", "/build\n")]);
    check(folder.path(), &[]).exits(1);
    git2::Repository::init(folder.path()).expect("a repository");
    check(folder.path(), &[]).exits(0);
    check(&folder.path().join("build"), &[]).exits(1);
}

#[test]
fn names_that_are_not_utf_8_are_reported_where_manifests_may_be_missed() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let folder = folder(&[]);
    for (name, is_reported) in [(&b"caf\xe9.txt"[..], false), (b"caf\xe9.yaml", true)] {
        fs::write(folder.path().join(OsStr::from_bytes(name)), "a: 1\n").expect("the file is written");
        let ran = check(folder.path(), &["-o", "json"]).exits(i32::from(is_reported));
        let expected: &[&str] = if is_reported { &["invalid-name caf\u{fffd}.yaml:1:1"] } else { &[] };
        assert_eq!(codes_and_places(&ran.json()), expected, "{name:?}");
    }
    fs::create_dir(folder.path().join(OsStr::from_bytes(b"\xff"))).expect("the folder is made");
    let ran = check(folder.path(), &["-o", "json"]).exits(1);
    assert_eq!(
        codes_and_places(&ran.json()),
        ["invalid-name caf\u{fffd}.yaml:1:1", "invalid-name \u{fffd}/:1:1"]
    );
}

#[test]
fn names_that_git_does_not_check_out_are_reported_once_for_a_folder() {
    let folder =
        folder(&[("a/.GIT/web.yaml", "a: ["), ("a/.GIT/db.yaml", "a: ["), ("b/.git/web.yaml", "a: [")]);
    let ran = check(folder.path(), &["-o", "json"]).exits(1);
    assert_eq!(codes_and_places(&ran.json()), ["invalid-name a/\u{fffd}.GIT/:1:1"]);
}

/// A folder of common mistakes; the output for it is [`NASTY_OUTPUT`].
const NASTY: [(&str, &str); 12] = [
    ("apps/base/kustomization.yaml", "resources: [../web]\n"),
    (
        "apps/web/kustomization.yaml",
        "resources: [web.yml, web.yaml, ../base]\nnamesapce: x\nimages:\n- {name: example/web, newTag: 1.20}\n",
    ),
    (
        "apps/web/web.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: web, image: 'example/web:1:2'}]}}}\n",
    ),
    ("colours.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: \"\\e[2Jx\\nerror\"}\n"),
    ("colours-too.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: \"\\e[2Jx\\nerror\"}\n"),
    ("empty.yaml", ""),
    ("gen/.flux.yaml", "version: 1\ncommandUpdated: {generators: [{command: ./render.sh}]}\n"),
    ("nameless.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n"),
    ("other.yaml", "foo: bar\n"),
    ("tab.yaml", "apiVersion: v1\nkind:\n\t- ConfigMap\n"),
    ("template.yaml", "{{- if .Values.x }}\nfoo: [\n{{ end }}\n"),
    ("version.yaml", "kind: Deployment\nmetadata: {name: x}\n"),
];

#[test]
fn the_output_says_what_is_wrong_and_what_to_do() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    NASTY.iter().for_each(|(path, text)| write(folder.path(), path, text));
    let output = check(folder.path(), &[]).exits(1).stdout;
    assert_eq!(output, NASTY_OUTPUT, "{output}");
    let found = check(folder.path(), &["-o", "json"]).exits(1).json();
    let lines: Vec<&str> = output.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(found.as_array().map(Vec::len), Some(lines.len() - 1), "a line each, and the summary");
    for (finding, line) in found.as_array().expect("an array").iter().zip(lines) {
        let place = &finding["place"];
        let at =
            format!("{}:{}:{}: ", place["path"].as_str().expect("a path"), place["line"], place["column"]);
        assert!(line.starts_with(&at), "{line}: {finding}");
        assert!(!finding["remedy"].as_str().expect("text").is_empty(), "{finding}");
    }
}

const NASTY_OUTPUT: &str = r#"apps/web/kustomization.yaml:1:13: error[invalid-kustomization]: apps/web/web.yml is not in the repository
  remedy: did you mean apps/web/web.yaml?
apps/web/kustomization.yaml:1:32: error[invalid-kustomization]: it leads round in a circle: apps/base/kustomization.yaml → apps/web/kustomization.yaml → apps/base/kustomization.yaml
  remedy: take one of these out of the other's lists
apps/web/kustomization.yaml:2:1: error[invalid-kustomization]: `namesapce` is no key of a kustomization
  remedy: did you mean `namespace`?
apps/web/kustomization.yaml:4:23: error[invalid-kustomization]: `newTag` is 1.2 to YAML, not a text
  remedy: put it between quotes
apps/web/web.yaml:4:119: error[invalid-image]: default:deployment/web: container web: `example/web:1:2` is no image: a tag is up to 128 letters, digits, `_`, `.` and `-`, and starts with neither `.` nor `-`
  remedy: write the image as [host/]name[:tag][@digest]
colours.yaml:1:1: error[duplicate-id]: default:secret/\u{1b}[2Jx
    error: it is described at colours-too.yaml:1:1 as well; neither description is used
  remedy: keep one description of it, or give the other another name or namespace
gen/.flux.yaml:1:1: warning[unused-generation]: for the repository only a .flux.yaml there or above counts; the files beside this one are not generated
  remedy: configure its folder gen as a path too, or remove the file (flag: --git-path)
nameless.yaml:1:1: error[missing-name]: a ConfigMap has no `metadata.name`
  remedy: give it a name, between quotes if YAML reads it as something else
other.yaml:1:1: warning[not-for-kubernetes]: it has neither `apiVersion` nor `kind`
  remedy: give it `apiVersion`, `kind` and `metadata.name`, or keep it outside of the synced paths
tab.yaml:3:2: error[invalid-yaml]: tabs disallowed within this context (block indentation)
  remedy: correct the document; the others of the file are used
template.yaml:1:3: error[template]: it is a template (`{{ … }}`), not YAML: "-" is only valid inside a block
  remedy: keep templates outside of the synced paths, in a chart folder (one with Chart.yaml and values.yaml) for example
version.yaml:1:1: error[not-an-object]: it has `kind: Deployment` and no `apiVersion`
  remedy: give it `apiVersion`, `kind` and `metadata.name`, or keep it outside of the synced paths
11 files, 1 object, 1 workload: 10 errors, 2 warnings
"#;

/// Objects that the API server refuses; the output for them is [`REFUSED_OUTPUT`].
const REFUSED: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: Web
  labels: {team: red and blue}
spec:
  replicas: '2'
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: example/web:1
        imagePullPolicy: Allways
        env:
        - {name: PORT, value: 80}
        - {name: PORT, value: '80'}
        ports: [{containerPort: 80}, {containerPort: 80}]
        volumeMounts: [{name: data, mountPath: /data}]
        resource: {}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 70000}]}
";

#[test]
fn what_the_api_server_will_refuse_is_found() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "web.yaml", REFUSED);
    let output = check(folder.path(), &[]).exits(1).stdout;
    assert_eq!(output, REFUSED_OUTPUT, "{output}");
}

const REFUSED_OUTPUT: &str = "\
web.yaml:4:9: error[invalid-metadata]: default:deployment/Web: the name `Web` is not possible: it takes lower-case letters, digits, `-` and `.`
  remedy: rename the object
web.yaml:5:18: error[invalid-metadata]: default:deployment/Web: `metadata.labels.team` is `red and blue`: it takes letters, digits, `-`, `_` and `.`
  remedy: use an annotation for other texts
web.yaml:7:13: error[invalid-field]: default:deployment/Web: `spec.replicas` is the text `2` to YAML, and a whole number from 0 on is needed
  remedy: write the number without quotes
web.yaml:15:26: error[invalid-field]: default:deployment/Web: `spec.template.spec.containers[0].imagePullPolicy` is `Allways`, which is none of its values
  remedy: did you mean `Always`? It takes Always, IfNotPresent, Never
web.yaml:17:31: error[invalid-field]: default:deployment/Web: `spec.template.spec.containers[0].env[0].value` is the number 80 to YAML, and a text is needed
  remedy: put it between quotes
web.yaml:18:11: error[duplicate-item]: default:deployment/Web: `spec.template.spec.containers[0].env` has name PORT twice, as items 0 and 1; server-side apply refuses that
  remedy: keep one of them
web.yaml:19:38: error[duplicate-item]: default:deployment/Web: `spec.template.spec.containers[0].ports` has containerPort 80 twice, as items 0 and 1; server-side apply refuses that
  remedy: keep one of them
web.yaml:20:31: error[invalid-field]: default:deployment/Web: `spec.template.spec.containers[0].volumeMounts[0].name`: the pod has no volume `data`
  remedy: add the volume, or name one that there is
web.yaml:21:9: error[invalid-field]: default:deployment/Web: `spec.template.spec.containers[0]` has no field `resource` in this version of its kind
  remedy: did you mean `resources`? The fields are listed by `kubectl explain`
web.yaml:26:23: error[invalid-field]: default:service/web: `spec.ports[0].port` is 70000, and ports are from 1 to 65535
  remedy: correct the port
1 file, 2 objects, 1 workload: 10 errors, 0 warnings
";

#[test]
fn of_many_mistakes_of_one_kind_the_first_are_printed() {
    let folder = folder(&[("many.yaml", &"---\nfoo: [\n".repeat(50))]);
    let output = check(folder.path(), &[]).exits(1).stdout;
    assert_eq!(output.matches("many.yaml:").count(), 20, "{output}");
    assert!(output.contains("\n  and 30 more invalid-yaml in this file: -o json has all\n"), "{output}");
    assert!(output.ends_with(" 50 errors, 0 warnings\n"), "{output}");
    assert_eq!(check(folder.path(), &["-o", "json"]).exits(1).json().as_array().map(Vec::len), Some(50));
}

#[test]
fn what_a_path_lists_outside_of_it_is_looked_for() {
    let files = [
        ("prod/kustomization.yaml", "resources: [../base, ../nowhere]\n"),
        ("base/kustomization.yaml", "resources: [web.yaml]\n"),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
    let expected = [
        "invalid-kustomization base/kustomization.yaml:1:13",
        "invalid-kustomization prod/kustomization.yaml:1:22",
    ];
    let shop = Shop::with(files.to_vec());
    let ran = shop.fluxctl(&["--git-path", "prod", "check", "-o", "json"]).exits(1);
    assert_eq!(codes_and_places(&ran.json()), expected);
    let folder = tempfile::tempdir().expect("a temporary folder");
    files.iter().for_each(|(path, text)| write(folder.path(), path, text));
    assert_eq!(
        codes_and_places(&check(folder.path(), &["--git-path", "prod", "-o", "json"]).exits(1).json()),
        expected
    );
    // A part of a repository is checked as far as it goes.
    let ran = check(&folder.path().join("prod"), &["-o", "json"]).exits(0);
    assert_eq!(
        codes_and_places(&ran.json()),
        ["doubtful-kustomization kustomization.yaml:1:13", "doubtful-kustomization kustomization.yaml:1:22"]
    );
}

#[test]
fn a_folder_without_manifests_is_no_silent_success() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ran = check(folder.path(), &[]).exits(0);
    assert!(
        ran.stdout.starts_with("there is no .yaml, .yml or .json file to check\n0 files"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let ran = check(Path::new("/nowhere/at/all"), &[]).exits(1);
    assert!(ran.stderr.contains("/nowhere/at/all"), "{}", ran.stderr);
    let ran = Ran::from(Command::new(example("fluxctl")).env_clear().arg("check").output().expect("it runs"));
    assert!(ran.exits(2).stderr.contains("--git-url"));
}
