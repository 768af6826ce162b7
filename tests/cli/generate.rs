//! Manifests that commands make: `.flux.yaml`, as the binaries run it.

mod processes;
mod updates;

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{ran::Ran, shop::Shop};

pub(crate) const WEB: &str = "shop:deployment/web";

const IMAGES: &str = "example/web:\n- {tag: '1.0', created: '2016-01-01T00:00:00Z'}\n- {tag: '1.1', created: '2016-02-01T00:00:00Z'}\n";

/// Prints a deployment with the tag that values.env has.
pub(crate) const RENDER: &str = "#!/bin/sh
set -e
. ./values.env
cat <<END
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: ${NAMESPACE:-shop}
  annotations: {fluxcd.io/automated: '$AUTOMATED'}
spec:
  template:
    spec:
      containers:
      - name: web
        image: example/web:$TAG
    metadata: {labels: {app: web}}
  selector: {matchLabels: {app: web}}
END
";

pub(crate) const VALUES: &str = "# what runs\nTAG=1.0 # the tag\nAUTOMATED=true\n";

pub(crate) const COMMANDS: &str = "version: 1
commandUpdated:
  generators:
  - command: ./render.sh
  updaters:
  - containerImage:
      command: sed -i \"s|^TAG=[^ ]*|TAG=$FLUX_TAG|\" values.env
    policy:
      command: sed -i \"s|^AUTOMATED=.*|AUTOMATED=${FLUX_POLICY_VALUE:-false}|\" values.env
";

pub(crate) const PATCHES: &str = "version: 1
patchUpdated:
  generators:
  - command: ./render.sh
  patchFile: flux-patch.yaml
";

pub(crate) fn shop(files: &[(&str, &str)]) -> Shop {
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let shop = Shop::with(files);
    shop.images(IMAGES);
    shop
}

/// A shop whose path `prod` is made by these rules.
pub(crate) fn generated(flux_yaml: &str) -> Shop {
    shop(&[
        ("prod/.flux.yaml", flux_yaml),
        ("prod/render.sh", RENDER),
        ("prod/values.env", VALUES),
        ("prod/flux-patch.yaml", ""),
        ("raw/config.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain, namespace: shop}\n"),
    ])
}

pub(crate) fn run(shop: &Shop, words: &[&str]) -> Ran {
    let flags = ["--manifest-generation", "--git-path", "prod", "--git-path", "raw"];
    shop.fluxctl(&[&flags[..], words].concat())
}

/// Returns `code path:line:column` of each finding.
pub(crate) fn codes_and_places(findings: &Value) -> Vec<String> {
    let line = |f: &Value| {
        let place = &f["place"];
        let (code, path) = (f["code"].as_str().expect("a code"), place["path"].as_str().expect("a path"));
        format!("{code} {path}:{}:{}", place["line"], place["column"])
    };
    findings.as_array().expect("findings").iter().map(line).collect()
}

/// Returns the evidence of a finding, after the place in a command's output if it has one.
fn evidence(finding: &Value) -> String {
    let evidence = finding["evidence"].as_str().expect("text");
    match finding["place"].get("output") {
        Some(output) => {
            let command = output["command"].as_str().expect("a command");
            format!("line {}, column {} of `{command}`: {evidence}", output["line"], output["column"])
        }
        None => evidence.to_owned(),
    }
}

pub(crate) fn codes(findings: &Value) -> Vec<&str> {
    findings.as_array().expect("findings").iter().filter_map(|f| f["code"].as_str()).collect()
}

#[test]
fn what_commands_print_is_listed_and_synced_beside_what_stands_in_files() {
    let shop = generated(COMMANDS);
    let listed = run(&shop, &["list-workloads", "-o", "json"]).exits(0).json();
    assert_eq!(listed[0]["id"], WEB);
    assert_eq!(listed[0]["containers"][0]["image"], "example/web:1.0");
    let file = shop.path("cluster.yaml");
    let file = file.to_str().expect("text");
    let synced = run(&shop, &["--cluster", file, "sync", "-o", "json"]).exits(0).json();
    let ids: Vec<&str> =
        synced["resources"].as_array().expect("resources").iter().filter_map(|r| r["id"].as_str()).collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
}

#[test]
fn commands_are_not_run_unless_that_is_allowed() {
    let shop = generated(COMMANDS);
    let file = shop.path("cluster.yaml");
    let words = [
        "--git-path",
        "prod",
        "--git-path",
        "raw",
        "--cluster",
        file.to_str().expect("text"),
        "sync",
        "-o",
        "json",
    ];
    let synced = shop.fluxctl(&words).exits(1).json();
    assert_eq!(codes(&synced["findings"]), ["generation-off"]);
    assert_eq!(synced["resources"].as_array().map(Vec::len), Some(1), "what stands in files is synced");
}

#[test]
fn a_flux_yaml_above_the_path_counts_where_no_commands_are_run_too() {
    let text = "version: 1\ncommandUpdated: {generators: [{command: cat gen}]}\n";
    let raw = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: raw}\n";
    let files = [("deploy/.flux.yaml", text), ("deploy/prod/raw.yaml", raw), ("deploy/prod/gen", raw)];
    let shop = shop(&files);
    let file = shop.path("cluster.yaml");
    let cluster = ["--git-path", "deploy/prod", "--cluster", file.to_str().expect("text")];
    let sync = ["sync", "--prune", "-o", "json"];
    shop.fluxctl(&[&["--manifest-generation"], &cluster[..], &sync].concat()).exits(0);
    let synced = shop.fluxctl(&[&cluster[..], &sync].concat()).exits(1).json();
    assert_eq!(codes(&synced["findings"]), ["prune-held-back", "generation-off"]);
    assert_eq!(synced["findings"][1]["place"]["path"], "deploy/.flux.yaml");
    let outcomes: Vec<&Value> =
        synced["resources"].as_array().expect("resources").iter().map(|r| &r["outcome"]).collect();
    assert_eq!(outcomes, ["skipped"], "nothing is applied, and nothing pruned");
    // A root without such a file is no finding; a path that does not exist still is one.
    let found = shop.fluxctl(&["--git-path", "nowhere/else", "sync", "-o", "json"]).exits(1).json();
    assert_eq!(codes(&found["findings"]), ["path-not-found"], "{found}");
}

#[test]
fn one_path_that_fails_stops_no_other() {
    for (command, why) in [
        ("echo not here >&2; exit 7", "not here"),
        ("true", "no object"),
        ("yes | head -c 20000000", "more than"),
        ("echo '- [broken'", ""),
    ] {
        let text = format!("version: 1\ncommandUpdated: {{generators: [{{command: \"{command}\"}}]}}\n");
        let shop = generated(&text);
        let found = run(&shop, &["check", "-o", "json"]).exits(1).json();
        assert!(found.to_string().contains(why), "{command}: {found}");
        let file = shop.path("cluster.yaml");
        let words = ["--cluster", file.to_str().expect("text"), "sync", "--prune", "-o", "json"];
        let synced = run(&shop, &words).exits(1).json();
        assert_eq!(synced["resources"].as_array().map(Vec::len), Some(1), "{command}");
    }
}

#[test]
fn a_command_that_fails_is_run_once_in_an_operation() {
    for words in [&["list-workloads"][..], &["release", "-w", WEB, "--update-all-images"], &["check"]] {
        let shop = generated("version: 1\ncommandUpdated: {generators: [{command: './fail.sh'}]}\n");
        let runs = shop.path("runs");
        let script = format!("#!/bin/sh\necho once >> {}\nexit 1\n", runs.display());
        shop.commit(&[("prod/fail.sh".to_owned(), script)], "Fail");
        let ran = run(&shop, words);
        let why =
            "cluster; what is generated is not known in full (generation-failed at prod/.flux.yaml:2:32)";
        assert_eq!(ran.stdout.contains(why), words[0] == "release", "{}", ran.stdout);
        assert_eq!(std::fs::read_to_string(&runs).expect("it ran"), "once\n", "{words:?}");
    }
}

#[test]
fn printing_nothing_can_be_allowed_and_a_command_that_starts_failing_prunes_nothing() {
    let text =
        |more: &str| format!("version: 1\ncommandUpdated: {{generators: [{{command: 'true'}}]{more}}}\n");
    let shop = generated(COMMANDS);
    let file = shop.path("cluster.yaml");
    let words = ["--cluster", file.to_str().expect("text"), "sync", "--prune", "-o", "json"];
    run(&shop, &words).exits(0);
    shop.commit(&[("prod/.flux.yaml".to_owned(), text(""))], "Print nothing");
    let synced = run(&shop, &words).exits(1).json();
    assert!(!synced["resources"].to_string().contains("pruned"), "{synced}");
    shop.commit(&[("prod/.flux.yaml".to_owned(), text(", allowEmpty: true"))], "Mean it");
    let synced = run(&shop, &words).exits(0).json();
    assert!(synced["resources"].to_string().contains("pruned"), "{synced}");
}

#[test]
fn one_flux_yaml_serves_the_paths_below_it_and_scan_for_files_shields_one() {
    let shop = shop(&[
        (".flux.yaml", COMMANDS.replace("./render", "../render").as_str()),
        ("render.sh", RENDER),
        ("dev/values.env", "TAG=1.0\nNAMESPACE=dev\n"),
        ("live/values.env", "TAG=1.0\nNAMESPACE=live\n"),
        ("plain/.flux.yaml", "version: 1\nscanForFiles: {}\n"),
        (
            "plain/web.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: plain}\nspec: {template: {spec: {containers: [{name: web, image: 'example/web:1.0'}]}}}\n",
        ),
    ]);
    let paths = ["--manifest-generation", "--git-path", "dev,live,plain"];
    let listed = shop.fluxctl(&[&paths[..], &["list-workloads", "-o", "json"]].concat()).exits(0).json();
    let ids: Vec<&str> = listed.as_array().expect("a list").iter().filter_map(|w| w["id"].as_str()).collect();
    assert_eq!(ids, ["dev:deployment/web", "live:deployment/web", "plain:deployment/web"]);
    let words = ["release", "-w", "live:deployment/web", "-w", "plain:deployment/web", "--update-all-images"];
    shop.fluxctl(&[&paths[..], &words].concat()).exits(0);
    assert_eq!(shop.file("dev/values.env"), "TAG=1.0\nNAMESPACE=dev\n");
    assert_eq!(shop.file("live/values.env"), "TAG=1.1\nNAMESPACE=live\n");
    assert!(shop.file("plain/web.yaml").contains("example/web:1.1"));
    assert_eq!(shop.messages().len(), 2, "one release is one commit");
}

#[test]
fn mistakes_in_a_flux_yaml_are_reported_at_their_line() {
    let shop = generated("version: 1\ncommandUpdated:\n  generator:\n  - command: ./render.sh\n");
    let found = run(&shop, &["check", "-o", "json"]).exits(1).json();
    assert!(codes(&found).contains(&"invalid-generation"), "{found}");
    let lines: Vec<u64> =
        found.as_array().expect("findings").iter().filter_map(|f| f["place"]["line"].as_u64()).collect();
    assert!(lines.contains(&3), "{found}");
}

#[test]
fn what_generators_do_wrong_is_reported_where_they_are_written() {
    let commands =
        |rest: &str| format!("version: 1\ncommandUpdated:\n  generators:\n  - command: ./render.sh\n{rest}");
    let twice = commands("  - command: ./render.sh\n");
    let table = [
        (commands("  - command: exit 3\n"), "generation-failed prod/.flux.yaml:5:5", "exit status: 3"),
        (
            "version: 1\ncommandUpdated:\n  generators:\n  - command: 'true'\n".to_owned(),
            "generation-failed prod/.flux.yaml:3:3",
            "no object",
        ),
        (
            "version: 1\npatchUpdated:\n  generators: [{command: ./render.sh}]\n  patchFile: ../../p\n"
                .to_owned(),
            "invalid-generation prod/.flux.yaml:4:3",
            "outside of the repository",
        ),
        (
            commands("  - command: \"printf 'a: 1\\\\nb: [\\\\n'\"\n"),
            "invalid-yaml prod/.flux.yaml:5:5",
            "line 2, column 4 of `printf",
        ),
        (
            twice,
            "duplicate-id prod/.flux.yaml:5:5",
            "described at prod/.flux.yaml:4:5 (line 1, column 1 of the output of `./render.sh`) as well",
        ),
        (
            commands("  - command: \"./render.sh | sed 's/name: web/name: other/; s/true/maybe/'\"\n"),
            "invalid-policy prod/.flux.yaml:5:5",
            "line 6, column 38 of `./render.sh | sed",
        ),
    ];
    for (text, place, words) in table {
        let shop = generated(&text);
        let found = run(&shop, &["check", "-o", "json"]).exits(1).json();
        assert_eq!(codes_and_places(&found), [place], "{text}: {found}");
        let evidence = evidence(&found[0]);
        assert!(evidence.contains(words), "{text}: {evidence}");
    }
    let shop = generated(COMMANDS);
    let found = shop.fluxctl(&["--git-path", "prod", "check", "-o", "json"]).exits(1).json();
    assert_eq!(codes_and_places(&found), ["generation-off prod/.flux.yaml:3:3"]);
    let remedy = found[0]["remedy"].as_str().expect("text");
    assert!(remedy.ends_with("(flag: --manifest-generation)"), "the library knows no flags: {remedy}");
}

#[test]
fn what_a_sync_finds_in_generated_objects_is_reported_where_they_are_printed() {
    let flux_yaml = "version: 1\ncommandUpdated:\n  generators:\n  - command: ./render.sh\n  - command: \"printf 'apiVersion: example.com/v1\\\\nkind: Oven\\\\nmetadata: {name: big}\\\\n'\"\n";
    let shop = generated(flux_yaml);
    let file = shop.path("cluster.yaml");
    let words = ["--cluster", file.to_str().expect("text"), "sync", "-o", "json"];
    let synced = run(&shop, &words).exits(1).json();
    assert_eq!(codes_and_places(&synced["findings"]), ["unknown-kind prod/.flux.yaml:5:5"], "{synced}");
}

#[test]
fn what_is_wrong_with_patched_objects_is_reported_where_they_are_printed() {
    let shop = generated(PATCHES);
    let patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop, annotations: {fluxcd.io/tag.web: 'semver:abc'}}\n";
    shop.commit(&[("prod/flux-patch.yaml".to_owned(), patch.to_owned())], "Patch the pattern");
    let found = run(&shop, &["check", "-o", "json"]).exits(1).json();
    assert_eq!(codes_and_places(&found), ["invalid-pattern prod/.flux.yaml:4:5"]);
    let evidence = evidence(&found[0]);
    assert!(evidence.starts_with("line 1, column 1 of `./render.sh`: "), "{evidence}");
    let printed = run(&shop, &["check"]).exits(1).stdout;
    let line = "prod/.flux.yaml:4:5: error[invalid-pattern]: shop:deployment/web: line 1, column 1 of the output of `./render.sh`: ";
    assert!(printed.starts_with(line), "{printed}");
}

#[test]
fn what_can_be_run_is_what_git_says() {
    let flux_yaml = "version: 1\ncommandUpdated: {generators: [{command: ./render}]}\n";
    // No `#!`, and so committed as a plain file.
    let script = "printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: plain}\\n'\n";
    let plain = shop(&[("prod/.flux.yaml", flux_yaml), ("prod/render", script)]);
    let check = ["--manifest-generation", "--git-path", "prod", "check"];
    let ran = plain.fluxctl(&check).exits(1);
    assert!(ran.stdout.contains("Permission denied"), "{}", ran.stdout);
    let script = format!("#!/bin/sh\n{script}");
    shop(&[("prod/.flux.yaml", flux_yaml), ("prod/render", &script)]).fluxctl(&check).exits(0);
}

#[test]
fn kustomize_builds_a_folder_that_has_its_file() {
    let shop =
        shop(&[("prod/kustomization.yaml", "resources: [web.yaml]\n"), ("prod/web.yaml", "kind: Fake\n")]);
    let script = "#!/bin/sh\n[ \"$1 $2\" = 'build .' ] && [ -f kustomization.yaml ] && printf 'apiVersion: apps/v1\\nkind: Deployment\\nmetadata: {name: web, namespace: shop}\\nspec: {template: {spec: {containers: [{name: web, image: example/web:1.0}]}}}\\n'\n";
    let path = with_kustomize(&shop, script);
    let run = |words: &[&str]| run_built(&shop, &path, words);
    let listed = run(&["list-workloads", "-o", "json"]).exits(0).json();
    assert_eq!(listed[0]["containers"][0]["image"], "example/web:1.0");
    let report = run(&["release", "-w", WEB, "--update-all-images", "-o", "json"]).exits(1).json();
    assert_eq!(report["workloads"][WEB]["reason"], "not-editable");
}

#[test]
fn a_path_that_is_the_file_itself_stands_for_its_folder() {
    let map = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
    let shop = shop(&[
        (".flux.yaml", "version: 1\ncommandUpdated: {generators: [{command: 'false'}]}\n"),
        ("plain/.flux.yaml", "version: 1\nscanForFiles: {}\n"),
        ("plain/one.yaml", &map("one")),
        ("built/kustomization.yaml", "resources: [two.yaml]\n"),
        ("built/two.yaml", &map("two")),
    ]);
    let path = with_kustomize(&shop, "#!/bin/sh\n[ -f kustomization.yaml ] && sed s/two/three/ two.yaml\n");
    let synced = |flags: &[&str]| {
        let file = shop.path("cluster.yaml");
        let _ = std::fs::remove_file(&file);
        let mut command = shop.command("fluxctl");
        command.env("PATH", &path).args(flags).arg("--cluster").arg(&file).args(["sync", "-o", "json"]);
        let report = Ran::from(command.output().expect("fluxctl runs")).exits(0).json();
        let ids = report["resources"].as_array().expect("resources").iter().map(|r| r["id"].to_string());
        ids.collect::<String>()
    };
    let (plain, built) = (["--git-path", "plain/.flux.yaml"], ["--git-path", "built/kustomization.yaml"]);
    let generate = "--manifest-generation";
    assert_eq!(synced(&plain), "\"default:configmap/one\"");
    assert_eq!(synced(&[&[generate], &plain[..]].concat()), "\"default:configmap/one\"");
    assert_eq!(synced(&[&[generate], &built[..]].concat()), "\"default:configmap/three\"");
}

/// A `PATH` with a stand-in for kustomize: the real one is not on every machine.
pub(crate) fn with_kustomize(shop: &Shop, script: &str) -> String {
    let bin = shop.path("bin");
    std::fs::create_dir(&bin).expect("a folder");
    std::fs::write(bin.join("kustomize"), script).expect("a script");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(bin.join("kustomize"), mode).expect("a mode");
    format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default())
}

/// Runs fluxctl on `prod` with this `PATH`.
pub(crate) fn run_built(shop: &Shop, path: &str, words: &[&str]) -> Ran {
    let mut command = shop.command("fluxctl");
    let flags = ["--manifest-generation", "--git-path", "prod", "--cluster", "memory"];
    command.env("PATH", path).args(flags).args(words);
    Ran::from(command.output().expect("fluxctl runs"))
}
