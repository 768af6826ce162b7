//! A prepared release that is approved elsewhere: stored as JSON, proven again, and carried out
//! exactly or not at all.

use std::sync::Arc;

use flux_core::{
    backend::{ConfigRepo, Range},
    deployer::{DeployError, PreparedRelease},
    release::Request,
    sync::Outcome,
};
use futures::executor::block_on;

use super::{Contended, deployer, manifest, options, registry, repo, web};

/// Returns the release as another process reads it.
fn through_json(prepared: &PreparedRelease) -> PreparedRelease {
    let text = serde_json::to_string(prepared).unwrap();
    let read: PreparedRelease = serde_json::from_str(&text).unwrap();
    assert_eq!(read, *prepared);
    read
}

#[test]
fn a_prepared_release_lands_from_another_process_as_it_was_planned() {
    let repo = Arc::new(repo());
    let prepared =
        block_on(deployer(repo.clone(), Arc::new(registry())).plan_release(&Request::latest(web()))).unwrap();
    let approved = through_json(&prepared);
    // The approver's process has loaded nothing yet.
    let report = block_on(deployer(repo.clone(), Arc::new(registry())).carry_out(approved)).unwrap();
    let range = Range { after: Some(prepared.plan.base.clone()), upto: report.revision.unwrap(), limit: 9 };
    let commits = block_on(repo.history(&range)).unwrap();
    assert_eq!(commits.len(), 1);
    assert_eq!(commits[0].note.as_deref(), Some(prepared.plan.note().as_str()));
}

#[test]
fn a_file_that_is_no_text_survives_json() {
    let repo = Arc::new(repo());
    let deployer = deployer(repo, Arc::new(registry()));
    let mut prepared = block_on(deployer.plan_release(&Request::latest(web()))).unwrap();
    prepared.files.insert("logo.png".parse().unwrap(), vec![0x89, b'P', 0xff].into());
    let json = serde_json::to_value(&prepared).unwrap();
    assert_eq!(json["files"]["logo.png"], serde_json::json!({"base64": "iVD/"}));
    assert!(json["files"]["shop/web.yaml"].is_string());
    through_json(&prepared);
}

#[test]
fn a_stored_release_with_a_path_that_no_file_can_have_is_refused_when_it_is_read() {
    let deployer = deployer(Arc::new(repo()), Arc::new(registry()));
    let prepared = block_on(deployer.plan_release(&Request::latest(web()))).unwrap();
    let json = serde_json::to_string(&prepared).unwrap();
    assert!(json.contains("\"shop/web.yaml\""));
    for (path, problem) in
        [("../x", "a step `.` or `..`"), ("/x", "absolute"), ("shop/.git/x", "into `.git`")]
    {
        for (stored, forged) in [
            // The key in `files`, that in `intents`, and the path of an edit.
            ("\"files\":{\"shop/web.yaml\"", format!("\"files\":{{\"{path}\"")),
            ("\"intents\":{\"shop/web.yaml\"", format!("\"intents\":{{\"{path}\"")),
            ("\"path\":\"shop/web.yaml\"", format!("\"path\":\"{path}\"")),
        ] {
            assert!(json.contains(stored), "{json}");
            let error = serde_json::from_str::<PreparedRelease>(&json.replace(stored, &forged)).unwrap_err();
            let expected = format!("the path `{path}` cannot be written: it");
            let text = error.to_string();
            assert!(text.starts_with(&expected) && text.contains(problem), "{text}");
        }
    }
}

#[test]
fn a_prepared_release_that_was_altered_does_not_land() {
    let repo = Arc::new(repo());
    let deployer = deployer(repo.clone(), Arc::new(registry()));
    let prepared = block_on(deployer.plan_release(&Request::latest(web()))).unwrap();
    let head = block_on(repo.head()).unwrap();
    let mut other_contents = prepared.clone();
    other_contents.files.insert("shop/web.yaml".parse().unwrap(), "kind: Secret\n".into());
    let mut one_more = prepared.clone();
    one_more.files.insert("shop/more.yaml".parse().unwrap(), manifest("more", "1.0").into());
    let mut one_less = prepared.clone();
    one_less.files.clear();
    for (altered, path) in
        [(other_contents, "shop/web.yaml"), (one_more, "shop/more.yaml"), (one_less, "shop/web.yaml")]
    {
        let error = block_on(deployer.carry_out(altered)).unwrap_err();
        assert!(matches!(&error, DeployError::Altered { path: at, .. } if at == path), "{error}");
    }
    // Edits with an effect that the plan does not intend are refused, even with matching contents.
    let mut other_edit = prepared.clone();
    let after = &mut other_edit.plan.edits[0].edit.after;
    *after = after.replace("1.1", "6.6");
    let file = other_edit.files.get_mut("shop/web.yaml").unwrap();
    *file = String::from_utf8(file.to_vec()).unwrap().replace("1.1", "6.6").into();
    let error = block_on(deployer.carry_out(other_edit)).unwrap_err();
    assert!(matches!(error, DeployError::ReleaseViolations(_)), "{error}");
    assert_eq!(block_on(repo.head()).unwrap(), head);
    assert!(block_on(deployer.carry_out(prepared)).unwrap().revision.is_some());
}

#[test]
fn a_branch_that_moves_at_the_last_moment_outdates_the_plan() {
    let repo = Contended::new(repo(), 1);
    let deployer = deployer(repo.clone(), Arc::new(registry()));
    let prepared = block_on(deployer.plan_release(&Request::latest(web()))).unwrap();
    let planned_on = prepared.plan.base.clone();
    let error = block_on(deployer.carry_out(prepared)).unwrap_err();
    let now = block_on(repo.head()).unwrap();
    assert!(
        matches!(&error, DeployError::Outdated { planned, head } if (planned, head) == (&planned_on, &now)),
        "{error}"
    );
    assert!(!error.is_retryable());
}

#[test]
fn a_sync_plan_is_carried_out_later_unless_the_branch_moved() {
    let repo = Arc::new(repo());
    let deployer = deployer(repo.clone(), Arc::new(registry()));
    repo.push_file("shop/web.yaml", manifest("web", "1.1"), "By hand");
    let plan = block_on(deployer.plan_sync(&options())).unwrap();
    repo.push_file("shop/web.yaml", manifest("web", "1.0"), "Back again");
    let error = block_on(deployer.carry_out_sync(&plan, &options(), &())).unwrap_err();
    assert!(matches!(error, DeployError::Outdated { .. }), "{error}");

    repo.push_file("shop/web.yaml", manifest("web", "1.1"), "And again");
    let plan = block_on(deployer.plan_sync(&options())).unwrap();
    let report = block_on(deployer.carry_out_sync(&plan, &options(), &())).unwrap();
    let changed: Vec<String> = report
        .resources
        .iter()
        .filter(|resource| resource.outcome == Outcome::Changed)
        .map(|resource| resource.id.to_string())
        .collect();
    assert_eq!(changed, ["shop:deployment/web"]);
}
