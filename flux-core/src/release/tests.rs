//! The rules of releases, on plain data: no runtime, no backend.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::{
    backend::{Completeness, Error, InspectError, Revision},
    finding::Code,
    image::{ImageInfo, ImageName, Tag},
    manifest::{self, Manifests, WorkloadId},
};

const NOW: &str = "2016-11-18T16:35:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// A Deployment with one container of the same name.
fn deployment(name: &str, image: &str, annotations: &[(&str, &str)]) -> String {
    let annotations: String = annotations.iter().map(|(k, v)| format!("    {k}: '{v}'\n")).collect();
    let annotations =
        if annotations.is_empty() { String::new() } else { format!("  annotations:\n{annotations}") };
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  namespace: shop\n{annotations}spec:\n  template:\n    spec:\n      \
         containers:\n      - name: {name}\n        image: {image} # runs\n"
    )
}

fn snapshot(files: &[(&str, String)], images: &[(&str, &[(&str, Option<&str>)])]) -> Snapshot {
    let parsed = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), Arc::new(manifest::parse(text.as_bytes()))))
        .collect();
    let mut facts = ImageFacts::default();
    for (name, tags) in images {
        let name: ImageName = name.parse().unwrap();
        let images: BTreeMap<Tag, Result<ImageInfo, InspectError>> = tags
            .iter()
            .map(|(tag, created)| {
                let created = created.map(|c| c.parse().unwrap());
                (tag.parse().unwrap(), Ok(ImageInfo { created, ..ImageInfo::default() }))
            })
            .collect();
        let known = RepositoryFacts {
            tags: images.keys().cloned().collect(),
            completeness: Completeness::Complete,
            images,
        };
        facts.repositories.insert(name.canonical(), Ok(known));
    }
    Snapshot { images: facts, ..Snapshot::new(Revision::new("0123456789"), Arc::new(Manifests::new(parsed))) }
}

const WEB: &[(&str, Option<&str>)] = &[
    ("1.0", Some("2016-11-01T00:00:00Z")),
    ("1.1", Some("2016-11-10T00:00:00Z")),
    ("latest", Some("2016-11-12T00:00:00Z")),
    ("dev-1", Some("2016-11-11T00:00:00Z")),
];

fn id(text: &str) -> WorkloadId {
    text.parse().unwrap()
}

fn web() -> WorkloadId {
    id("shop:deployment/web")
}

fn latest() -> Request {
    Request::latest(web())
}

#[track_caller]
fn verdict(plan: &ReleasePlan, status: Status, reason: Reason, message: &str) {
    let verdict = &plan.workloads[&web()];
    assert_eq!((verdict.status, verdict.reason, verdict.message.as_str()), (status, reason, message));
}

#[test]
fn the_newest_image_that_the_pattern_takes_is_written() {
    let pattern = [("fluxcd.io/tag.web", "glob:1.*")];
    let seen = snapshot(&[("web.yaml", deployment("web", "team/web:1.0", &pattern))], &[("team/web", WEB)]);
    let plan = plan(&seen, &latest(), now());
    verdict(&plan, Status::Success, Reason::NewerImage, "");
    let [edit] = &plan.edits[..] else { panic!("{:?}", plan.edits) };
    assert_eq!((edit.edit.before.as_str(), edit.edit.after.as_str()), ("team/web:1.0", "team/web:1.1"));
    assert_eq!(plan.message(), "Release all latest to shop:deployment/web");
}

#[test]
fn filters_decide_in_v1s_order() {
    let locked = [("fluxcd.io/locked", "true")];
    let ignored = [("fluxcd.io/ignore", "true")];
    let image = |text: &str| Wish::Image(text.parse().unwrap());
    let request = |wish: Wish, f: &dyn Fn(&mut ImageRelease)| {
        let mut release = ImageRelease {
            workloads: Selection::Named([web()].into()),
            image: wish,
            exclude: Default::default(),
            force: false,
        };
        f(&mut release);
        Request { spec: Spec::Image(release), cause: Cause::default() }
    };
    let plan_of = |annotations: &[(&str, &str)], cluster: Option<ClusterFacts>, request: &Request| {
        let mut seen =
            snapshot(&[("web.yaml", deployment("web", "team/web:1.0", annotations))], &[("team/web", WEB)]);
        seen.cluster = cluster;
        plan(&seen, request, now())
    };
    let empty = || Some(ClusterFacts { workloads: Default::default(), complete: true });
    let other = request(image("team/other:1"), &|_| {});
    let forced = request(image("team/web:1.1"), &|r| r.force = true);
    let unforced = request(image("team/web:1.1"), &|_| {});
    let not_asked =
        request(Wish::Latest, &|r| r.workloads = Selection::Named([id("shop:deployment/x")].into()));
    let excluded = request(Wish::Latest, &|r| r.exclude = [web()].into());
    for (annotations, cluster, request, status, reason, message) in [
        (&locked[..], empty(), &not_asked, Status::Ignored, Reason::NotIncluded, "not included"),
        (&locked, empty(), &excluded, Status::Ignored, Reason::Excluded, "excluded"),
        (&locked, empty(), &other, Status::Skipped, Reason::NotInCluster, "not accessible in cluster"),
        (&locked, None, &other, Status::Ignored, Reason::DifferentImage, "a different image"),
        (&locked, None, &unforced, Status::Skipped, Reason::Locked, "locked"),
        (&ignored, None, &unforced, Status::Skipped, Reason::IgnoredByPolicy, "ignore"),
        (&locked, None, &forced, Status::Success, Reason::RequestedImage, ""),
        (&ignored, None, &forced, Status::Success, Reason::RequestedImage, ""),
        (&[], None, &unforced, Status::Success, Reason::RequestedImage, ""),
    ] {
        verdict(&plan_of(annotations, cluster, request), status, reason, message);
    }
}

#[test]
fn an_image_that_cannot_be_read_is_no_other_image() {
    let kustomization = "resources: [web.yaml]\nimages:\n- name: team/web\n  digest: abc\n".to_owned();
    let files = [("kustomization.yaml", kustomization), ("web.yaml", deployment("web", "team/web:1.0", &[]))];
    let seen = snapshot(&files, &[("team/web", WEB)]);
    let ask = |image: &str| {
        let (workloads, image) = (Selection::All, Wish::Image(image.parse().unwrap()));
        let spec = Spec::Image(ImageRelease { workloads, image, exclude: Default::default(), force: false });
        plan(&seen, &Request { spec, cause: Cause::default() }, now())
    };
    verdict(&ask("team/other:1"), Status::Ignored, Reason::DifferentImage, "a different image");
    let plan = ask("team/web:1.1");
    verdict(&plan, Status::Skipped, Reason::InvalidImage, "cannot find one or more images");
    let said = &plan.workloads[&web()].containers[0].message;
    assert!(said.contains("`team/web@abc`") && said.contains("kustomization.yaml:4:11 makes it"), "{said}");
}

#[test]
fn force_has_no_effect_without_a_named_workload_and_a_named_image() {
    let locked = [("fluxcd.io/locked", "true")];
    let seen = snapshot(&[("web.yaml", deployment("web", "team/web:1.0", &locked))], &[("team/web", WEB)]);
    for (workloads, image) in [
        (Selection::All, Wish::Image("team/web:1.1".parse().unwrap())),
        (Selection::Named([web()].into()), Wish::Latest),
    ] {
        let spec = Spec::Image(ImageRelease { workloads, image, exclude: Default::default(), force: true });
        let plan = plan(&seen, &Request { spec, cause: Cause::default() }, now());
        verdict(&plan, Status::Skipped, Reason::Locked, "locked");
    }
}

#[test]
fn a_named_image_respects_the_pattern_unless_forced_and_may_be_older() {
    let pattern = [("fluxcd.io/tag.web", "semver:~1")];
    let seen = snapshot(&[("web.yaml", deployment("web", "team/web:1.1", &pattern))], &[("team/web", WEB)]);
    let ask = |tag: &str, force: bool| {
        let image = Wish::Image(format!("index.docker.io/team/web:{tag}").parse().unwrap());
        let workloads = Selection::Named([web()].into());
        let spec = Spec::Image(ImageRelease { workloads, image, exclude: Default::default(), force });
        plan(&seen, &Request { spec, cause: Cause::default() }, now())
    };
    verdict(&ask("dev-1", false), Status::Skipped, Reason::TagNotMatching, "cannot find one or more images");
    verdict(&ask("dev-1", true), Status::Success, Reason::RequestedImage, "");
    verdict(&ask("1.0", false), Status::Success, Reason::RequestedImage, "");
    verdict(&ask("1.1", false), Status::Skipped, Reason::UpToDate, "image(s) up to date");
    verdict(&ask("9", false), Status::Failed, Reason::ImageNotFound, "cannot find one or more images");
    let target = ask("1.0", false).workloads[&web()].containers[0].target.clone().unwrap();
    assert_eq!(target.to_string(), "team/web:1.0", "the manifest's own spelling of the name is kept");
}

#[test]
fn automation_is_about_automated_workloads_and_never_goes_down() {
    let automated = [("fluxcd.io/automated", "true"), ("fluxcd.io/tag.web", "semver:<1.1")];
    let files = [
        ("web.yaml", deployment("web", "team/web:1.1", &automated)),
        ("other.yaml", deployment("other", "team/web:1.0", &[])),
    ];
    let seen = snapshot(&files, &[("team/web", WEB)]);
    let down = plan(&seen, &Request::automation(), now());
    assert_eq!(down.workloads.len(), 1, "what is not automated has no verdict");
    verdict(&down, Status::Skipped, Reason::Downgrade, "newest image is older than the current one");
    verdict(&plan(&seen, &latest(), now()), Status::Success, Reason::NewerImage, "");
}

#[test]
fn workloads_that_git_does_not_describe_are_told() {
    let seen = |runs: bool| {
        let mut seen = snapshot(&[], &[]);
        let workloads = if runs { [web()].into() } else { Default::default() };
        seen.cluster = Some(ClusterFacts { workloads, complete: true });
        seen
    };
    verdict(
        &plan(&seen(true), &latest(), now()),
        Status::Skipped,
        Reason::NotInRepository,
        "not found in repository",
    );
    let nowhere = plan(&seen(false), &latest(), now());
    assert_eq!(nowhere.workloads[&web()].status, Status::Failed);
    assert_eq!(nowhere.failures().count(), 1);
}

#[test]
fn what_cannot_be_read_is_a_verdict_and_a_finding() {
    let mut seen = snapshot(&[("web.yaml", deployment("web", "team/web:1.0", &[]))], &[]);
    let name: ImageName = "team/web".parse().unwrap();
    let refused = Err(Error::unauthorized("team/web", "team/web wants a login"));
    seen.images.repositories.insert(name.canonical(), refused);
    let plan = plan(&seen, &latest(), now());
    verdict(&plan, Status::Skipped, Reason::RegistryUnauthorized, "cannot find one or more images");
    assert_eq!(plan.findings[0].code, Code::RegistryUnauthorized);
    assert_eq!(plan.failures().count(), 1, "it was asked for by name");
}

#[test]
fn needs_are_tag_names_for_versions_and_details_of_matching_tags_for_dates() {
    let files =
        |pattern: &str| [("web.yaml", deployment("web", "team/web:1.0", &[("fluxcd.io/tag.web", pattern)]))];
    let asked = |pattern: &str| {
        let mut seen = snapshot(&files(pattern), &[]);
        let first = needs(&seen, &latest(), now());
        assert_eq!(first.tags.len(), 1);
        let name: ImageName = "team/web".parse().unwrap();
        let facts = RepositoryFacts {
            tags: WEB.iter().map(|(tag, _)| tag.parse().unwrap()).collect(),
            completeness: Completeness::Complete,
            images: BTreeMap::new(),
        };
        seen.images.repositories.insert(name.canonical(), Ok(facts));
        let second = needs(&seen, &latest(), now());
        assert!(second.tags.is_empty());
        second.details.into_values().flat_map(|(_, tags)| tags).map(|t| t.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(asked("semver:*"), [""; 0]);
    assert_eq!(asked("glob:1.*"), ["1.0", "1.1"]);
    assert_eq!(asked("glob:*"), ["1.0", "1.1", "dev-1"]);
}

#[test]
fn a_bad_pattern_matches_nothing_and_names_its_place() {
    let pattern = [("fluxcd.io/tag.web", "regexp:(["), ("fluxcd.io/tag.sidecar", "glob:*")];
    let seen = snapshot(&[("web.yaml", deployment("web", "team/web:1.0", &pattern))], &[("team/web", WEB)]);
    let plan = plan(&seen, &latest(), now());
    verdict(&plan, Status::Skipped, Reason::InvalidPattern, "cannot find one or more images");
    let places: Vec<_> = plan.findings.iter().map(|f| (f.code, f.place.as_ref().map(|p| p.line))).collect();
    assert!(places.contains(&(Code::InvalidPattern, Some(7))), "{places:?}");
    assert!(places.contains(&(Code::UnknownContainer, Some(8))), "{places:?}");
}

#[test]
fn the_note_and_the_messages_have_v1s_forms() {
    let automated = [("fluxcd.io/automated", "true"), ("fluxcd.io/tag.web", "semver:*")];
    let files = [
        ("a.yaml", deployment("web", "team/web:1.0", &automated)),
        ("b.yaml", deployment("api", "team/api:1.0", &automated[..1])),
    ];
    let seen = snapshot(&files, &[("team/web", WEB), ("team/api", WEB)]);
    let plan = plan(&seen, &Request::automation(), now());
    assert_eq!(plan.message(), "Auto-release multiple (2) images\n\n - team/api:dev-1\n - team/web:1.1");
    let note: serde_json::Value = serde_json::from_str(&plan.note()).unwrap();
    assert_eq!(note["jobID"], plan.id.0);
    assert_eq!(note["spec"]["type"], "auto");
    assert_eq!(note["result"]["shop:deployment/web"]["Status"], "success");
    assert_eq!(
        note["result"]["shop:deployment/web"]["PerContainer"],
        serde_json::json!([{"Container": "web", "Current": "team/web:1.0", "Target": "team/web:1.1"}])
    );
}

#[test]
fn reasons_are_kebab_case_and_unlike() {
    let codes: std::collections::BTreeSet<&str> = Reason::ALL.iter().map(|r| r.as_str()).collect();
    assert_eq!(codes.len(), Reason::ALL.len());
    assert!(codes.iter().all(|c| c.chars().all(|c| c.is_ascii_lowercase() || c == '-')));
}

proptest! {
    #[test]
    fn what_is_decided_of_a_workload_does_not_depend_on_the_others(
        seed in prop::collection::btree_map("[a-e]", (0..5u32, 0..6usize, any::<bool>()), 1..6),
        dated in prop::collection::vec(any::<bool>(), 6),
    ) {
        let patterns = ["glob:*", "glob:1.*", "semver:*", "semver:~1.2", r"regexp:^1\.(?P<order>\d)$", "semver:?"];
        let files: Vec<(String, String)> = seed
            .iter()
            .map(|(name, (tag, pattern, other))| {
                let key = format!("fluxcd.io/tag.{name}");
                let annotations = [(key.as_str(), patterns[*pattern]), ("fluxcd.io/automated", "true")];
                let repository = if *other { "other" } else { "web" };
                (format!("{name}.yaml"), deployment(name, &format!("team/{repository}:1.{tag}"), &annotations))
            })
            .collect();
        let tags: Vec<String> = (0..dated.len()).map(|tag| format!("1.{tag}")).collect();
        let created = |dated: &bool| dated.then_some("2016-11-01T00:00:00Z");
        let web: Vec<(&str, Option<&str>)> = tags.iter().map(String::as_str).zip(dated.iter().map(created)).collect();
        let images: [(&str, &[(&str, Option<&str>)]); 2] = [("team/web", &web), ("team/other", &web[..3])];
        let planned = |files: &[(String, String)]| {
            let files: Vec<(&str, String)> = files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
            let seen = snapshot(&files, &images);
            plan(&seen, &Request::automation(), now())
        };
        let all = planned(&files);
        for file in &files {
            let alone = planned(std::slice::from_ref(file));
            for (id, verdict) in &alone.workloads {
                prop_assert_eq!(verdict, &all.workloads[id]);
            }
            let of_file = all.edits.iter().filter(|edit| edit.path == file.0);
            prop_assert!(of_file.eq(&alone.edits));
            prop_assert!(alone.findings.iter().all(|finding| all.findings.contains(finding)));
        }
    }

    #[test]
    fn the_order_of_what_was_seen_changes_no_byte_of_the_plan(
        seed in prop::collection::vec(("[a-c]", 0..5u32, 0..3usize), 1..6).prop_shuffle(),
        tags in prop::collection::vec((0..9u32, 0..4u32), 0..8),
    ) {
        let files: BTreeMap<String, String> = seed
            .iter()
            .map(|(name, tag, pattern)| {
                let pattern = ["glob:*", "semver:*", "regexp:.*"][*pattern];
                let key = format!("fluxcd.io/tag.{name}");
                let annotations = [(key.as_str(), pattern), ("fluxcd.io/automated", "true")];
                (format!("{name}.yaml"), deployment(name, &format!("team/web:1.{tag}"), &annotations))
            })
            .collect();
        let build = |reverse: bool| {
            let mut list: Vec<(String, Option<String>)> = tags
                .iter()
                .map(|(tag, day)| (format!("1.{tag}"), (*day > 0).then(|| format!("2016-11-0{day}T00:00:00Z"))))
                .collect::<BTreeMap<_, _>>()
                .into_iter()
                .collect();
            if reverse {
                list.reverse();
            }
            let list: Vec<(&str, Option<&str>)> = list.iter().map(|(t, c)| (t.as_str(), c.as_deref())).collect();
            let files: Vec<(&str, String)> = files.iter().map(|(p, t)| (p.as_str(), t.clone())).collect();
            let mut seen = snapshot(&files, &[("team/web", &list)]);
            if reverse {
                for known in seen.images.repositories.values_mut().flatten() {
                    known.tags.reverse();
                }
            }
            plan(&seen, &Request::automation(), now())
        };
        let (one, other) = (build(false), build(true));
        prop_assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&other).unwrap());
    }
}

fn containers(updates: &[(&str, Option<&str>, &str)], skip_mismatches: bool) -> Request {
    let updates = updates.iter().map(|(container, current, target)| ContainerUpdate {
        container: (*container).to_owned(),
        current: current.map(|image| image.parse().unwrap()),
        target: target.parse().unwrap(),
    });
    let containers = [(web(), updates.collect())].into();
    let spec = Spec::Containers(ContainersRelease { containers, skip_mismatches, force: false });
    Request { spec, cause: Cause::default() }
}

#[test]
fn named_containers_get_named_images_all_of_them_or_none() {
    let files = [
        ("web.yaml", deployment("web", "team/web:1.0", &[])),
        ("api.yaml", deployment("api", "team/api:1.0", &[])),
    ];
    let seen = snapshot(&files, &[]);
    let done = plan(&seen, &containers(&[("web", Some("team/web:1.0"), "team/web:1.1")], false), now());
    verdict(&done, Status::Success, Reason::RequestedImage, "");
    assert_eq!(done.edits.len(), 1);
    assert_eq!(
        done.message(),
        "Update image refs in shop:deployment/web\n\nshop:deployment/web\n- team/web:1.1\n"
    );
    let missing = plan(&seen, &containers(&[("nothing", None, "team/web:1.1")], true), now());
    verdict(&missing, Status::Failed, Reason::ContainerNotFound, "container(s) not found: nothing");
    let expected = ("web", Some("team/web:0.9"), "team/web:1.1");
    let mismatch = plan(&seen, &containers(&[expected], false), now());
    verdict(&mismatch, Status::Failed, Reason::ContainerMismatch, "container(s) tag mismatch: web");
    assert!(plan(&seen, &containers(&[expected], true), now()).is_empty());
    let there = plan(&seen, &containers(&[("web", None, "team/web:1.0")], false), now());
    verdict(&there, Status::Skipped, Reason::UpToDate, "image(s) up to date");

    let Spec::Containers(mut both) = containers(&[("web", None, "team/web:1.1")], false).spec else {
        unreachable!()
    };
    let api = ContainerUpdate {
        container: "none".to_owned(),
        current: None,
        target: "team/api:2".parse().unwrap(),
    };
    both.containers.insert(id("shop:deployment/api"), vec![api]);
    let neither = plan(&seen, &Request { spec: Spec::Containers(both), cause: Cause::default() }, now());
    assert!(neither.is_empty(), "one that fails keeps the others back");
    assert_eq!(neither.workloads[&web()].containers[0].reason, Reason::NothingDone);
}

#[test]
fn a_file_whose_edits_could_not_be_proven_is_left_and_the_others_are_released() {
    let files = [("a.yaml", deployment("a", "x:1", &[])), ("b.yaml", deployment("b", "x:1", &[]))];
    let mut snapshot = snapshot(&files, &[("x", &[("1", None), ("2", None)])]);
    snapshot.unproven.insert("a.yaml".to_owned(), "it would say something else".to_owned());
    let image = Wish::Image("x:2".parse().unwrap());
    let workloads = Selection::All;
    let spec = Spec::Image(ImageRelease { workloads, image, exclude: Default::default(), force: false });
    let plan = plan(&snapshot, &Request { spec, cause: Cause::default() }, now());
    assert_eq!(plan.edits.iter().map(|edit| edit.path.as_str()).collect::<Vec<_>>(), ["b.yaml"]);
    let left = &plan.workloads[&"shop:deployment/a".parse().unwrap()];
    assert_eq!(left.containers[0].reason, Reason::NotEditable);
    assert!(left.containers[0].message.contains("it would say something else"), "{left:?}");
}

#[test]
fn an_id_means_a_workload_with_its_group_and_without_unless_it_could_be_two() {
    let release = |group: &str| {
        format!(
            "apiVersion: {group}/v1\nkind: HelmRelease\nmetadata: {{name: web, namespace: shop}}\nspec: {{values: {{image: 'x:1'}}}}\n"
        )
    };
    let (old, new) = (("a.yaml", release("helm.fluxcd.io")), ("b.yaml", release("helm.toolkit.fluxcd.io")));
    let images: &[(&str, &[(&str, Option<&str>)])] = &[("x", &[("1", None), ("2", None)])];
    let edited = |files: &[(&str, String)], named: &[&str], exclude: &[&str]| {
        let ids = |ids: &[&str]| ids.iter().map(|id| id.parse().unwrap()).collect();
        let workloads = if named.is_empty() { Selection::All } else { Selection::Named(ids(named)) };
        let image = Wish::Image("x:2".parse().unwrap());
        let spec = Spec::Image(ImageRelease { workloads, image, exclude: ids(exclude), force: false });
        let plan = plan(&snapshot(files, images), &Request { spec, cause: Cause::default() }, now());
        let paths: Vec<String> = plan.edits.iter().map(|edit| edit.path.clone()).collect();
        (paths, plan)
    };
    let (short, long) = ("shop:helmrelease/web", "shop:helmrelease.helm.fluxcd.io/web");
    let (one, both) = ([old.clone()], [old, new]);
    assert_eq!(edited(&one, &[long], &[]).0, ["a.yaml"]);
    assert_eq!(edited(&one, &[], &[long]).0, [""; 0]);
    assert_eq!(edited(&both, &[long], &[]).0, ["a.yaml"]);
    assert_eq!(edited(&both, &[], &[short]).0, [""; 0], "left out is all that it may mean");
    let (paths, plan) = edited(&both, &[short], &[]);
    assert_eq!(paths, [""; 0]);
    let verdict = &plan.workloads[&short.parse().unwrap()];
    assert_eq!(verdict.reason, Reason::NotFound);
    assert!(verdict.message.contains(long) && verdict.message.contains(" or "), "{}", verdict.message);
}
