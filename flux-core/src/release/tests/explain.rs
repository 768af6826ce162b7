//! Explanations have every reason that keeps a tag back, not only the first.

use super::*;

fn explained(annotations: &[(&str, &str)], tag: &str) -> TagVerdict {
    let files = [("web.yaml", deployment("web", "team/web:1.0", annotations))];
    let request = ExplainRequest { workload: web(), container: None };
    let seen = snapshot(&files, &[("team/web", WEB)]);
    assert_eq!(explain_needs(&seen, &request, now()), Needs::default());
    let (explained, _) = explain(&seen, &request, now());
    explained[0].tags.iter().find(|verdict| verdict.tag.as_str() == tag).unwrap().clone()
}

fn reasons(verdict: &TagVerdict) -> Vec<&str> {
    std::iter::once(&verdict.because).chain(&verdict.also).map(|because| because.reason.as_str()).collect()
}

#[test]
fn a_tag_that_is_too_young_today_and_locked_tomorrow_has_both_reasons() {
    let pattern = ("fluxcd.io/tag.web", "semver:*");
    let young = ("fluxcd.io/min-age", "30d");
    let locked = ("fluxcd.io/locked", "true");
    let held = ("fluxcd.io/hold", "true");
    let platforms = ("fluxcd.io/platforms", "linux/arm64");
    let table: [(&[(&str, &str)], &[&str]); 5] = [
        (&[pattern], &["newer-image"]),
        (&[pattern, young], &["min-age"]),
        (&[pattern, young, platforms], &["min-age", "platforms"]),
        (&[pattern, young, locked], &["min-age", "locked"]),
        (&[pattern, locked, held], &["locked", "on-hold"]),
    ];
    for (annotations, expected) in table {
        assert_eq!(reasons(&explained(annotations, "1.1")), expected, "{annotations:?}");
    }
    let both = explained(&[pattern, young, locked], "1.1");
    assert_eq!(both.verdict, TagStatus::Rejected);
    assert_eq!(both.also[0].evidence["from"], "web.yaml:9:23");
    // A tag that no policy would take is not held back by a lock.
    assert_eq!(reasons(&explained(&[pattern, locked], "dev-1")), ["pattern-mismatch"]);
    let json = serde_json::to_value(&both).unwrap();
    assert_eq!((&json["reason"], &json["also"][0]["reason"]), (&"min-age".into(), &"locked".into()));
}
