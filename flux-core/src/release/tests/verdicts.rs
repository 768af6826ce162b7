//! The rules on workloads and containers, one by one.

use super::*;

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
    let image = |text: &str| ImageTarget::Image(text.parse().unwrap());
    let request = |target: ImageTarget, f: &dyn Fn(&mut ImageRelease)| {
        let mut release = ImageRelease {
            workloads: Selection::Named([web()].into()),
            image: target,
            exclude: Default::default(),
            force: false,
        };
        f(&mut release);
        Request { operation: Operation::Image(release), cause: Cause::default() }
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
        request(ImageTarget::Latest, &|r| r.workloads = Selection::Named([id("shop:deployment/x")].into()));
    let excluded = request(ImageTarget::Latest, &|r| r.exclude = [web()].into());
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
        let (workloads, image) = (Selection::All, ImageTarget::Image(image.parse().unwrap()));
        let operation =
            Operation::Image(ImageRelease { workloads, image, exclude: Default::default(), force: false });
        plan(&seen, &Request { operation, cause: Cause::default() }, now())
    };
    verdict(&ask("team/other:1"), Status::Ignored, Reason::DifferentImage, "a different image");
    let plan = ask("team/web:1.1");
    verdict(&plan, Status::Skipped, Reason::InvalidImage, "cannot find one or more images");
    let message = &plan.workloads[&web()].containers[0].message;
    assert!(
        message.contains("`team/web@abc`") && message.contains("kustomization.yaml:4:11 makes it"),
        "{message}"
    );
}

#[test]
fn force_has_no_effect_without_a_named_workload_and_a_named_image() {
    let locked = [("fluxcd.io/locked", "true")];
    let seen = snapshot(&[("web.yaml", deployment("web", "team/web:1.0", &locked))], &[("team/web", WEB)]);
    for (workloads, image) in [
        (Selection::All, ImageTarget::Image("team/web:1.1".parse().unwrap())),
        (Selection::Named([web()].into()), ImageTarget::Latest),
    ] {
        let operation =
            Operation::Image(ImageRelease { workloads, image, exclude: Default::default(), force: true });
        let plan = plan(&seen, &Request { operation, cause: Cause::default() }, now());
        verdict(&plan, Status::Skipped, Reason::Locked, "locked");
    }
}

#[test]
fn a_named_image_respects_the_pattern_unless_forced_and_may_be_older() {
    let pattern = [("fluxcd.io/tag.web", "semver:~1")];
    let seen = snapshot(&[("web.yaml", deployment("web", "team/web:1.1", &pattern))], &[("team/web", WEB)]);
    let ask = |tag: &str, force: bool| {
        let image = ImageTarget::Image(format!("index.docker.io/team/web:{tag}").parse().unwrap());
        let workloads = Selection::Named([web()].into());
        let operation =
            Operation::Image(ImageRelease { workloads, image, exclude: Default::default(), force });
        plan(&seen, &Request { operation, cause: Cause::default() }, now())
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
fn why_a_registry_tells_nothing_is_told_apart() {
    let name: ImageName = "team/web".parse().unwrap();
    let facts = |tags: &[&str]| {
        let info = |tag: &&str| (tag.parse().unwrap(), Ok(image(1, "2016-11-01T00:00:00Z", None)));
        let images: BTreeMap<Tag, _> = tags.iter().map(info).collect();
        Ok(RepositoryFacts {
            tags: images.keys().cloned().collect(),
            completeness: Completeness::Complete,
            images,
            dates: DatePreference::default(),
        })
    };
    let kinds = |code: Option<Code>| code.into_iter().collect::<Vec<_>>();
    for (pattern, answer, reason, finding) in [
        ("semver:*", facts(&["0.9"]), Reason::RunningTagMissing, None),
        ("glob:*", facts(&["0.9"]), Reason::RunningTagMissing, None),
        ("semver:*", facts(&["1.0"]), Reason::UpToDate, None),
        ("semver:*", facts(&["1.1"]), Reason::NewerImage, None),
        ("semver:*", facts(&[]), Reason::RepositoryEmpty, Some(Code::ImageRepositoryEmpty)),
        ("glob:*", facts(&[]), Reason::RepositoryEmpty, Some(Code::ImageRepositoryEmpty)),
        (
            "semver:*",
            Err(BackendError::unauthorized("web", "401")),
            Reason::RegistryUnauthorized,
            Some(Code::RegistryUnauthorized),
        ),
        (
            "semver:*",
            Err(BackendError::forbidden("web", "403")),
            Reason::RegistryForbidden,
            Some(Code::RegistryForbidden),
        ),
        (
            "semver:*",
            Err(BackendError::not_found("web", "404")),
            Reason::RepositoryNotFound,
            Some(Code::ImageRepositoryNotFound),
        ),
    ] {
        let annotations = [("fluxcd.io/automated", "true"), ("fluxcd.io/tag.web", pattern)];
        let mut seen = snapshot(&[("web.yaml", deployment("web", "team/web:1.0", &annotations))], &[]);
        seen.images.repositories.insert(name.canonical(), answer.clone());
        let plan = plan(&seen, &Request::automation(), now());
        let container = &plan.workloads[&web()].containers[0];
        assert_eq!(container.reason, reason, "{pattern} {answer:?}: {}", container.message);
        let codes: Vec<Code> = plan.findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, kinds(finding), "{pattern} {answer:?}");
    }
}

#[test]
fn workloads_that_git_does_not_describe_are_reported() {
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
    let refused = Err(BackendError::unauthorized("team/web", "team/web wants a login"));
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
            dates: DatePreference::default(),
        };
        seen.images.repositories.insert(name.canonical(), Ok(facts));
        let second = needs(&seen, &latest(), now());
        assert!(second.tags.is_empty());
        second.details.into_values().flat_map(|(_, tags)| tags).map(|t| t.to_string()).collect::<Vec<_>>()
    };
    // By version only the one that would be written is looked at.
    assert_eq!(asked("semver:*"), ["1.1"]);
    assert_eq!(asked("glob:1.*"), ["1.0", "1.1"]);
    assert_eq!(asked("glob:*"), ["1.0", "1.1", "dev-1"]);
}

#[test]
fn a_bad_pattern_matches_nothing_and_names_its_place() {
    let pattern = [("fluxcd.io/tag.web", "regexp:(["), ("fluxcd.io/tag.sidecar", "glob:*")];
    let seen = snapshot(&[("web.yaml", deployment("web", "team/web:1.0", &pattern))], &[("team/web", WEB)]);
    let plan = plan(&seen, &latest(), now());
    verdict(&plan, Status::Skipped, Reason::InvalidPattern, "cannot find one or more images");
    let places: Vec<_> =
        plan.findings.iter().map(|f| (f.code, f.place.as_ref().map(|p| p.position.line))).collect();
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
    assert_eq!(note["jobID"], plan.id.as_str());
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
        let image = ImageTarget::Image("x:2".parse().unwrap());
        let operation =
            Operation::Image(ImageRelease { workloads, image, exclude: ids(exclude), force: false });
        let plan = plan(&snapshot(files, images), &Request { operation, cause: Cause::default() }, now());
        let paths: Vec<_> = plan.edits.iter().map(|edit| edit.path.clone()).collect();
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

/// Returns an image with a digest of its own and labels.
fn image(number: u8, created: &str, label: Option<&str>) -> ImageInfo {
    let labels = label.map(|date| ("org.opencontainers.image.created".to_owned(), date.to_owned()));
    ImageInfo {
        digest: Some(format!("sha256:{number:064}").parse().unwrap()),
        created: Some(created.parse().unwrap()),
        labels: labels.into_iter().collect(),
        ..ImageInfo::default()
    }
}

#[test]
fn different_images_of_one_date_are_told_and_stop_nothing() {
    let (base, later) = ("2016-11-01T00:00:00Z", "2016-11-02T00:00:00Z");
    let seen = |running: &str, images: &[(&str, ImageInfo)]| {
        let text = deployment("web", &format!("team/web:{running}"), &[]);
        let mut seen = Snapshot::of_files([("web.yaml", text)]).unwrap();
        for (tag, image) in images {
            seen = seen.with_image("team/web", tag, image.clone()).unwrap();
        }
        plan(&seen, &latest(), now())
    };
    let codes = |plan: &ReleasePlan| plan.findings.iter().map(|f| f.code).collect::<Vec<_>>();
    // As of ko: each build has the date of its base image.
    let alike = [("a", image(1, base, None)), ("b", image(2, base, None)), ("c", image(3, base, None))];
    let running = seen("a", &alike);
    assert_eq!(
        (running.workloads[&web()].reason, codes(&running)),
        (Reason::UpToDate, vec![Code::EqualDates])
    );
    let finding = &running.findings[0];
    assert_eq!(finding.subject, "index.docker.io/team/web");
    assert!(finding.evidence.ends_with("are not the same: a, b, c"), "{}", finding.evidence);
    // The same image under two tags, and older ones.
    let one = [
        ("a", image(1, base, None)),
        ("b", image(2, base, None)),
        ("c", image(3, later, None)),
        ("d", image(3, later, None)),
    ];
    let one = seen("a", &one);
    assert_eq!((one.workloads[&web()].reason, codes(&one)), (Reason::NewerImage, vec![]));
    // By version, dates are not looked at.
    let text = deployment("web", "team/web:a", &[("fluxcd.io/tag.web", "alpha:")]);
    let mut by_text = Snapshot::of_files([("web.yaml", text)]).unwrap();
    for (tag, image) in &alike {
        by_text = by_text.with_image("team/web", tag, image.clone()).unwrap();
    }
    assert_eq!(codes(&plan(&by_text, &latest(), now())), []);
}

#[test]
fn the_dates_of_labels_count_first_where_a_policy_or_the_repository_says_so() {
    let base = "2016-11-01T00:00:00Z";
    let of = |policies: &[(&str, &str)], dates: DatePreference| {
        let text = deployment("web", "team/web:a", policies);
        let mut seen = Snapshot::of_files([("web.yaml", text)]).unwrap();
        for (tag, number, label) in [
            ("a", 1, "2016-11-02T00:00:00Z"),
            ("b", 2, "2016-11-04T00:00:00Z"),
            ("c", 3, "2016-11-03T00:00:00Z"),
        ] {
            seen = seen.with_image("team/web", tag, image(number, base, Some(label))).unwrap();
        }
        seen.images.repositories.values_mut().flatten().for_each(|facts| facts.dates = dates);
        let plan = plan(&seen, &latest(), now());
        plan.target("shop:deployment/web", "web").map(ToString::to_string)
    };
    let newest = Some("team/web:b".to_owned());
    assert_eq!(of(&[], DatePreference::Configuration), None);
    assert_eq!(of(&[], DatePreference::Labels), newest);
    assert_eq!(of(&[("fluxcd.io/label-dates", "true")], DatePreference::Configuration), newest);
    // The label says that the image is younger than its configuration does.
    let young = [("fluxcd.io/label-dates", "true"), ("fluxcd.io/min-age", "360h")];
    assert_eq!(of(&young, DatePreference::Configuration), Some("team/web:c".to_owned()));
}

#[test]
fn a_date_in_the_future_makes_no_image_the_newest() {
    let seen = Snapshot::of_files([("web.yaml", deployment("web", "team/web:a", &[]))]).unwrap();
    let seen = [("a", "2016-11-01T00:00:00Z"), ("b", "2016-11-02T00:00:00Z"), ("c", "2027-01-01T00:00:00Z")]
        .iter()
        .zip(1..)
        .fold(seen, |seen, ((tag, created), number)| {
            seen.with_image("team/web", tag, image(number, created, None)).unwrap()
        });
    let plan_now = plan(&seen, &latest(), now());
    assert_eq!(plan_now.target("shop:deployment/web", "web").unwrap().to_string(), "team/web:b");
    let later = plan(&seen, &latest(), "2027-02-01T00:00:00Z".parse().unwrap());
    assert_eq!(later.target("shop:deployment/web", "web").unwrap().to_string(), "team/web:c");
}
