//! Constraints come last: what blocks an edit, for whatever reason, is known when groups and
//! all-or-nothing requests are judged.

use super::*;

const GROUP: [(&str, &str); 2] = [("fluxcd.io/automated", "true"), ("fluxcd.io/group", "shop")];

fn images() -> [(&'static str, &'static [(&'static str, Option<&'static str>)]); 2] {
    const TAGS: &[(&str, Option<&str>)] =
        &[("1.0", Some("2016-11-01T00:00:00Z")), ("1.1", Some("2016-11-10T00:00:00Z"))];
    [("team/web", TAGS), ("team/api", TAGS)]
}

/// `web` takes its tag from an entry that a locked workload uses as well, so it cannot be edited.
fn shared_with_a_locked_one(annotations: &[(&str, &str)]) -> Vec<(&'static str, String)> {
    let kustomization =
        "resources: [web.yaml, old.yaml, api.yaml]\nimages: [{name: team/web, newTag: '1.0'}]\n";
    vec![
        ("api.yaml", deployment("api", "team/api:1.0", annotations)),
        ("kustomization.yaml", kustomization.to_owned()),
        ("old.yaml", deployment("old", "team/web", &[("fluxcd.io/locked", "true")])),
        ("web.yaml", deployment("web", "team/web", annotations)),
    ]
}

#[test]
fn a_member_whose_edit_cannot_be_made_keeps_the_whole_group_back() {
    let seen = snapshot(&shared_with_a_locked_one(&GROUP), &images());
    let plan = plan(&seen, &Request::automation(), now());
    assert_eq!(plan.workloads[&web()].reason, Reason::NotEditable);
    assert_eq!(plan.edits, [], "no member moves alone");
    let api = &plan.workloads[&id("shop:deployment/api")];
    assert_eq!((api.reason, api.containers[0].target.as_ref()), (Reason::GroupIncomplete, None));
    assert!(api.containers[0].message.contains("shop:deployment/web"), "{api:?}");
}

#[test]
fn a_member_whose_edit_does_not_verify_keeps_the_whole_group_back() {
    let files = [
        ("api.yaml", deployment("api", "team/api:1.0", &GROUP)),
        ("web.yaml", deployment("web", "team/web:1.0", &GROUP)),
    ];
    let mut seen = snapshot(&files, &images());
    assert_eq!(plan(&seen, &Request::automation(), now()).edits.len(), 2);
    // The text is not the one that was parsed.
    seen.sources.insert("web.yaml".parse().unwrap(), format!("# moved\n{}", files[1].1).into());
    let plan = plan(&seen, &Request::automation(), now());
    assert_eq!(plan.edits, []);
    assert_eq!(plan.workloads[&web()].reason, Reason::NotEditable);
    assert_eq!(plan.workloads[&id("shop:deployment/api")].reason, Reason::GroupIncomplete);
}

fn to_both() -> Request {
    let update = |container: &str, target: &str| {
        let target = target.parse().unwrap();
        vec![ContainerUpdate { container: container.to_owned(), current: None, target }]
    };
    let containers = BTreeMap::from([
        (web(), update("web", "team/web:1.1")),
        (id("shop:deployment/api"), update("api", "team/api:1.1")),
    ]);
    let operation =
        Operation::Containers(ContainersRelease { containers, skip_mismatches: false, force: false });
    Request { operation, cause: Cause::default() }
}

#[test]
fn whatever_keeps_one_named_container_from_being_done_keeps_all_from_it() {
    let plain = |name: &str| deployment(name, &format!("team/{name}:1.0"), &[]);
    let api = |annotations: &[(&str, &str)]| deployment("api", "team/api:1.0", annotations);
    let encrypted = format!("{}sops: {{mac: x, version: '3'}}\n", plain("api"));
    let anchored = plain("api").replace("image: team/api:1.0", "image: !!binary dGVhbS9hcGk6MS4w");
    let cases = [
        ("locked", api(&[("fluxcd.io/locked", "true")]), Reason::Locked),
        ("ignored", api(&[("fluxcd.io/ignore", "true")]), Reason::IgnoredByPolicy),
        ("frozen", api(&[("fluxcd.io/freeze", "* * * * * for 1h")]), Reason::Frozen),
        ("encrypted", encrypted, Reason::Encrypted),
        ("not editable", anchored, Reason::NotEditable),
        ("not there", String::new(), Reason::NotFound),
    ];
    let both = [("api.yaml", plain("api")), ("web.yaml", plain("web"))];
    assert_eq!(plan(&snapshot(&both, &[]), &to_both(), now()).edits.len(), 2);
    for (case, api, reason) in cases {
        let files = [("api.yaml", api), ("web.yaml", plain("web"))];
        let plan = plan(&snapshot(&files, &[]), &to_both(), now());
        assert_eq!(plan.workloads[&id("shop:deployment/api")].reason, reason, "{case}");
        assert_eq!(plan.edits, [], "{case}: nothing of the request is done");
        assert_eq!(plan.workloads[&web()].reason, Reason::NothingDone, "{case}");
    }
}

#[test]
fn the_verdict_names_the_member_that_keeps_its_group_back() {
    let seen = snapshot(&shared_with_a_locked_one(&GROUP), &images());
    let plan = plan(&seen, &Request::automation(), now());
    let api = plan.verdict("shop:deployment/api").unwrap();
    assert_eq!(api.blocked_by(), [&web()].into());
    assert_eq!(api.message, "a member of the release group cannot move: shop:deployment/web");
    let json = serde_json::to_value(api).unwrap();
    assert_eq!(json["containers"][0]["blocked_by"], serde_json::json!(["shop:deployment/web"]));
    let lines: Vec<String> = plan.to_string().lines().map(str::to_owned).collect();
    assert_eq!(
        lines[0],
        "shop:deployment/api skipped (group-incomplete): a member of the release group cannot move: shop:deployment/web"
    );
}
