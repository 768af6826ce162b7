//! Policies: set, locked, explained, gone back on; guards, groups and policy documents.

use serde_json::{Value, json};

use crate::shop::Shop;

const WEB: &str = "shop:deployment/web";

/// A Deployment of one container.
fn deployment(name: &str, image: &str, annotations: &[(&str, &str)]) -> (String, String) {
    let annotations: String =
        annotations.iter().map(|(key, value)| format!("    fluxcd.io/{key}: '{value}'\n")).collect();
    let annotations =
        if annotations.is_empty() { annotations } else { format!("  annotations:\n{annotations}") };
    let text = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  namespace: shop\n{annotations}spec:\n  template:\n    spec:\n      \
         containers:\n      - name: {name}\n        image: {image}\n"
    );
    (format!("{name}.yaml"), text)
}

const IMAGES: &str = "
team/web:
- {tag: '1.0', created: 2026-01-01T00:00:00Z, digest: 'sha256:1111111111111111111111111111111111111111111111111111111111111111', platforms: [linux/amd64, linux/arm64]}
- {tag: '1.1', created: 2026-03-01T00:00:00Z, digest: 'sha256:2222222222222222222222222222222222222222222222222222222222222222', platforms: [linux/amd64]}
team/api:
- {tag: '1.0', created: 2026-01-01T00:00:00Z}
";

fn shop(files: Vec<(String, String)>) -> Shop {
    let shop = Shop::with(files);
    shop.images(IMAGES);
    shop
}

fn run(shop: &Shop, now: &str, words: &[&str]) -> Value {
    shop.fluxctl(&[&["--now", now, "-o", "json"], words].concat()).exits(0).json()
}

/// Returns the status, the reason and the message of a workload for automation at a time.
fn automation(shop: &Shop, now: &str) -> (String, String, String) {
    let report = run(shop, now, &["release", "--automated", "--dry-run"]);
    let text = |key: &str| report["workloads"][WEB][key].as_str().expect("text").to_owned();
    (text("status"), text("reason"), text("message"))
}

const NOW: &str = "2026-03-01T12:00:00Z";

#[test]
fn guards_keep_automation_back_and_say_why() {
    for (guard, value, status, reason, message) in [
        ("hold_msg", "x", "success", "newer-image", ""),
        ("min-age", "24h", "skipped", "too-young", "image is younger than the minimum age"),
        ("min-age", "1h", "success", "newer-image", ""),
        ("platforms", "linux/amd64,linux/arm64", "skipped", "platform-missing", "image lacks a platform"),
        ("hold", "true", "skipped", "on-hold", "held"),
        (
            "freeze",
            "0 0 * * 0 for 24h Europe/Berlin",
            "skipped",
            "frozen",
            "frozen by 0 0 * * 0 for 24h Europe/Berlin; opens at 2026-03-01T23:00:00Z",
        ),
        ("freeze", "0 0 * * 1 for 24h UTC", "success", "newer-image", ""),
        ("min-age", "a while", "skipped", "invalid-policy", "the value of min-age cannot be read"),
        ("locked", "true", "skipped", "locked", "locked"),
    ] {
        let shop = shop(vec![deployment("web", "team/web:1.0", &[("automated", "true"), (guard, value)])]);
        let expected = (status.to_owned(), reason.to_owned(), message.to_owned());
        assert_eq!(automation(&shop, NOW), expected, "{guard}: {value}");
    }
}

#[test]
fn a_digest_is_pinned_beside_its_tag_and_follows_a_moved_one() {
    let pinned = [("automated", "true"), ("pin-digest", "true")];
    let shop = shop(vec![deployment("web", "team/web:1.0", &pinned)]);
    run(&shop, NOW, &["release", "--automated"]);
    assert!(shop.file("web.yaml").contains(&format!("team/web:1.1@sha256:{}", "2".repeat(64))));
    shop.images(&IMAGES.replace(&"2".repeat(64), &"3".repeat(64)));
    run(&shop, NOW, &["release", "--automated"]);
    assert!(shop.file("web.yaml").contains(&format!("team/web:1.1@sha256:{}", "3".repeat(64))));
}

#[test]
fn a_group_moves_together_or_not_at_all_and_names_who_is_missing() {
    let grouped = [("automated", "true"), ("group", "train")];
    let shop =
        shop(vec![deployment("web", "team/web:1.0", &grouped), deployment("api", "team/api:1.0", &grouped)]);
    let report = run(&shop, NOW, &["release", "--automated"]);
    assert_eq!(report["workloads"][WEB]["reason"], "group-incomplete");
    let message = report["workloads"][WEB]["containers"][0]["message"].as_str().expect("text");
    assert!(message.contains("shop:deployment/api"), "{message}");
    let explained = run(&shop, NOW, &["explain", "-w", WEB]);
    assert_eq!(explained[0]["tags"][0]["reason"], "group-incomplete");
    assert_eq!(explained[0]["selected"], "1.0");
    shop.images(&format!("{IMAGES}- {{tag: '1.1', created: 2026-03-01T00:00:00Z}}\n"));
    let report = run(&shop, NOW, &["release", "--automated"]);
    assert_eq!(report["workloads"][WEB]["status"], "success");
    assert_eq!(report["workloads"]["shop:deployment/api"]["status"], "success");
    assert_eq!(shop.messages()[0], "Auto-release multiple (2) images\n\n - team/api:1.1\n - team/web:1.1");
}

#[test]
fn policies_are_set_and_removed_as_annotations_and_land_as_releases_do() {
    let shop = shop(vec![deployment("web", "team/web:1.0", &[])]);
    let before = shop.file("web.yaml");
    let dry = run(&shop, NOW, &["automate", "-w", WEB, "--dry-run"]);
    assert_eq!((&dry["revision"], &dry["workloads"][WEB]["status"]), (&Value::Null, &json!("success")));
    run(&shop, NOW, &["automate", "-w", WEB]);
    assert_eq!(shop.messages()[0], format!("Automated: {WEB}"));
    assert!(shop.file("web.yaml").contains("  annotations:\n    fluxcd.io/automated: \"true\"\n"));
    run(&shop, NOW, &["policy", "-w", WEB, "--tag", "web=semver:>=1.0, <2", "--set", "min-age=24h"]);
    let list = run(&shop, NOW, &["list-workloads"]);
    assert_eq!(
        list[0]["policies"],
        json!({"automated": "true", "tag.web": "semver:>=1.0, <2", "min-age": "24h"})
    );
    let again = run(&shop, NOW, &["automate", "-w", WEB]);
    assert_eq!((&again["revision"], &again["workloads"][WEB]["status"]), (&Value::Null, &json!("skipped")));
    run(&shop, NOW, &["policy", "-w", WEB, "--tag-all", "glob:*", "--unset", "min-age", "--deautomate"]);
    assert_eq!(shop.file("web.yaml"), before, "with its last annotation the key goes too");
    assert_eq!(
        shop.messages()[0],
        format!("Updated workload policies\n\n- Deautomated: {WEB}\n- Updated policies: {WEB}")
    );
    shop.fluxctl(&["policy", "-w", WEB, "--tag", "web=semver:not a range"]).exits(2);
    shop.fluxctl(&["policy", "-w", WEB, "--lock", "--unlock"]).exits(2);
    shop.fluxctl(&["policy", "-w", WEB]).exits(2);
    shop.fluxctl(&["lock", "-w", "shop:deployment/ghost"]).exits(1);
}

#[test]
fn a_lock_keeps_everybody_out_with_its_reason_on_record() {
    let shop = shop(vec![deployment("web", "team/web:1.0", &[("automated", "true")])]);
    run(&shop, NOW, &["lock", "-w", WEB, "-m", "migration", "--user", "Ada <ada@example.com>"]);
    assert_eq!(shop.messages()[0], format!("migration\n\n- Locked: {WEB}"));
    assert_eq!(automation(&shop, NOW).1, "locked");
    let explained = run(&shop, NOW, &["explain", "-w", WEB]);
    assert_eq!(explained[0]["selected"], "1.0");
    assert_eq!(
        explained[0]["tags"][0],
        json!({
            "tag": "1.1",
            "verdict": "rejected",
            "reason": "locked",
            "message": "locked by Ada <ada@example.com>: migration",
            "evidence": {"user": "Ada <ada@example.com>", "message": "migration", "from": "web.yaml:8:23"},
        })
    );
    run(&shop, NOW, &["unlock", "-w", WEB]);
    assert!(!shop.file("web.yaml").contains("locked"));
    assert_eq!(automation(&shop, NOW).0, "success");
}

#[test]
fn every_tag_is_explained_newest_first() {
    let shop = shop(vec![deployment("web", "team/web:1.0", &[("tag.web", "semver:<1.1")])]);
    let explained = run(&shop, NOW, &["explain", "-w", WEB, "-c", "web"]);
    let of = &explained[0];
    assert_eq!(
        (&of["id"], &of["container"], &of["image"]),
        (&json!(WEB), &json!("web"), &json!("team/web:1.0"))
    );
    assert_eq!(of["pattern"]["text"], "semver:<1.1");
    assert_eq!(of["pattern"]["from"]["path"], "web.yaml");
    assert_eq!(of["selected"], "1.0");
    let tags: Vec<(&Value, &Value, &Value)> = of["tags"]
        .as_array()
        .expect("tags")
        .iter()
        .map(|t| (&t["tag"], &t["verdict"], &t["reason"]))
        .collect();
    assert_eq!(
        tags,
        [
            (&json!("1.1"), &json!("rejected"), &json!("pattern-mismatch")),
            (&json!("1.0"), &json!("current"), &json!("up-to-date")),
        ]
    );
    shop.fluxctl(&["explain", "-w", WEB, "-c", "nothing"]).exits(1);
}

#[test]
fn what_a_person_takes_back_is_not_released_again_until_something_newer_comes() {
    let shop = shop(vec![deployment("web", "team/web:1.0", &[("automated", "true")])]);
    let before = shop.messages().len();
    run(&shop, NOW, &["release", "--automated"]);
    assert!(shop.file("web.yaml").contains("team/web:1.1"));
    // By hand, with no tool of ours.
    let back = shop.file("web.yaml").replace("team/web:1.1", "team/web:1.0");
    shop.commit(&[("web.yaml".to_owned(), back)], "1.1 is broken");
    assert_eq!(automation(&shop, NOW).1, "taken-back");
    shop.images(&IMAGES.replace("team/api:", "- {tag: '1.2', created: 2026-03-01T06:00:00Z}\nteam/api:"));
    let report = run(&shop, NOW, &["release", "--automated"]);
    assert_eq!(report["workloads"][WEB]["containers"][0]["target"], "team/web:1.2");
    assert_eq!(shop.messages().len(), before + 3);
}

#[test]
fn a_rollback_brings_back_the_images_of_a_revision_and_holds_automation() {
    let shop = shop(vec![deployment("web", "team/web:1.0", &[("automated", "true")])]);
    let report = run(&shop, NOW, &["release", "-w", WEB, "--update-all-images"]);
    let base = report["base"].as_str().expect("a revision").to_owned();
    let report = run(&shop, NOW, &["rollback", "-w", WEB, "--to", &base[..8]]);
    assert_eq!(report["workloads"][WEB]["containers"][0]["target"], "team/web:1.0");
    assert!(shop.file("web.yaml").contains("team/web:1.0"));
    assert_eq!(shop.messages()[0], format!("Roll back {WEB} to {}", &base[..7]));
    assert_eq!(automation(&shop, NOW).1, "taken-back");
    run(&shop, NOW, &["policy", "-w", WEB, "--set", "hold=false"]);
    assert_eq!(automation(&shop, NOW).0, "success", "until it is lifted");
    shop.fluxctl(&["rollback", "-w", WEB, "--to", "0123456"]).exits(1);
}

#[test]
fn a_policy_document_sets_defaults_and_guards_for_many() {
    let document = "apiVersion: fluxcd.io/v1alpha1\nkind: FluxPolicy\nmetadata: {name: platform}\nspec:\n  rules:\n  - select: {namespaces: ['sh*']}\n    \
                    policy: {automated: true, tag: 'semver:~1'}\n  - select: {names: [web]}\n    enforce: true\n    policy: {minAge: 24h}\n";
    let files = vec![
        deployment("web", "team/web:1.0", &[("min-age", "1h")]),
        ("policy.yaml".to_owned(), document.to_owned()),
    ];
    let shop = shop(files);
    assert_eq!(automation(&shop, NOW).1, "too-young", "what is enforced cannot be overridden");
    assert_eq!(automation(&shop, "2026-03-03T00:00:00Z").0, "success");
    let explained = run(&shop, NOW, &["explain", "-w", WEB]);
    assert_eq!(
        explained[0]["pattern"],
        json!({"text": "semver:~1", "from": {"path": "policy.yaml", "line": 7, "column": 31}})
    );
    let synced =
        shop.fluxctl(&["--cluster", shop.path("c.yaml").to_str().expect("text"), "sync", "-o", "json"]);
    let synced = synced.exits(0).json();
    assert_eq!(
        synced["resources"].as_array().expect("resources").len(),
        1,
        "it is never sent to the cluster"
    );

    let broken = document.replace("minAge: 24h", "minimumAge: 24h");
    shop.commit(&[("policy.yaml".to_owned(), broken)], "Break it");
    let report = run(&shop, NOW, &["release", "--automated", "--dry-run"]);
    let found = &report["findings"][0];
    assert_eq!(
        (&found["code"], &found["place"]["line"]),
        (&json!("invalid-policy"), &json!(10)),
        "{report:#}"
    );
}

#[test]
fn what_was_taken_back_stays_so_through_further_hand_edits() {
    let shop =
        shop(vec![deployment("web", "team/web:0.8", &[("automated", "true"), ("tag.web", "semver:*")])]);
    run(&shop, NOW, &["release", "--automated"]);
    for tag in ["0.8", "1.0"] {
        let by_hand = shop
            .file("web.yaml")
            .replace("team/web:1.1", &format!("team/web:{tag}"))
            .replace("team/web:0.8", &format!("team/web:{tag}"));
        shop.commit(&[("web.yaml".to_owned(), by_hand)], "By hand");
        assert_eq!(automation(&shop, NOW).1, "taken-back", "{tag}");
    }
}

#[test]
fn what_was_taken_back_in_a_kustomization_stays_so() {
    let kustomization = |tag: &str, more: &str| {
        let text = format!("resources: [web.yaml]\nimages:\n{more}- {{name: team/web, newTag: '{tag}'}}\n");
        ("kustomization.yaml".to_owned(), text)
    };
    let web = deployment("web", "team/web:0.1", &[("automated", "true"), ("tag.web", "semver:*")]);
    let shop = shop(vec![web, kustomization("0.8", "")]);
    run(&shop, NOW, &["release", "--automated"]);
    assert_eq!(shop.file("kustomization.yaml"), kustomization("1.1", "").1);
    for more in ["", "- {name: team/other, newTag: '3'}\n"] {
        shop.commit(&[kustomization("0.8", more)], "By hand");
        assert_eq!(automation(&shop, NOW).1, "taken-back", "{more}");
    }
}

#[test]
fn a_policy_that_a_rule_sets_is_overridden_by_an_annotation_unless_it_is_enforced() {
    let rule = |enforce: bool| {
        format!(
            "apiVersion: fluxcd.io/v1alpha1\nkind: FluxPolicy\nmetadata: {{name: p}}\nspec:\n  rules:\n  - policy: {{automated: true}}\n    enforce: {enforce}\n"
        )
    };
    let shop = shop(vec![deployment("web", "team/web:1.0", &[]), ("policy.yaml".to_owned(), rule(false))]);
    run(&shop, NOW, &["deautomate", "-w", WEB]);
    assert!(shop.file("web.yaml").contains("fluxcd.io/automated: \"false\""));
    assert_eq!(run(&shop, NOW, &["release", "--automated", "--dry-run"])["workloads"], json!({}));
    run(&shop, NOW, &["automate", "-w", WEB]);
    shop.commit(&[("policy.yaml".to_owned(), rule(true))], "Enforce it");
    let ran = shop.fluxctl(&["deautomate", "-w", WEB, "-o", "json"]).exits(1).json();
    let message = ran["workloads"][WEB]["message"].as_str().expect("text");
    assert!(message.contains("policy.yaml:6"), "{message}");
}

#[test]
fn under_a_pattern_that_cannot_be_read_every_tag_still_has_its_verdict() {
    let shop = shop(vec![deployment("web", "team/web:1.0", &[("tag.web", "regexp:^(")])]);
    let explained = run(&shop, NOW, &["explain", "-w", WEB]);
    let tags: Vec<(&Value, &Value)> =
        explained[0]["tags"].as_array().expect("tags").iter().map(|t| (&t["tag"], &t["reason"])).collect();
    assert_eq!(tags, [(&json!("1.0"), &json!("up-to-date")), (&json!("1.1"), &json!("invalid-pattern"))]);
    shop.fluxctl(&["policy", "-w", WEB, "--set", "min-age=zzz"]).exits(2);
}

#[test]
fn a_policy_goes_in_every_spelling_that_it_has() {
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: shop\n  annotations:\n    flux.weave.works/locked: 'true'\n    fluxcd.io/locked: 'true'\n    filter.fluxcd.io/web: glob:1*\n    flux.weave.works/tag.web: glob:2*\n    kept: here\nspec: {template: {spec: {containers: [{name: web, image: 'team/web:1.0'}]}}}\n";
    let shop = shop(vec![("web.yaml".to_owned(), text.to_owned())]);
    shop.fluxctl(&["unlock", "-w", WEB]).exits(0);
    shop.fluxctl(&["policy", "-w", WEB, "--tag-all", "glob:*"]).exits(0);
    let left: Vec<String> =
        shop.file("web.yaml").lines().filter(|line| line.starts_with("    ")).map(str::to_owned).collect();
    assert_eq!(left, ["    kept: here"]);
}

#[test]
fn a_lock_that_is_no_text_is_reported_and_holds() {
    for lock in ["[true]", "{a: b}"] {
        let text = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: shop\n  annotations: {{fluxcd.io/automated: 'true', fluxcd.io/locked: {lock}}}\nspec: {{template: {{spec: {{containers: [{{name: web, image: 'team/web:1.0'}}]}}}}}}\n"
        );
        let shop = shop(vec![("web.yaml".to_owned(), text)]);
        let report = run(&shop, NOW, &["release", "--automated"]);
        assert_eq!(report["workloads"][WEB]["reason"], "invalid-policy", "{report:#}");
        assert_eq!(
            (&report["revision"], &report["findings"][0]["code"]),
            (&Value::Null, &json!("invalid-policy"))
        );
    }
}

#[test]
fn an_annotation_that_cannot_be_edited_stops_no_other_workload() {
    let odd = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: odd\n  namespace: shop\n  annotations:\n    ? a\nspec: {template: {spec: {containers: [{name: web, image: 'team/web:1.0'}]}}}\n";
    let shop = shop(vec![deployment("web", "team/web:1.0", &[]), ("odd.yaml".to_owned(), odd.to_owned())]);
    let report =
        shop.fluxctl(&["lock", "-w", WEB, "-w", "shop:deployment/odd", "-o", "json"]).exits(1).json();
    let reasons = [WEB, "shop:deployment/odd"].map(|id| report["workloads"][id]["reason"].clone());
    assert_eq!(reasons, [json!("policy-changed"), json!("not-editable")], "{report:#}");
    assert!(shop.file("web.yaml").contains("fluxcd.io/locked"));
    assert_eq!(shop.file("odd.yaml"), odd);
}
