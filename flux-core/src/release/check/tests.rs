//! Plans of the planner with one thing broken by hand: the checker finds each.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use super::{check, check_at};
use crate::{
    backend::{Completeness, Revision},
    image::{ArtifactKind, ImageInfo, ImageName, InspectError, Tag},
    manifest::WorkloadId,
    manifest_set::Manifests,
    release::{
        Cause, ContainerUpdate, ContainersRelease, ImageFacts, ImageRelease, ImageTarget, Operation,
        ReleasePlan, RepositoryFacts, Request, Selection, Snapshot, Status, plan,
    },
    workload,
};

fn now() -> jiff::Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn deployment(name: &str, image: &str, policies: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  namespace: shop\n  annotations: {{{policies}}}\n\
         spec:\n  template:\n    spec:\n      containers:\n      - name: {name}\n        image: {image} # runs\n"
    )
}

fn parsed(files: &[(&str, String)]) -> Manifests {
    let parse =
        |(path, text): &(&str, String)| (path.parse().unwrap(), Arc::new(workload::parse(text.as_bytes())));
    Manifests::new(files.iter().map(parse).collect())
}

/// Returns a snapshot of files, with the texts of all files, and three versions of one image, each
/// built a day after the one before.
fn snapshot(files: &[(&str, String)]) -> Snapshot {
    let mut snapshot = Snapshot::new(Revision::new("abc"), Arc::new(parsed(files)));
    for (path, text) in files {
        snapshot.sources.insert(path.parse().unwrap(), Bytes::from(text.clone()));
    }
    let images = ["1.0", "1.1", "1.2"].iter().zip(1..).map(|(tag, day)| {
        let created = Some(format!("2026-11-0{day}T00:00:00Z").parse().unwrap());
        (tag.parse().unwrap(), Ok(ImageInfo { created, ..ImageInfo::default() }))
    });
    let images: BTreeMap<_, _> = images.collect();
    let known = RepositoryFacts {
        tags: images.keys().cloned().collect(),
        completeness: Completeness::Complete,
        images,
        dates: crate::image::DatePreference::default(),
    };
    let name: ImageName = "team/web".parse().unwrap();
    snapshot.images = ImageFacts { repositories: [(name.canonical(), Ok(known))].into() };
    snapshot
}

const AUTOMATED: &str =
    "fluxcd.io/automated: 'true', fluxcd.io/tag.web: 'semver:*', fluxcd.io/tag.api: 'semver:*'";

fn automation(policies: &str) -> (Snapshot, ReleasePlan) {
    let policies = format!("{AUTOMATED}{policies}");
    let files = [
        ("api.yaml", deployment("api", "team/web:1.0", &policies)),
        ("web.yaml", deployment("web", "team/web:1.0", &policies)),
    ];
    let snapshot = snapshot(&files);
    let plan = plan(&snapshot, &Request::automation(), now());
    assert_eq!(check_at(&plan, &snapshot, now()), [], "the planner's own plan is sound");
    assert_eq!(plan.edits.len(), 2);
    (snapshot, plan)
}

/// Returns the sentences about a plan of automation with one thing broken.
fn broken(policies: &str, change: impl FnOnce(&mut Snapshot, &mut ReleasePlan)) -> Vec<String> {
    let (mut snapshot, mut plan) = automation(policies);
    change(&mut snapshot, &mut plan);
    check_at(&plan, &snapshot, now()).iter().map(ToString::to_string).collect()
}

fn id(name: &str) -> WorkloadId {
    WorkloadId::new("shop", "deployment", name)
}

/// Puts other manifests in the place of those that the plan was made from.
fn now_has(snapshot: &mut Snapshot, policies: &str) {
    let files = [
        ("api.yaml", deployment("api", "team/web:1.0", AUTOMATED)),
        ("web.yaml", deployment("web", "team/web:1.0", policies)),
    ];
    snapshot.manifests = Arc::new(parsed(&files));
    snapshot.sources.clear();
}

#[test]
fn what_is_kept_by_a_policy_is_not_changed() {
    for (policies, rule) in [
        ("fluxcd.io/locked: 'true'", "it is locked"),
        ("flux.weave.works/locked: 'true'", "it is locked"),
        ("fluxcd.io/ignore: 'true'", "it is ignored"),
        ("fluxcd.io/hold: 'true'", "it is on hold"),
        ("fluxcd.io/freeze: '0 0 * * * for 24h UTC'", "it is frozen"),
    ] {
        let found = broken("", |snapshot, _| now_has(snapshot, &format!("{AUTOMATED}, {policies}")));
        assert_eq!(found, [format!("shop:deployment/web would be changed, though {rule}.")], "{policies}");
    }
    let found = broken("", |snapshot, _| now_has(snapshot, "fluxcd.io/tag.web: 'semver:*'"));
    assert_eq!(found, ["shop:deployment/web would be changed, though it is not automated."]);
}

#[test]
fn rules_of_policy_documents_are_read_too() {
    let rule = |policy: &str, enforce: bool| {
        format!(
            "apiVersion: fluxcd.io/v1alpha1\nkind: FluxPolicy\nmetadata: {{name: p}}\nspec:\n  rules:\n  - select: {{namespaces: [sh*p], kinds: [Deployment]}}\n    policy: {policy}\n    enforce: {enforce}\n"
        )
    };
    let web = |policies: &str| deployment("web", "team/web:1.0", policies);
    let ask = |files: &[(&str, String)]| {
        let snapshot = snapshot(files);
        let plan = plan(&snapshot, &Request::automation(), now());
        assert_eq!(check_at(&plan, &snapshot, now()), []);
        (snapshot, plan)
    };
    let automated = rule("{automated: true, tag: 'semver:*'}", false);
    let (mut snapshot, plan) = ask(&[("p.yaml", automated.clone()), ("web.yaml", web(""))]);
    assert_eq!(plan.edits.len(), 1, "the rule automates it");
    let locked = rule("{automated: true, locked: true}", true);
    snapshot.manifests =
        Arc::new(parsed(&[("p.yaml", locked), ("web.yaml", web("fluxcd.io/locked: 'false'"))]));
    let found: Vec<String> = check(&plan, &snapshot).iter().map(ToString::to_string).collect();
    assert_eq!(found, ["shop:deployment/web would be changed, though it is locked."]);
    ask(&[("p.yaml", automated), ("web.yaml", web("fluxcd.io/locked: 'true'"))]);
}

#[test]
fn what_nobody_asked_for_is_not_changed() {
    let other = |workloads: Selection, exclude: &[&str]| {
        let exclude = exclude.iter().map(|name| id(name)).collect();
        let release = ImageRelease { workloads, image: ImageTarget::Latest, exclude, force: false };
        Request { operation: Operation::Image(release), cause: Cause::default() }
    };
    let named = Selection::Named([id("api")].into());
    assert_eq!(
        broken("", |_, plan| plan.request = other(named, &[])),
        ["shop:deployment/web would be changed, though the request is not about it."]
    );
    assert_eq!(
        broken("", |_, plan| plan.request = other(Selection::All, &["web"])),
        ["shop:deployment/web would be changed, though the request excludes it."]
    );
    assert_eq!(
        broken("", |_, plan| {
            let verdict = plan.workloads[&id("web")].clone();
            plan.workloads.insert(id("nobody"), verdict);
        }),
        ["There is a verdict on shop:deployment/nobody, which git does not describe and nobody asked for."]
    );
}

#[test]
fn a_group_that_is_torn_apart_is_found() {
    // The planner without its constraint would have left one member behind.
    let group = ", fluxcd.io/group: shop";
    let left = broken(group, |_, plan| {
        plan.edits.retain(|edit| edit.path != "web.yaml");
        plan.intents.remove("web.yaml");
        plan.workloads.remove(&id("web"));
    });
    assert_eq!(left, ["Group shop would go to 1.2 without its member shop:deployment/web."]);
    let apart = broken(group, |snapshot, plan| {
        plan.workloads.get_mut(&id("web")).unwrap().containers[0].target =
            Some("team/web:1.1".parse().unwrap());
        snapshot.sources.clear();
    });
    assert_eq!(apart, ["The members of group shop would go to different tags: 1.1, 1.2."]);
}

#[test]
fn a_request_that_is_done_in_part_is_found() {
    let files = [
        ("api.yaml", deployment("api", "team/web:1.0", "")),
        ("web.yaml", deployment("web", "team/web:1.0", "")),
    ];
    let snapshot = snapshot(&files);
    let update = |name: &str| ContainerUpdate {
        container: name.to_owned(),
        current: None,
        target: "team/web:1.1".parse().unwrap(),
    };
    let containers = [(id("api"), vec![update("api")]), (id("web"), vec![update("web")])].into();
    let release = ContainersRelease { containers, skip_mismatches: false, force: false };
    let request = Request { operation: Operation::Containers(release), cause: Cause::default() };
    let mut plan = plan(&snapshot, &request, now());
    assert_eq!(check(&plan, &snapshot), []);
    plan.edits.retain(|edit| edit.path != "web.yaml");
    plan.intents.remove("web.yaml");
    plan.workloads.remove(&id("web"));
    let found: Vec<String> = check(&plan, &snapshot).iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        ["The request is to be done as a whole, and container web of shop:deployment/web is left out."]
    );
}

#[test]
fn a_success_without_an_edit_and_an_edit_without_a_success_are_found() {
    assert_eq!(
        broken("", |_, plan| plan.edits.retain(|edit| edit.path != "web.yaml")),
        ["Container web of shop:deployment/web is to change, and no edit changes it."]
    );
    let stray = broken("", |_, plan| {
        let verdict = plan.workloads.get_mut(&id("web")).unwrap();
        verdict.containers[0].target = None;
        verdict.containers[0].reason = super::super::Reason::UpToDate;
        *verdict = super::super::WorkloadVerdict::of(verdict.containers.clone());
    });
    // The file of a workload that stays as it is would be edited.
    assert_eq!(stray, ["An edit of web.yaml belongs to no workload that is changed."]);
    let forgotten = broken("", |_, plan| drop(plan.intents.remove("web.yaml")));
    assert_eq!(
        forgotten,
        [
            "Container web of shop:deployment/web is to change, and no edit changes it.",
            "An edit of web.yaml belongs to no workload that is changed.",
            "The edits of web.yaml do something else than intended: /spec/template/spec/containers/0/image.",
        ]
    );
}

#[test]
fn an_edit_that_does_not_fit_its_file_is_found() {
    let edit = |change: fn(&mut super::super::FileEdit)| {
        broken("", |_, plan| change(plan.edits.iter_mut().find(|edit| edit.path == "web.yaml").unwrap()))
    };
    let start = automation("").1.edits[1].edit.start;
    assert_eq!(
        edit(|edit| edit.edit.before = "team/web:0.9".to_owned()),
        [format!("The edit of web.yaml at byte {start} does not fit the file, or overlaps another.")]
    );
    assert_eq!(
        edit(|edit| edit.edit.after = "team/web:6.6".to_owned()),
        ["The edits of web.yaml do something else than intended: /spec/template/spec/containers/0/image."]
    );
    assert_eq!(
        edit(|edit| edit.edit.after = "team/web:1.2\n        command: [x]".to_owned()),
        ["The edits of web.yaml do something else than intended: /spec/template/spec/containers/0/command."]
    );
    let overlap = broken("", |_, plan| {
        let mut second = plan.edits[1].clone();
        second.edit.start += 1;
        plan.edits.push(second);
    });
    assert_eq!(
        overlap,
        [format!("The edit of web.yaml at byte {} does not fit the file, or overlaps another.", start + 1)]
    );
    let elsewhere = broken("", |_, plan| {
        plan.edits[1].path = "none.yaml".parse().unwrap();
        let intents = plan.intents.remove("web.yaml").unwrap();
        plan.intents.insert("none.yaml".parse().unwrap(), intents);
    });
    assert!(
        elsewhere.contains(&"An edit is for none.yaml, which git does not have.".to_owned()),
        "{elsewhere:?}"
    );
}

#[test]
fn automation_that_goes_back_is_found() {
    let files = |tag: &str, pattern: &str| {
        let policies = format!("fluxcd.io/automated: 'true', fluxcd.io/tag.web: '{pattern}'");
        [("web.yaml", deployment("web", &format!("team/web:{tag}"), &policies))]
    };
    for pattern in ["semver:*", "glob:*"] {
        let before = snapshot(&files("1.0", pattern));
        let mut plan = plan(&before, &Request::automation(), now());
        assert_eq!(check(&plan, &before), []);
        // The image went to 1.2 by hand meanwhile, and the plan is to 1.1.
        plan.workloads.get_mut(&id("web")).unwrap().containers[0].target =
            Some("team/web:1.1".parse().unwrap());
        let mut after = snapshot(&files("1.2", pattern));
        after.sources.clear();
        let found: Vec<String> = check_at(&plan, &after, now()).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            ["Automation would take container web of shop:deployment/web from 1.2 back to 1.1."]
        );
    }
}

#[test]
fn a_target_that_nobody_asked_for_is_found() {
    let wrong = broken("", |snapshot, plan| {
        plan.workloads.get_mut(&id("web")).unwrap().containers[0].target =
            Some("evil/web:1.2".parse().unwrap());
        snapshot.sources.clear();
    });
    assert_eq!(
        wrong[..1],
        ["Container web of shop:deployment/web would run an image that the request does not ask for."]
    );
}

#[test]
fn a_target_that_was_not_seen_to_be_an_image_is_found() {
    let unseen = |change: fn(&mut RepositoryFacts)| {
        broken("", |snapshot, _| {
            snapshot.images.repositories.values_mut().flatten().for_each(change);
        })
    };
    let sentences = ["api", "web"].map(|name| {
        format!(
            "Container {name} of shop:deployment/{name} would run 1.2, which was not seen to be an image."
        )
    });
    let tag = || "1.2".parse().unwrap();
    assert_eq!(unseen(|_| {}), [""; 0]);
    assert_eq!(unseen(|facts| facts.images.clear()), sentences);
    for error in [
        InspectError::not_an_image(ArtifactKind::HelmChart, "a chart"),
        InspectError::missing("gone"),
        InspectError::unreadable("500"),
    ] {
        let found = broken("", |snapshot, _| {
            for facts in snapshot.images.repositories.values_mut().flatten() {
                facts.images.insert(tag(), Err(error.clone()));
            }
        });
        assert_eq!(found, sentences, "{error}");
    }
    // A tag that is named as signatures are is not chosen, whatever is under it.
    let named = broken("", |snapshot, plan| {
        let tag: Tag = format!("sha256-{:064}.sig", 7).parse().unwrap();
        for facts in snapshot.images.repositories.values_mut().flatten() {
            facts.images.insert(tag.clone(), Ok(ImageInfo::default()));
        }
        let target = &mut plan.workloads.get_mut(&id("web")).unwrap().containers[0].target;
        *target = Some(target.clone().unwrap().with_tag(tag, None).unwrap());
        snapshot.sources.clear();
    });
    assert!(
        named.iter().any(|sentence| sentence.contains(".sig, which was not seen to be an image")),
        "{named:?}"
    );
}

#[test]
fn another_revision_an_id_by_hand_and_a_verdict_at_odds_are_found() {
    assert_eq!(
        broken("", |_, plan| plan.base = Revision::new("def")),
        ["The plan is for def, and abc was read."]
    );
    let status = broken("", |_, plan| plan.workloads.get_mut(&id("web")).unwrap().status = Status::Failed);
    assert!(
        status.contains(
            &"The verdict on shop:deployment/web contradicts itself: its status is not that of its reason."
                .to_owned()
        ),
        "{status:?}"
    );
}

/// Reads the edited files with another YAML reader than the crate's own.
#[test]
fn another_reader_of_yaml_sees_the_same_images() {
    let (snapshot, plan) = automation("");
    for edit in &plan.edits {
        let mut text = String::from_utf8(snapshot.sources[&edit.path].to_vec()).unwrap();
        text.replace_range(edit.edit.start..edit.edit.end, &edit.edit.after);
        let value: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
        let container = &value["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["image"].as_str(), Some("team/web:1.2"));
    }
}

#[test]
fn equal_inputs_give_equal_ids() {
    assert_eq!(automation("").1.id, automation("").1.id);
    assert_ne!(automation("").1.id, automation(", fluxcd.io/group: shop").1.id);
}

#[test]
fn a_group_with_a_member_that_stays_is_planned_to_stay() {
    let member = |policies: &str| format!("{AUTOMATED}, fluxcd.io/group: shop{policies}");
    let files = [
        ("api.yaml", deployment("api", "team/web:1.0", &member(", fluxcd.io/locked: 'true'"))),
        ("web.yaml", deployment("web", "team/web:1.0", &member(""))),
    ];
    let snapshot = snapshot(&files);
    let plan = plan(&snapshot, &Request::automation(), now());
    assert_eq!(check_at(&plan, &snapshot, now()), []);
    assert!(plan.is_empty());
}
