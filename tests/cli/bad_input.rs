//! Bad input: each is reported in a paragraph with the place and the remedy.
//!
//! The exit code is the documented one, and nothing is half done.

use serde_json::Value;

use crate::{shop::Shop, sock_shop};

const FRONT_END: &str = "sock-shop:deployment/front-end";

/// Returns the finding with this code.
#[track_caller]
fn finding<'a>(report: &'a Value, code: &str) -> &'a Value {
    let findings = report["findings"].as_array().expect("findings");
    findings.iter().find(|f| f["code"] == code).unwrap_or_else(|| panic!("no {code} among {findings:#?}"))
}

fn shop_with(path: &str, text: &str) -> Shop {
    let mut files = sock_shop::files();
    files.push((path.to_owned(), text.to_owned()));
    Shop::with(files)
}

#[test]
fn a_broken_file_is_a_finding_with_its_place_and_stops_no_other() {
    let shop = shop_with("sock-shop/broken.yaml", "apiVersion: v1\nkind: [ConfigMap\nmetadata: {name: x}\n");
    let words = ["release", "-w", FRONT_END, "--update-all-images", "-o", "json"];
    let report = shop.fluxctl(&words).exits(0).json();
    assert_eq!(report["workloads"][FRONT_END]["status"], "success");
    let found = finding(&report, "invalid-yaml");
    assert_eq!(found["place"]["path"], "sock-shop/broken.yaml");
    assert!(found["place"]["line"].as_u64() >= Some(2), "{found}");
    assert!(!found["remedy"].as_str().expect("text").is_empty());
    let keys: Vec<&String> = found.as_object().expect("a finding").keys().collect();
    assert_eq!(keys, ["code", "evidence", "place", "remedy", "subject"]);

    let file = shop.path("cluster.yaml");
    let synced =
        shop.fluxctl(&["--cluster", file.to_str().expect("text"), "sync", "-o", "json"]).exits(1).json();
    let resources = synced["resources"].as_array().expect("resources");
    assert_eq!(resources.iter().filter(|r| r["outcome"] == "created").count(), 14, "the others were applied");
    finding(&synced, "invalid-yaml");
}

#[test]
fn an_image_that_cannot_be_parsed_is_a_finding_with_its_place() {
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: odd, namespace: sock-shop}\nspec:\n  template:\n    spec:\n      containers:\n      - name: odd\n        image: 'not an image'\n";
    let shop = shop_with("sock-shop/odd.yaml", text);
    let report =
        shop.fluxctl(&["release", "--all", "--update-all-images", "--dry-run", "-o", "json"]).exits(0).json();
    let found = finding(&report, "invalid-image");
    assert_eq!((&found["place"]["path"], &found["place"]["line"]), (&"sock-shop/odd.yaml".into(), &9.into()));
    assert_eq!(report["workloads"]["sock-shop:deployment/odd"]["reason"], "invalid-image");
    shop.fluxctl(&["release", "-w", "sock-shop:deployment/odd", "--update-all-images"]).exits(1);
}

#[test]
fn a_workload_that_nobody_has_fails_and_the_others_are_released() {
    let shop = Shop::new();
    let ghost = "sock-shop:deployment/ghost";
    let report = shop
        .fluxctl(&["release", "-w", ghost, "-w", FRONT_END, "--update-all-images", "-o", "json"])
        .exits(1)
        .json();
    assert_eq!(
        (&report["workloads"][ghost]["status"], &report["workloads"][ghost]["reason"]),
        (&"failed".into(), &"not-found".into())
    );
    assert_eq!(report["workloads"][FRONT_END]["status"], "success");
    let report =
        shop.fluxctl(&["release", "--service=sock-shop/ghost", "--update-all-images", "-o", "json"]).exits(1);
    assert_eq!(report.json()["workloads"]["sock-shop:service/ghost"]["status"], "failed");
}

#[test]
fn a_registry_that_refuses_is_reported_and_stops_only_what_needs_it() {
    let shop = Shop::new();
    let broken = sock_shop::images_yaml(&[])
        .replace("weaveworksdemos/user:\n", "weaveworksdemos/user: {error: \"401 unauthorized\"}\nunused:\n");
    shop.images(&broken);
    let report = shop.fluxctl(&["release", "--all", "--update-all-images", "-o", "json"]).exits(0).json();
    let user = &report["workloads"]["sock-shop:deployment/user"];
    assert_eq!(
        (&user["status"], &user["message"]),
        (&"skipped".into(), &"cannot find one or more images".into())
    );
    assert_eq!(report["workloads"][FRONT_END]["status"], "success");
    assert!(report["findings"].to_string().contains("401 unauthorized"));
    let words = ["release", "-w", "sock-shop:deployment/user", "--update-all-images"];
    shop.fluxctl(&words).exits(1);
}

#[test]
fn an_image_that_is_not_in_its_registry_is_not_released() {
    let shop = Shop::new();
    let words = ["release", "-w", FRONT_END, "-i", "weaveworksdemos/front-end:9.9.9", "-o", "json"];
    let report = shop.fluxctl(&words).exits(1).json();
    assert_eq!(report["workloads"][FRONT_END]["reason"], "image-not-found");
    assert_eq!(shop.messages().len(), 1);
}

#[test]
fn an_artifact_is_not_released_even_by_force() {
    let shop = Shop::new();
    let artifact = "weaveworksdemos/front-end:\n- {tag: 0.2.0}\n- {tag: 1.0.0, artifact: helm-chart}\n";
    shop.images(artifact);
    let words =
        ["release", "-w", FRONT_END, "-i", "weaveworksdemos/front-end:1.0.0", "--force", "-o", "json"];
    let report = shop.fluxctl(&words).exits(1).json();
    let workload = &report["workloads"][FRONT_END];
    assert_eq!((&workload["status"], &workload["reason"]), (&"failed".into(), &"not-an-image".into()));
    let message = workload["containers"][0]["message"].to_string();
    assert!(message.contains("is a Helm chart, and no container image"), "{message}");
    assert_eq!(shop.messages().len(), 1);
}

#[test]
fn a_bad_pattern_matches_nothing_and_is_a_finding() {
    let shop = Shop::new();
    let path = "sock-shop/catalogue-dep.yaml".to_owned();
    let text = shop.file(&path).replace("'semver:~0.2'", "'regexp:(['");
    shop.commit(&[(path, text)], "Break the pattern");
    let report = shop.fluxctl(&["release", "--automated", "-o", "json"]).exits(0).json();
    assert_eq!(
        report["workloads"]["sock-shop:deployment/catalogue"]["containers"][0]["reason"],
        "invalid-pattern"
    );
    let found = finding(&report, "invalid-pattern");
    assert_eq!(found["place"]["line"], 10);
}

#[test]
fn what_is_not_there_is_named_with_the_next_step() {
    let shop = Shop::new();
    let elsewhere = shop.path("nothing-here.git");
    let ran = shop
        .command("fluxctl")
        .args(["--cluster", "memory", "list-workloads", "--git-url"])
        .arg(&elsewhere)
        .output();
    let ran = crate::ran::Ran::from(ran.expect("fluxctl runs")).exits(1);
    assert!(ran.stderr.contains("nothing-here.git"), "{}", ran.stderr);
    let ran = shop.fluxctl(&["--git-branch", "no-such-branch", "list-workloads"]).exits(1);
    assert!(ran.stderr.contains("no-such-branch"), "{}", ran.stderr);
    let ran = shop.fluxctl(&["--kubeconfig", "/nowhere/kubeconfig", "list-workloads"]).exits(1);
    assert!(ran.stderr.contains("/nowhere/kubeconfig"), "{}", ran.stderr);
    let ran = shop.fluxctl(&["--images", "/nowhere/images.yaml", "list-images"]).exits(1);
    assert!(ran.stderr.contains("/nowhere/images.yaml"), "{}", ran.stderr);
    let ran = shop.fluxctl(&["--git-path", "nowhere", "list-workloads"]).exits(0);
    assert!(ran.stderr.contains("path-not-found"), "{}", ran.stderr);
}

#[test]
fn bad_usage_exits_with_2() {
    let shop = Shop::new();
    for words in [
        &["release", "--update-all-images"][..],
        &["release", "--all"],
        &["release", "--all", "--update-all-images", "-i", "a:b"],
        &["release", "-w", "not an id", "--update-all-images"],
        &["release", "-w", FRONT_END, "-i", "UPPER CASE:tag"],
        &["release", "-w", FRONT_END, "-i", "no-tag"],
        &["release", "-w", FRONT_END, "-i", "a:1", "-i", "b:2"],
        &["--git-path", "/etc", "list-workloads"],
        &["release", "--automated", "--all"],
        &["sync", "-o", "xml"],
        &["list-workloads", "--now", "yesterday"],
        &["frobnicate"],
    ] {
        let ran = shop.fluxctl(words).exits(2);
        assert!(!ran.stderr.is_empty(), "{words:?}");
    }
    let bare =
        std::process::Command::new(crate::ran::example("fluxctl")).env_clear().arg("list-workloads").output();
    assert_eq!(bare.expect("fluxctl runs").status.code(), Some(2));
}

#[test]
fn a_manifest_that_is_a_link_is_reported_and_nothing_is_pruned() {
    let map = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
    let files = [("g/one.yaml", map("one")), ("g/two.yaml", map("two")), ("other/two.yaml", map("two"))];
    let shop = Shop::with(files.map(|(path, text)| (path.to_owned(), text)).into());
    let file = shop.path("cluster.yaml");
    let words =
        ["--git-path", "g", "--cluster", file.to_str().expect("text"), "sync", "--prune", "-o", "json"];
    shop.fluxctl(&words).exits(0);
    shop.link("g/two.yaml", "../other/two.yaml");
    // Links without a manifest's name, or in a chart, are ignored.
    shop.link("g/README", "../other/README");
    shop.commit(
        &[
            ("g/chart/Chart.yaml".to_owned(), String::new()),
            ("g/chart/values.yaml".to_owned(), String::new()),
        ],
        "Add a chart",
    );
    shop.link("g/chart/templates/x.yaml", "../../two.yaml");
    let synced = shop.fluxctl(&words).exits(1).json();
    assert!(!synced["resources"].to_string().contains("pruned"), "{synced}");
    let found = shop.fluxctl(&["--git-path", "g", "check", "-o", "json"]).exits(1).json();
    let findings: Vec<_> =
        found.as_array().expect("findings").iter().map(|f| (&f["code"], &f["place"]["path"])).collect();
    assert_eq!(findings, [(&"linked-manifest".into(), &"g/two.yaml".into())]);
    shop.link("g/deep", "../other");
    let ran = shop.fluxctl(&["--git-path", "g", "check"]).exits(1);
    assert!(
        ran.stdout.contains("g/deep:1:1: error[linked-manifest]"),
        "it may hold manifests: {}",
        ran.stdout
    );
    // The same of a folder that nobody committed.
    let folder = shop.path("folder");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("one.yaml"), map("one")).expect("a file");
    std::os::unix::fs::symlink("one.yaml", folder.join("two.yaml")).expect("a link");
    let ran = shop.fluxctl(&["check", folder.to_str().expect("text")]).exits(1);
    assert!(ran.stdout.contains("two.yaml:1:1: error[linked-manifest]"), "{}", ran.stdout);
}

#[test]
fn a_flux_yaml_that_is_a_link_does_not_make_its_path_one_without() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n".to_owned();
    let shop = Shop::with(vec![("g/one.yaml".to_owned(), map)]);
    shop.link("g/.flux.yaml", "../.flux.yaml");
    let found = shop.fluxctl(&["--git-path", "g", "check", "-o", "json"]).exits(1).json();
    assert_eq!(found[0]["code"], "invalid-generation");
    assert_eq!(found[0]["place"]["path"], "g/.flux.yaml");
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
}
