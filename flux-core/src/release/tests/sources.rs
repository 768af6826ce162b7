//! A plan edits only what it has read: the texts of the files that would change are needed.

use super::*;

#[test]
fn a_file_whose_text_is_not_at_hand_is_needed_and_never_a_success() {
    let files = [
        ("api.yaml", deployment("api", "team/web:1.0", &[])),
        ("web.yaml", deployment("web", "team/web:1.0", &[])),
    ];
    let mut seen = snapshot(&files, &[("team/web", WEB)]);
    let request = Request::image(Selection::All, Wish::Image("team/web:1.1".parse().unwrap()));
    assert_eq!(needs(&seen, &request, now()), Needs::default());
    seen.sources.remove("web.yaml");
    assert_eq!(needs(&seen, &request, now()).sources, ["web.yaml".to_owned()].into());
    let plan = plan(&seen, &request, now());
    assert_eq!(plan.workloads[&web()].reason, Reason::Incomplete);
    assert_eq!(plan.workloads[&web()].containers[0].target, None);
    let paths: Vec<&str> = plan.edits.iter().map(|edit| edit.path.as_str()).collect();
    assert_eq!(paths, ["api.yaml"], "the other is released");
}
