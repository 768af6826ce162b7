//! Named images to named containers.

use super::*;

fn containers(updates: &[(&str, Option<&str>, &str)], skip_mismatches: bool) -> Request {
    let updates = updates.iter().map(|(container, current, target)| ContainerUpdate {
        container: (*container).to_owned(),
        current: current.map(|image| image.parse().unwrap()),
        target: target.parse().unwrap(),
    });
    let containers = [(web(), updates.collect())].into();
    let operation = Operation::Containers(ContainersRelease { containers, skip_mismatches, force: false });
    Request { operation, cause: Cause::default() }
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

    let Operation::Containers(mut both) = containers(&[("web", None, "team/web:1.1")], false).operation
    else {
        unreachable!()
    };
    let api = ContainerUpdate {
        container: "none".to_owned(),
        current: None,
        target: "team/api:2".parse().unwrap(),
    };
    both.containers.insert(id("shop:deployment/api"), vec![api]);
    let neither =
        plan(&seen, &Request { operation: Operation::Containers(both), cause: Cause::default() }, now());
    assert!(neither.is_empty(), "one that fails keeps the others back");
    assert_eq!(neither.workloads[&web()].containers[0].reason, Reason::NothingDone);
}
