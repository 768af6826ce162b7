use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{
    image::ImageName,
    manifest::{Annotation, Annotations, is_policy_document},
    position::Position,
};

/// Returns a policy document with these lines under `rules:`, which is line 5.
fn text(rules: &str) -> String {
    let indented: String = rules.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "apiVersion: fluxcd.io/v1alpha1\nkind: FluxPolicy\nmetadata: {{name: platform}}\nspec:\n  rules:\n{indented}"
    )
}

fn document(text: &str) -> Resource {
    let object: Value = serde_yaml::from_str(text).unwrap();
    let field = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
    Resource {
        api_version: field("apiVersion").into(),
        kind: field("kind"),
        namespace: None,
        name: "platform".to_owned(),
        position: Position::START,
        object: object.into(),
        encrypted: false,
        annotations: Annotations::default(),
        workload: None,
        scalars: Vec::new(),
        version_labels: Vec::new(),
    }
}

fn read(text: &str) -> (PolicyRules, Vec<Problem>) {
    let mut rules = PolicyRules::default();
    let problems = rules.add(&"platform.yaml".parse().unwrap(), &document(text), Some(text));
    (rules, problems)
}

fn rules(lines: &str) -> PolicyRules {
    let (rules, problems) = read(&text(lines));
    assert_eq!(problems, [], "{lines}");
    rules
}

fn own(annotations: &[(&str, &str)]) -> Policies {
    let annotation = |value: &str| Annotation { value: value.to_owned(), position: Position::START };
    Policies::of(&annotations.iter().map(|(k, v)| (format!("fluxcd.io/{k}"), annotation(v))).collect())
}

/// `shop:deployment/web` with label `tier: web` and image `quay.io/team/web`.
fn apply(rules: &PolicyRules, annotations: &[(&str, &str)]) -> Policies {
    let labels = BTreeMap::from([("tier".to_owned(), "web".to_owned())]);
    let image: ImageName = "quay.io/team/web".parse().unwrap();
    let subject = PolicySubject {
        namespace: "shop",
        kind: "Deployment",
        name: "web",
        labels: &labels,
        images: &[&image],
    };
    rules.apply(&subject, own(annotations))
}

fn pattern(policies: &Policies, container: &str) -> String {
    policies.pattern(container).map_or_else(|e| e.to_string(), |p| p.to_string())
}

#[test]
fn a_rule_is_for_what_it_selects() {
    let table = [
        ("", true),
        ("namespaces: [shop]", true),
        ("namespaces: [sh*]", true),
        ("namespaces: [other, shop]", true),
        ("namespaces: [other]", false),
        ("namespaces: []", false),
        ("kinds: [deployment]", true),
        ("kinds: [DaemonSet, Deploy*]", true),
        ("kinds: [DaemonSet]", false),
        ("names: [w*]", true),
        ("names: [W*]", false),
        ("images: [quay.io/team/*]", true),
        ("images: [docker.io/*]", false),
        ("labels: {tier: web}", true),
        ("labels: {tier: db}", false),
        ("labels: {tier: web, other: x}", false),
        ("namespaces: [shop], names: [db]", false),
    ];
    for (select, expected) in table {
        let rules = rules(&format!("- select: {{{select}}}\n  policy: {{automated: true}}"));
        assert_eq!(apply(&rules, &[]).automated, expected, "{select}");
    }
}

#[test]
fn every_policy_can_be_set() {
    let rules = rules(
        "- policy:\n    automated: true\n    locked: \"true\"\n    lockedUser: ann\n    lockedMsg: fair\n    tag: semver:~1\n    tags: {db: glob:5*}\n    \
         minAge: 24h\n    freeze: [0 16 * * 5 for 64h, 0 0 1 1 * for 1d]\n    allowDowngrade: true\n    pinDigest: true\n    \
         platforms: [linux/amd64, linux/arm64]\n    group: shop\n    hold: true\n    holdMsg: it leaks",
    );
    let policies = apply(&rules, &[]);
    assert_eq!((policies.problems.len(), policies.invalid_guards.len()), (0, 0));
    let lock = policies.locked.as_ref().unwrap();
    assert_eq!((lock.user.as_deref(), lock.message.as_deref()), (Some("ann"), Some("fair")));
    let guards = &policies.guards;
    assert!(policies.automated && guards.allow_downgrade && guards.pin_digest && guards.min_age.is_some());
    assert!(guards.freeze.is_some() && guards.hold.is_some());
    assert_eq!((guards.platforms.len(), guards.group.as_deref()), (2, Some("shop")));
    assert_eq!(
        (pattern(&policies, "web"), pattern(&policies, "db")),
        ("semver:~1".to_owned(), "glob:5*".to_owned())
    );
    let from = policies.pattern_text("web").unwrap();
    assert_eq!(
        (from.rule.as_deref(), from.key.as_str(), from.position.line),
        (Some("platform.yaml"), "spec.rules[0].policy.tag", 11)
    );
}

#[test]
fn an_annotation_wins_over_a_rule_policy_by_policy() {
    let rules = rules("- policy: {automated: true, minAge: 24h, tag: \"semver:~1\"}");
    let policies = apply(&rules, &[("automated", "false"), ("tag.db", "glob:5*")]);
    assert!(!policies.automated);
    assert!(policies.guards.min_age.is_some());
    assert_eq!(
        (pattern(&policies, "web"), pattern(&policies, "db")),
        ("semver:~1".to_owned(), "glob:5*".to_owned())
    );
    assert_eq!(policies.all["tag.db"].rule, None);
    assert_eq!(policies.key("min-age"), "fluxcd.io/min-age");
}

#[test]
fn of_the_rules_the_last_that_matches_wins() {
    let rules = rules(
        "- policy: {automated: true, minAge: 1h, tags: {web: \"glob:a*\", db: \"glob:b*\"}}\n- select: {names: [web]}\n  policy: {minAge: 2h, tag: \"glob:c*\"}\n\
         - select: {names: [other]}\n  policy: {minAge: 3h}\n- policy: {tags: {db: \"glob:d*\"}}",
    );
    let policies = apply(&rules, &[]);
    assert!(policies.automated);
    assert_eq!(policies.all["min-age"].value, "2h");
    assert_eq!(
        (pattern(&policies, "web"), pattern(&policies, "db")),
        ("glob:c*".to_owned(), "glob:d*".to_owned())
    );
}

#[test]
fn an_enforced_rule_cannot_be_overridden() {
    let rules = rules(
        "- policy: {minAge: 1h, tag: \"glob:a*\"}\n  enforce: true\n- policy: {minAge: 2h, automated: true}\n  enforce: false",
    );
    let policies = apply(&rules, &[("min-age", "0s"), ("tag.web", "glob:mine"), ("automated", "false")]);
    assert_eq!(policies.all["min-age"].value, "1h");
    assert_eq!(pattern(&policies, "web"), "glob:a*");
    assert!(!policies.automated);
}

#[test]
fn a_mistake_is_reported_with_its_line_and_blocks_the_selected_workloads() {
    // The rule, the line of the mistake, its code.
    let table = [
        ("- select:\n    namespace: [shop]\n  policy: {automated: true}", 7, Code::InvalidPolicy),
        ("- select: {names: [web]}\n  policy:\n    automated: true\n    minage: 24h", 9, Code::InvalidPolicy),
        ("- policy:\n    automated: true\n    minAge: often", 8, Code::InvalidPolicy),
        ("- policy:\n    automated: true\n    tag: semver:abc", 8, Code::InvalidPattern),
        ("- policy:\n    tags:\n      web: \"regexp:(\"", 8, Code::InvalidPattern),
        ("- policy: {automated: true}\n  enforced: true", 7, Code::InvalidPolicy),
        ("- policy: {automated: true}\n  enforce: \"true\"", 7, Code::InvalidPolicy),
        ("- policy: {automated: [true]}", 6, Code::InvalidPolicy),
        ("- select: {names: web}", 6, Code::InvalidPolicy),
        ("- select: {labels: {tier: 1}}", 6, Code::InvalidPolicy),
        ("- automated", 6, Code::InvalidPolicy),
    ];
    for (lines, line, code) in table {
        let (rules, problems) = read(&text(lines));
        let [problem] = &problems[..] else { panic!("{lines}: {problems:?}") };
        assert_eq!((problem.position.line, problem.code), (line, code), "{lines}");
        let policies = apply(&rules, &[]);
        assert!(!policies.automated && !policies.invalid_guards.is_empty(), "{lines}");
    }
    let (rules, _) =
        read(&text("- select: {names: [other]}\n  policy: {minage: 1h}\n- policy: {automated: true}"));
    let policies = apply(&rules, &[]);
    assert!(policies.automated && policies.invalid_guards.is_empty(), "it is not for this workload");
}

#[test]
fn a_document_that_cannot_be_read_blocks_everything() {
    for text in [
        "apiVersion: fluxcd.io/v2\nkind: FluxPolicy\nspec: {rules: []}",
        "apiVersion: fluxcd.io/v1alpha1\nkind: FluxPolicy",
        "apiVersion: fluxcd.io/v1alpha1\nkind: FluxPolicy\nspec: {rules: {}}",
    ] {
        assert!(is_policy_document(&document(text)));
        let (rules, problems) = read(text);
        assert_eq!(problems.len(), 1, "{text}");
        assert_eq!(apply(&rules, &[]).invalid_guards.len(), 1, "{text}");
    }
    assert!(!is_policy_document(&document("apiVersion: other.io/v1alpha1\nkind: FluxPolicy")));
}

#[test]
fn without_rules_the_annotations_are_all() {
    let policies = apply(&PolicyRules::default(), &[("automated", "true"), ("typo", "x")]);
    assert!(policies.automated);
    assert_eq!(policies.problems.len(), 1);
}

proptest! {
    #[test]
    fn any_document_is_read(key in "[a-zA-Z./~]{0,8}", value in "\\PC{0,12}", list: bool) {
        let value = if list { serde_json::json!([value]) } else { Value::String(value) };
        let rule = serde_json::json!({"select": {key.clone(): value.clone()}, "policy": {key.clone(): value.clone(), "tag": value.clone()}, key: value});
        let text = serde_json::json!({"apiVersion": "fluxcd.io/v1alpha1", "kind": "FluxPolicy", "spec": {"rules": [rule]}}).to_string();
        let (rules, _) = read(&text);
        apply(&rules, &[]);
    }
}
