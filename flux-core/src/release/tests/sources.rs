//! A plan edits only what it has read: the texts of the files that would change are needed.

use super::*;
use crate::plan::PlanFileError;

#[test]
fn a_file_whose_text_is_not_at_hand_is_needed_and_never_a_success() {
    let files = [
        ("api.yaml", deployment("api", "team/web:1.0", &[])),
        ("web.yaml", deployment("web", "team/web:1.0", &[])),
    ];
    let mut seen = snapshot(&files, &[("team/web", WEB)]);
    let request = Request::image(Selection::All, ImageTarget::Image("team/web:1.1".parse().unwrap()));
    assert_eq!(needs(&seen, &request, now()), Needs::default());
    seen.sources.remove("web.yaml");
    assert_eq!(needs(&seen, &request, now()).sources, ["web.yaml".parse().unwrap()].into());
    let plan = plan(&seen, &request, now());
    assert_eq!(plan.workloads[&web()].reason, Reason::Incomplete);
    assert_eq!(plan.workloads[&web()].containers[0].target, None);
    let paths: Vec<&str> = plan.edits.iter().map(|edit| edit.path.as_str()).collect();
    assert_eq!(paths, ["api.yaml"], "the other is released");
}

#[test]
fn a_file_whose_edits_do_not_verify_is_left_and_the_others_are_released() {
    let files = [("a.yaml", deployment("a", "x:1", &[])), ("b.yaml", deployment("b", "x:1", &[]))];
    let mut snapshot = snapshot(&files, &[("x", &[("1", None), ("2", None)])]);
    snapshot.sources.insert("a.yaml".parse().unwrap(), "another: text\n".into());
    let image = ImageTarget::Image("x:2".parse().unwrap());
    let workloads = Selection::All;
    let operation =
        Operation::Image(ImageRelease { workloads, image, exclude: Default::default(), force: false });
    let plan = plan(&snapshot, &Request { operation, cause: Cause::default() }, now());
    assert_eq!(plan.edits.iter().map(|edit| edit.path.as_str()).collect::<Vec<_>>(), ["b.yaml"]);
    let left = &plan.workloads[&"shop:deployment/a".parse().unwrap()];
    assert_eq!(left.containers[0].reason, Reason::NotEditable);
    assert!(left.containers[0].message.contains("are not what the edit expects"), "{left:?}");
}

#[test]
fn a_text_that_cannot_be_had_is_not_needed_again_and_its_file_is_left() {
    let mut seen = snapshot(&[("web.yaml", deployment("web", "team/web:1.0", &[]))], &[("team/web", WEB)]);
    seen.sources.clear();
    seen.unreadable.insert("web.yaml".parse().unwrap());
    let request = Request::image(Selection::All, ImageTarget::Image("team/web:1.1".parse().unwrap()));
    assert!(needs(&seen, &request, now()).is_empty());
    let plan = plan(&seen, &request, now());
    assert_eq!(plan.workloads[&web()].reason, Reason::Incomplete);
    assert!(plan.is_empty());
}

#[test]
fn of_two_objects_in_a_file_the_one_that_verifies_is_released() {
    // A text of another length behind the first object moves the second.
    let two = |between: &str| {
        let (a, b) = (deployment("a", "x:1", &[]), deployment("b", "x:1", &[]));
        format!("{a}{between}---\n{b}")
    };
    let images: &[(&str, &[(&str, Option<&str>)])] = &[("x", &[("1", None), ("2", None)])];
    let mut seen = snapshot(&[("a.yaml", two(""))], images);
    seen.sources.insert("a.yaml".parse().unwrap(), two("# moved\n").into());
    let request = Request::image(Selection::All, ImageTarget::Image("x:2".parse().unwrap()));
    let plan = plan(&seen, &request, now());
    assert_eq!(plan.edits.len(), 1);
    assert_eq!(plan.verdict("shop:deployment/a").unwrap().status, Status::Success);
    assert_eq!(plan.verdict("shop:deployment/b").unwrap().reason, Reason::NotEditable);
}

#[test]
fn the_files_of_a_plan_are_made_of_the_texts_it_was_verified_against_only() {
    let files = [("web.yaml", deployment("web", "team/web:1.0", &[]))];
    let mut seen = snapshot(&files, &[("team/web", WEB)]);
    let plan = plan(
        &seen,
        &Request::image(Selection::All, ImageTarget::Image("team/web:1.1".parse().unwrap())),
        now(),
    );
    let stored: ReleasePlan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(stored, plan);
    let made = stored.files(&seen.sources).unwrap();
    assert_eq!(made["web.yaml"], files[0].1.replace("team/web:1.0", "team/web:1.1"));

    let mut forged = plan.clone();
    forged.edits[0].edit.after = "team/web:1.1\n        command: [sh]".to_owned();
    assert!(matches!(forged.files(&seen.sources), Err(PlanFileError::Edit { .. })));
    seen.sources.insert("web.yaml".parse().unwrap(), format!("{} ", files[0].1).into());
    assert!(matches!(plan.files(&seen.sources), Err(PlanFileError::Outdated { .. })));
    seen.sources.clear();
    assert!(matches!(plan.files(&seen.sources), Err(PlanFileError::Missing { .. })));
}

#[test]
fn a_snapshot_has_no_file_whose_path_none_could_have() {
    let error = Snapshot::of_files([("web.yaml", ""), ("../web.yaml", "")]).unwrap_err();
    assert_eq!(error.path, "../web.yaml");
}
