//! The fields that change hands.

use super::*;

/// Returns the fields that our entry holds before an apply of a pod template of `sent`.
fn before(ours: &Value, sent: &Value) -> Option<Value> {
    let live = json!({
        "metadata": {"resourceVersion": "1", "managedFields": [
            {"manager": FIELD_MANAGER, "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
                "fieldsV1": {"f:spec": {"f:template": {"f:spec": ours}}}}]},
        "spec": {"template": {"spec": {"serviceAccount": "a", "serviceAccountName": "a", "dnsPolicy": "Default"}}}});
    let sent = json!({"spec": {"template": {"spec": sent}}});
    let kind = KindOf { group: "apps", api_version: "apps/v1", has_defaults: true, served: None };
    let changed =
        fields::owned(&insert_all(&sent)).into_iter().filter(|path| path.get(&sent) != path.get(&live));
    let ownership = Ownership::new(&live, kind, &sent, &BTreeSet::new(), false);
    let before = ownership.takeover(&sent, false, &changed.collect())?.before?;
    Some(before[0]["fieldsV1"]["f:spec"]["f:template"]["f:spec"].clone())
}

/// Returns the tree of the fields of a pod template.
fn insert_all(sent: &Value) -> Map<String, Value> {
    let mut tree = Map::new();
    for key in sent["spec"]["template"]["spec"].as_object().unwrap().keys() {
        insert(&mut tree, &FieldPath::from_fields(&["spec", "template", "spec", key]).0);
    }
    tree
}

#[test]
fn a_service_account_goes_under_both_of_its_names() {
    let (new, old) = (json!({"f:serviceAccountName": {}}), json!({"f:serviceAccount": {}}));
    let both = json!({"f:serviceAccountName": {}, "f:serviceAccount": {}});
    assert_eq!(before(&new, &json!({})), Some(both.clone()));
    assert_eq!(before(&old, &json!({})), Some(both.clone()));
    assert_eq!(before(&old, &json!({"serviceAccount": "b"})), Some(both), "the other name would overrule it");
    assert_eq!(before(&new, &json!({"serviceAccountName": "b"})), None, "this one overrules the other");
    assert_eq!(before(&new, &json!({"serviceAccountName": "a"})), None);
    assert_eq!(before(&json!({"f:dnsPolicy": {}}), &json!({})), None);
}
