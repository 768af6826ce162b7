//! How policies are read off annotations.

use proptest::prelude::*;

use super::*;
use crate::manifest::Annotation;

fn of(annotations: &[(&str, &str)]) -> Policies {
    let annotation =
        |value: &str, line| Annotation { value: value.to_owned(), position: Position { line, column: 5 } };
    let lines = annotations.iter().zip(1..);
    Policies::of(&lines.map(|((k, v), line)| ((*k).to_owned(), annotation(v, line))).collect())
}

fn pattern(policies: &Policies, container: &str) -> String {
    policies.pattern(container).map_or_else(|e| e.to_string(), |p| p.to_string())
}

#[test]
fn every_spelling_of_v1_is_read_in_its_order() {
    let policies = of(&[
        ("flux.weave.works/automated", "true"),
        ("filter.fluxcd.io/web", "glob:filter-*"),
        ("filter.fluxcd.io/db", "glob:filter-*"),
        ("flux.weave.works/tag.web", "glob:weave-*"),
        ("flux.weave.works/tag.cache", "glob:weave-*"),
        ("fluxcd.io/tag.cache", "semver:~1"),
        ("other.io/automated", "false"),
        ("automated", "false"),
    ]);
    assert!(policies.automated);
    assert_eq!(policies.problems, []);
    assert_eq!(pattern(&policies, "web"), "glob:weave-*");
    assert_eq!(pattern(&policies, "db"), "glob:filter-*");
    assert_eq!(pattern(&policies, "cache"), "semver:~1");
    assert_eq!(pattern(&policies, "other"), "glob:*");
    let names: Vec<&str> = policies.all.keys().map(String::as_str).collect();
    assert_eq!(names, ["automated", "tag.cache", "tag.db", "tag.web"]);
    assert_eq!(policies.key("tag.web"), "flux.weave.works/tag.web");
    assert_eq!(policies.key("tag.db"), "filter.fluxcd.io/db");
    assert_eq!(policies.key("locked"), "fluxcd.io/locked");
}

#[test]
fn a_container_may_be_called_as_a_policy_is() {
    let policies = of(&[("filter.fluxcd.io/automated", "glob:x")]);
    assert!(!policies.automated);
    assert_eq!(pattern(&policies, "automated"), "glob:x");
    assert_eq!(policies.key("automated"), "fluxcd.io/automated");
}

#[test]
fn values_are_read() {
    let policies = of(&[
        ("fluxcd.io/locked", "true"),
        ("fluxcd.io/locked_user", "Ann <ann@example.com>"),
        ("fluxcd.io/locked_msg", "until the fair"),
        ("fluxcd.io/ignore", "sync_only"),
        ("fluxcd.io/allow-downgrade", "true"),
        ("fluxcd.io/min-age", "1d"),
        ("fluxcd.io/freeze", "0 16 * * 5 for 64h Europe/Berlin"),
        ("fluxcd.io/hold", "true"),
        ("fluxcd.io/hold_msg", "it leaks"),
        ("fluxcd.io/platforms", "linux/amd64, linux/arm64"),
        ("fluxcd.io/pin-digest", "true"),
        ("fluxcd.io/group", "shop"),
        ("fluxcd.io/sync-checksum", "0123"),
    ]);
    assert_eq!(policies.problems, []);
    assert!(!policies.automated);
    let lock = policies.locked.unwrap();
    assert_eq!(
        (lock.user.as_deref(), lock.message.as_deref()),
        (Some("Ann <ann@example.com>"), Some("until the fair"))
    );
    assert_eq!(policies.ignore, Some(Ignore::SyncOnly));
    let guards = policies.guards;
    assert!(guards.allow_downgrade && guards.pin_digest && guards.freeze.is_some());
    assert_eq!(guards.min_age, Some(SignedDuration::from_hours(24)));
    assert_eq!(guards.hold.unwrap().message.as_deref(), Some("it leaks"));
    assert_eq!(guards.platforms.len(), 2);
    assert_eq!(guards.group.as_deref(), Some("shop"));
    assert!(!policies.all.contains_key("sync-checksum"));
}

#[test]
fn false_is_as_if_it_were_not_there() {
    for name in ["automated", "locked", "ignore", "hold", "allow-downgrade", "pin-digest"] {
        let policies = of(&[(&format!("fluxcd.io/{name}"), "false")]);
        assert_eq!((policies.problems, policies.invalid_guards), (Vec::new(), Vec::new()), "{name}");
        assert!(!policies.automated && policies.locked.is_none() && policies.ignore.is_none());
        assert_eq!(policies.guards, Guards::default());
    }
}

#[test]
fn a_malformed_value_is_reported_with_its_position_and_a_guard_that_has_one_blocks() {
    // Name, value, whether it blocks.
    let table = [
        ("automated", "yes", false),
        ("allow-downgrade", "True", false),
        ("locked", "yes", true),
        ("ignore", "sync-only", true),
        ("min-age", "a week", true),
        ("freeze", "on fridays", true),
        ("hold", "", true),
        ("platforms", "amd64", true),
        ("pin-digest", "1", true),
        ("group", "", true),
    ];
    for (name, value, blocks) in table {
        let policies = of(&[("a", "b"), (&format!("fluxcd.io/{name}"), value)]);
        let [problem] = &policies.problems[..] else { panic!("{name}: {:?}", policies.problems) };
        assert_eq!(
            (problem.code, problem.position),
            (Code::InvalidPolicy, Position { line: 2, column: 5 }),
            "{name}"
        );
        assert_eq!(policies.invalid_guards, if blocks { vec![name] } else { vec![] });
        assert!(!policies.automated);
    }
}

#[test]
fn an_invalid_pattern_is_reported_and_matches_nothing() {
    for pattern in ["semver:abc", "regexp:(", "semver:>", "regex:[", "semver-strict:1.2.3.4"] {
        let policies = of(&[("fluxcd.io/tag.web", pattern)]);
        assert_eq!(policies.problems[0].code, Code::InvalidPattern, "{pattern}");
        assert!(policies.pattern("web").is_err());
    }
}

#[test]
fn a_key_that_no_policy_has_is_reported() {
    for key in
        ["fluxcd.io/automatd", "flux.weave.works/tag_all", "fluxcd.io/tag.", "fluxcd.io/", "fluxcd.io/minAge"]
    {
        let policies = of(&[(key, "true")]);
        assert_eq!(policies.problems[0].code, Code::UnknownPolicy, "{key}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read(value in "\\PC{0,20}", at in 0..NAMES.len() + 1) {
        let name = NAMES.get(at).copied().unwrap_or("tag.web");
        let policies = of(&[(&format!("fluxcd.io/{name}"), &value)]);
        prop_assert!(policies.all[name].value == value);
        if let Ok(pattern) = policies.pattern("web") {
            let _ = pattern.matches(&value);
        }
    }
}
