//! From the answer of the API server to the outcome of a step: reported is only what happened.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Action, Outcome, Step, StepOutcome, compare::Compare, fields::Managers, findings,
    object::marked_as_created,
};
use crate::{
    finding::{Code, Finding},
    plan::contest::digest,
    schema::{
        lists::Schema,
        path::{Elem, FieldPath},
    },
};

/// Returns the outcome of a step whose object was applied and came back as `answer`; `created` if
/// the answer says that it was not there before.
///
/// Every [`Cluster`](crate::backend::Cluster) with an API server reports through it. The answer is
/// held against what was sent: a field that git dropped and that another field manager keeps, and a
/// value that an admission policy has changed, are findings; a field that is as it was before is
/// not reported as changed.
pub fn applied(step: &Step, answer: &Value, created: bool) -> StepOutcome {
    let mut outcome = step.done();
    let (sent, content_equal) = match &step.action {
        Action::Create { object, mark_if_created: Some(mark) } if created => {
            (marked_as_created(&object.value(), mark), false)
        }
        Action::Create { object, .. } => (object.value(), false),
        Action::Apply { object, content_equal, .. } => (object.value(), *content_equal),
        _ => return outcome,
    };
    if !answer["metadata"].is_object() {
        // The server accepted it, and says nothing that could be held against it.
        return outcome;
    }
    let managers = Managers::read(answer);
    let compare = Compare { schema: Schema::of_group(step.id.group()), rewritten: true, defaults: true };
    let other = compare.objects(&sent, answer, managers.ours());
    outcome.report.unsettled.0 =
        other.iter().map(|path| (path.to_string(), digest(path.get(answer)))).collect();
    if !other.is_empty() {
        outcome.findings.push(changed_on_the_way(step, &other));
    }

    let mut unchanged = BTreeSet::new();
    for field in &step.fields {
        let released: Option<Vec<Elem>> = field.released.iter().map(|elem| Elem::parse(elem)).collect();
        let now = match released.filter(|elems| !elems.is_empty()).map(FieldPath) {
            Some(path) => {
                let now = path.get(answer);
                if let (Some(_), Some(keeper)) = (now, managers.owner(&path)) {
                    outcome.findings.push(findings::kept(
                        &step.id,
                        step.place.as_ref(),
                        &field.path,
                        &keeper,
                    ));
                }
                digest(now)
            }
            None => match outcome.report.unsettled.0.get(&field.path) {
                Some(now) => now.clone(),
                None => continue,
            },
        };
        if now == field.live {
            unchanged.insert(field.path.clone());
        }
    }
    let had_fields = !outcome.report.fields.is_empty();
    outcome.report.fields.retain(|path| !unchanged.contains(path));
    outcome.report.owners.retain(|path, _| !unchanged.contains(path));
    outcome.report.changed.retain(|path, _| !unchanged.contains(path));
    let nothing_changed = content_equal || (had_fields && outcome.report.fields.is_empty());
    outcome.with_outcome(match (created, nothing_changed) {
        (true, _) => Outcome::Created,
        (false, true) => Outcome::Unchanged,
        (false, false) => Outcome::Changed,
    })
}

fn changed_on_the_way(step: &Step, fields: &[FieldPath]) -> Finding {
    let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
    Finding {
        code: Code::FieldContested,
        subject: step.id.to_string(),
        place: step.place.clone(),
        evidence: format!(
            "{} was applied as git has it, and the API server keeps another value: an admission policy or webhook changes it",
            fields.join(" and ")
        ),
        remedy: "Write into git what the policy makes of it, or change the policy.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        manifest::ResourceId,
        sync::{FieldDiff, MARK_LABEL, Reason},
    };

    fn object(data: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}, "data": data})
    }

    fn step(sent: Value, fields: Vec<FieldDiff>) -> Step {
        let id = ResourceId::new(Some("shop"), "ConfigMap", "a", "");
        let action = Action::Apply { object: sent.into(), content_equal: false, options: Box::default() };
        Step { fields, ..Step::new(id, "v1", 2, action, Reason::ChangedInGit) }
    }

    fn dropped(key: &str, live: &Value) -> FieldDiff {
        FieldDiff {
            path: format!("data.{key}"),
            owner: None,
            changed: None,
            released: vec!["f:data".to_owned(), format!("f:{key}")],
            live: digest(Some(live)),
        }
    }

    #[test]
    fn a_field_that_went_is_a_change_and_one_that_stays_is_told_with_its_owner() {
        let step = step(object(&json!({"a": "1"})), vec![dropped("b", &json!("2"))]);
        let outcome = applied(&step, &object(&json!({"a": "1"})), false);
        assert_eq!((outcome.report.outcome, outcome.report.fields.len()), (Outcome::Changed, 1));
        assert_eq!(outcome.findings, []);

        let mut answer = object(&json!({"a": "1", "b": "2"}));
        answer["metadata"]["managedFields"] = json!([
            {"manager": "robot", "operation": "Update", "fieldsV1": {"f:data": {"f:b": {}}}}]);
        let outcome = applied(&step, &answer, false);
        assert_eq!((outcome.report.outcome, outcome.report.fields.len()), (Outcome::Unchanged, 0));
        let [finding] = &outcome.findings[..] else { panic!("{outcome:?}") };
        assert_eq!(finding.code, Code::FieldKept);
        assert!(finding.evidence.contains("data.b") && finding.evidence.contains("robot"), "{finding}");
    }

    #[test]
    fn a_value_that_comes_back_as_a_default_is_neither_a_change_nor_a_finding() {
        let step = step(object(&json!({"a": "1"})), vec![dropped("b", &json!("2"))]);
        let outcome = applied(&step, &object(&json!({"a": "1", "b": "2"})), false);
        assert_eq!((outcome.report.outcome, outcome.findings), (Outcome::Unchanged, vec![]));
    }

    #[test]
    fn a_value_that_admission_changes_is_a_finding_and_is_remembered() {
        let field = FieldDiff {
            path: "data.a".to_owned(),
            owner: None,
            changed: None,
            released: Vec::new(),
            live: digest(Some(&json!("theirs"))),
        };
        let step = step(object(&json!({"a": "ours"})), vec![field]);
        let outcome = applied(&step, &object(&json!({"a": "theirs"})), false);
        assert_eq!(outcome.report.outcome, Outcome::Unchanged, "it is as it was");
        assert_eq!(outcome.report.unsettled.0.keys().collect::<Vec<_>>(), ["data.a"]);
        assert_eq!(outcome.findings[0].code, Code::FieldContested);
        let created = applied(&step, &object(&json!({"a": "theirs"})), true);
        assert_eq!(created.report.outcome, Outcome::Created);
    }

    #[test]
    fn the_mark_of_an_object_that_was_not_there_is_no_change_on_the_way() {
        let marked = |mark: &str| {
            let mut object = object(&json!({}));
            object["metadata"]["labels"] = json!({MARK_LABEL: mark});
            object
        };
        let object = marked("adopted").into();
        let action = Action::Create { object, mark_if_created: Some("created".to_owned()) };
        let step = Step { action, ..step(json!({}), Vec::new()) };
        assert_eq!(applied(&step, &marked("created"), true).findings, []);
        assert_eq!(applied(&step, &marked("adopted"), false).findings, []);
        assert_eq!(applied(&step, &marked("another"), true).findings.len(), 1);
    }
}
