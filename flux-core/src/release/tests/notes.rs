//! The note that goes with a commit is one that the tools of Flux v1 can read.

use super::*;

fn note(plan: &ReleasePlan) -> serde_json::Value {
    serde_json::from_str(&plan.note()).unwrap()
}

#[test]
fn what_automation_did_names_each_container_with_its_image_as_v1_does() {
    let automated = [("fluxcd.io/automated", "true"), ("fluxcd.io/tag.web", "semver:*")];
    let seen = snapshot(&[("a.yaml", deployment("web", "team/web:1.0", &automated))], &[("team/web", WEB)]);
    let note = note(&plan(&seen, &Request::automation(), now()));
    let change = serde_json::json!({
        "WorkloadID": "shop:deployment/web",
        "Container": {"Name": "web", "Image": "team/web:1.0"},
        "ImageID": "team/web:1.1",
    });
    assert_eq!(note["spec"]["spec"]["Changes"], serde_json::json!([change]));
}

#[test]
fn a_rollback_is_of_a_type_that_v1_knows() {
    let mut seen = snapshot(&[("a.yaml", deployment("web", "team/web:1.1", &[]))], &[("team/web", WEB)]);
    let then = snapshot(&[("a.yaml", deployment("web", "team/web:1.0", &[]))], &[]);
    let to = Revision::new("0123456");
    seen.revisions.insert(to.clone(), Some(then.manifests));
    let back = Rollback { to, workloads: Selection::All, force: false };
    let request = Request { operation: Operation::Rollback(back), cause: Cause::default() };
    let note = note(&plan(&seen, &request, now()));
    assert_eq!(note["spec"]["type"], "containers");
    let update = serde_json::json!(
        {"Container": "web", "Current": "team/web:1.1", "Target": "team/web:1.0"}
    );
    assert_eq!(note["spec"]["spec"]["ContainerSpecs"], serde_json::json!({"shop:deployment/web": [update]}));
}
