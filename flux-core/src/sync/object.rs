//! Single objects: their ids, what of them is sent, and their checksums.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

pub(crate) use crate::api_version::group_of;
use crate::{
    health::{HealthStatus, health_of},
    manifest::ResourceId,
    object::Object,
    plan::{
        contest::digest,
        sync::{ADOPTED_ANNOTATION, CHECKSUM_ANNOTATION, MARK_LABEL},
    },
    policy::Suspension,
    schema::{lists::is_builtin_group, path::FieldPath},
};

/// The metadata that the API server writes; a manifest that was copied from a cluster has it too.
pub(crate) const SERVER_METADATA: &[&str] = &[
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// The keys that this library writes into the metadata of objects, with the map they stand in.
const MARKS: [(&str, &str); 3] =
    [("labels", MARK_LABEL), ("annotations", CHECKSUM_ANNOTATION), ("annotations", ADOPTED_ANNOTATION)];

/// The prefixes under which v1 read its annotations.
const PREFIXES: [&str; 2] = ["fluxcd.io/", "flux.weave.works/"];

/// Returns a top-level string of an object.
pub(crate) fn text<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

/// Returns the id of an object as it is written: the namespace is the one it names.
///
/// `None` if it has no kind or no name.
pub(crate) fn id_of(object: &Value) -> Option<ResourceId> {
    let metadata = object.get("metadata")?;
    let namespace = text(metadata, "namespace").filter(|n| !n.is_empty());
    let kind = text(object, "kind").filter(|k| !k.is_empty())?;
    let name = text(metadata, "name").filter(|n| !n.is_empty())?;
    let group = group_of(text(object, "apiVersion").filter(|v| !v.is_empty())?);
    Some(ResourceId::new(namespace, kind, name, group))
}

/// Returns the id of an object as [`id_of`] does.
pub(crate) fn written_id(object: &Object) -> Option<&ResourceId> {
    let has_id = ![object.kind(), object.name(), object.api_version()].contains(&"");
    has_id.then(|| object.id())
}

/// Returns `true` if SOPS encrypted an object: its values are not what they say.
pub(super) fn is_encrypted(object: &Value) -> bool {
    object["sops"]["mac"].is_string()
}

/// The wish of an `ignore` annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ignore {
    /// Neither applied nor pruned.
    Wholly,
    /// Applied, but not pruned.
    WhenPruning,
    /// It does not ask for anything.
    No,
}

/// Returns the value of an annotation of this library, under either prefix.
pub(super) fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a Value> {
    let annotations = &object["metadata"]["annotations"];
    PREFIXES.iter().find_map(|prefix| annotations.get(format!("{prefix}{key}")))
}

/// Returns `true` if an annotation of this library says `true` or `false`.
pub(super) fn says(object: &Value, key: &str, truth: bool) -> bool {
    annotation(object, key).is_some_and(|value| match value {
        Value::Bool(value) => *value == truth,
        Value::String(text) => *text == truth.to_string(),
        _ => false,
    })
}

/// Returns the wish of the `ignore` annotation.
///
/// A value that cannot be read may well mean that the object is to be left: it is not pruned then.
pub(super) fn ignore(object: &Value) -> Ignore {
    match annotation(object, "ignore") {
        None | Some(Value::Null | Value::Bool(false)) => Ignore::No,
        Some(Value::Bool(true)) => Ignore::Wholly,
        Some(Value::String(text)) => match text.trim() {
            "true" => Ignore::Wholly,
            "false" | "" => Ignore::No,
            _ => Ignore::WhenPruning,
        },
        Some(_) => Ignore::WhenPruning,
    }
}

/// Returns who has suspended the syncs of an object, and why, if an annotation of it says so.
///
/// A value that cannot be read suspends it too: it may well be meant so.
pub(crate) fn suspended(object: &Value) -> Option<Suspension> {
    let is_off = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => matches!(text.trim(), "false" | ""),
        _ => false,
    };
    annotation(object, "suspended").filter(|value| !is_off(value))?;
    let text = |key: &str| annotation(object, key).and_then(Value::as_str).map(str::to_owned);
    Some(Suspension { by: text("suspended_user"), reason: text("suspended_msg") })
}

/// Returns the wish of the `prune` annotation: that an object is pruned with all that it holds, or
/// that it never is.
///
/// A value that cannot be read keeps it: it may well be meant so.
pub(super) fn prune(object: &Value) -> Option<bool> {
    match annotation(object, "prune")? {
        Value::Null => None,
        Value::Bool(wish) => Some(*wish),
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => Some(text.trim() == "true"),
        _ => Some(false),
    }
}

/// Returns a clause about an object that is being deleted, with what it waits for; `None` if it is
/// not being deleted.
pub fn deletion(object: &Value) -> Option<String> {
    let health = health_of(Some(object));
    let all = std::iter::once(health.message).chain(health.evidence.into_iter().map(|one| one.message));
    (health.status == HealthStatus::Terminating).then(|| all.collect::<Vec<_>>().join("; "))
}

/// Returns the object as it is to be sent: in the namespace given, without what only a server
/// writes and without a mark that was copied along.
///
/// It says what the author means, in the one form in which the server keeps it: the `stringData` of
/// a Secret as its `data`, whose base64 has no line breaks; an aggregated ClusterRole without
/// `rules`, which a controller fills in; built-in kinds without fields that are null.
///
/// # Errors
/// A text that says what is wrong with its shape, for people.
pub(super) fn desired_form(object: &Value, namespace: Option<&str>) -> Result<Value, String> {
    let mut object = object.clone();
    let Some(top) = object.as_object_mut() else { return Err("it is not a mapping".to_owned()) };
    top.remove("status");
    let Some(metadata) = top.get_mut("metadata").and_then(Value::as_object_mut) else {
        return Err("its metadata is not a mapping".to_owned());
    };
    for key in SERVER_METADATA {
        metadata.remove(*key);
    }
    match namespace {
        Some(namespace) => metadata.insert("namespace".to_owned(), namespace.into()),
        None => metadata.remove("namespace"),
    };
    for (map, key) in MARKS {
        match metadata.get_mut(map) {
            None | Some(Value::Null) => {
                metadata.remove(map);
            }
            Some(Value::Object(entries)) => {
                entries.remove(key);
            }
            Some(_) => return Err(format!("its metadata.{map} is not a mapping")),
        }
    }
    if text(&object, "apiVersion").is_some_and(|version| is_builtin_group(group_of(version))) {
        drop_nulls(&mut object, "");
    }
    fold_string_data(&mut object);
    unwrap_base64(&mut object);
    leave_aggregated_rules(&mut object);
    Ok(object)
}

/// The mappings of built-in kinds whose keys are no fields: in them a null is an empty text.
const OPEN_MAPS: [&str; 11] = [
    "annotations",
    "binaryData",
    "data",
    "hard",
    "labels",
    "limits",
    "matchLabels",
    "nodeSelector",
    "requests",
    "selector",
    "stringData",
];

/// Takes out the fields that are null, as templates leave them: to built-in kinds that is no value,
/// but server-side apply owns such a field and resets it to its default each time.
fn drop_nulls(value: &mut Value, key: &str) {
    match value {
        Value::Object(fields) => {
            if !OPEN_MAPS.contains(&key) {
                fields.retain(|_, field| !field.is_null());
            }
            for (key, field) in fields {
                drop_nulls(field, key);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| drop_nulls(item, "")),
        _ => {}
    }
}

/// Takes the line breaks out of the base64 of a Secret, as the API server does.
fn unwrap_base64(object: &mut Value) {
    if !is_secret(object) {
        return;
    }
    for value in object.get_mut("data").and_then(Value::as_object_mut).into_iter().flatten().map(|(_, v)| v) {
        if let Value::String(text) = value
            && text.contains(char::is_whitespace)
        {
            text.retain(|c| !c.is_whitespace());
        }
    }
}

/// Leaves the rules of an aggregated ClusterRole to the controller that gathers them.
fn leave_aggregated_rules(object: &mut Value) {
    let is_role = object["kind"] == "ClusterRole"
        && text(object, "apiVersion").is_some_and(|v| group_of(v) == "rbac.authorization.k8s.io");
    if is_role
        && object["aggregationRule"].is_object()
        && let Some(top) = object.as_object_mut()
    {
        top.remove("rules");
    }
}

fn is_secret(object: &Value) -> bool {
    object["kind"] == "Secret" && object["apiVersion"] == "v1"
}

/// Puts the mark and the checksum on an object that [`desired_form`] made; of an adopted one also
/// who had created it.
pub(super) fn put_mark(object: &mut Value, mark: String, checksum: String, adopted_from: Option<&str>) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let adopted_from = adopted_from.map(str::to_owned);
    for ((map, key), value) in MARKS.into_iter().zip([Some(mark), Some(checksum), adopted_from]) {
        let Some(value) = value else { continue };
        let entries = metadata.entry(map).or_insert_with(|| Value::Object(Map::new()));
        if let Some(entries) = entries.as_object_mut() {
            entries.insert(key.to_owned(), Value::String(value));
        }
    }
}

/// Returns an object that is to be sent with the mark of creation in the place of that of an
/// adopted one, as a cluster has answered that it was not there.
pub fn marked_as_created(object: &Value, mark: &str) -> Value {
    let mut object = object.clone();
    if let Some(labels) = object.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.insert(MARK_LABEL.to_owned(), mark.into());
    }
    if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove(ADOPTED_ANNOTATION);
    }
    object
}

/// Returns `true` if a field is the mark, or belongs to it: it is no content.
pub(super) fn is_mark(path: &FieldPath) -> bool {
    MARKS.iter().any(|(map, key)| *path == FieldPath::from_fields(&["metadata", map, key]))
}

/// Returns the hex SHA-256 of the canonical JSON of an object.
pub(super) fn checksum(object: &Value) -> String {
    digest(Some(object))
}

/// Moves the `stringData` of a Secret into its `data`, as the API server does.
pub(crate) fn fold_string_data(object: &mut Value) {
    if !is_secret(object) {
        return;
    }
    let Some(top) = object.as_object_mut() else { return };
    // A value that is no text is for the API server to refuse, and not to be lost.
    let is_other = |value: &Value| !value.is_string() && !value.is_null();
    if top.get("stringData").and_then(Value::as_object).is_some_and(|strings| strings.values().any(is_other))
    {
        return;
    }
    let Some(Value::Object(strings)) = top.remove("stringData") else { return };
    let data = top.entry("data").or_insert_with(|| Value::Object(Map::new()));
    if data.is_null() {
        *data = Value::Object(Map::new());
    }
    if let Some(data) = data.as_object_mut() {
        for (key, value) in strings {
            if let Some(value) = value.as_str() {
                data.insert(key, STANDARD.encode(value).into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_copied_from_a_cluster_is_not_sent_back() {
        let copied = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "namespace": "copied", "uid": "1", "resourceVersion": "2", "generation": 3,
                "creationTimestamp": null, "selfLink": "/", "managedFields": [],
                "labels": {MARK_LABEL: "sha256.stale", "keep": "me"},
                "annotations": {CHECKSUM_ANNOTATION: "stale"}},
            "status": {}, "data": {"k": "v"}});
        assert_eq!(
            desired_form(&copied, Some("shop")).unwrap(),
            json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "a", "namespace": "shop", "labels": {"keep": "me"}, "annotations": {}},
                "data": {"k": "v"}})
        );
    }

    #[test]
    fn a_cluster_scoped_object_loses_a_namespace_that_was_written() {
        let object = json!({"metadata": {"name": "a", "namespace": "shop"}});
        assert_eq!(desired_form(&object, None).unwrap(), json!({"metadata": {"name": "a"}}));
    }

    #[test]
    fn shapes_that_cannot_carry_a_mark_are_refused_in_words() {
        for (object, problem) in [
            (json!([]), "it is not a mapping"),
            (json!({"metadata": 1}), "its metadata is not a mapping"),
            (json!({"metadata": {"labels": "x"}}), "its metadata.labels is not a mapping"),
        ] {
            assert_eq!(desired_form(&object, None), Err(problem.to_owned()));
        }
    }

    #[test]
    fn the_checksum_does_not_depend_on_the_order_of_keys() {
        let a: Value = serde_json::from_str(r#"{"b":[1,{"d":null,"c":"x"}],"a":true}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{"a":true,"b":[1,{"c":"x","d":null}]}"#).unwrap();
        assert_eq!(checksum(&a), checksum(&b));
        let mut text = String::new();
        crate::plan::contest::canonical(&a, &mut text);
        assert_eq!(text, r#"{"a":true,"b":[1,{"c":"x","d":null}]}"#);
        assert_eq!(checksum(&a).len(), 64);
    }

    #[test]
    fn ignore_is_read_under_both_prefixes() {
        let with = |key: &str, value: Value| ignore(&json!({"metadata": {"annotations": {key: value}}}));
        assert_eq!(with("fluxcd.io/ignore", json!("true")), Ignore::Wholly);
        assert_eq!(with("flux.weave.works/ignore", json!("true")), Ignore::Wholly);
        assert_eq!(with("fluxcd.io/ignore", json!("sync_only")), Ignore::WhenPruning);
        assert_eq!(with("fluxcd.io/ignore", json!("false")), Ignore::No);
        assert_eq!(with("fluxcd.io/ignore", json!("yes")), Ignore::WhenPruning, "no prune on doubt");
        assert_eq!(with("example.com/ignore", json!("true")), Ignore::No);
        assert_eq!(ignore(&json!({})), Ignore::No);
    }

    #[test]
    fn a_field_that_is_null_is_not_named() {
        let form = |object: Value| desired_form(&object, Some("shop")).unwrap();
        let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"a": null}},
            "spec": {"replicas": null, "template": {"spec": {"containers": [{"name": "web", "args": null}]}}}});
        let sent = form(web);
        assert_eq!(sent["spec"].as_object().unwrap().keys().collect::<Vec<_>>(), ["template"]);
        assert_eq!(sent["spec"]["template"]["spec"]["containers"], json!([{"name": "web"}]));
        assert_eq!(sent["metadata"]["labels"], json!({"a": null}), "the server makes an empty text of it");
        let custom = json!({"apiVersion": "example.com/v1", "kind": "Wheel", "metadata": {"name": "w"}, "spec": {"a": null}});
        assert_eq!(form(custom)["spec"], json!({"a": null}), "there it may be a value");
    }

    #[test]
    fn what_is_sent_is_what_the_server_keeps() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"},
            "data": {"wrapped": "aGVs\nbG8=\n"}, "stringData": {"text": "hi"}});
        assert_eq!(
            desired_form(&secret, None).unwrap()["data"],
            json!({"wrapped": "aGVsbG8=", "text": "aGk="})
        );
        let role = |aggregated: Value| {
            let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
                "metadata": {"name": "a"}, "aggregationRule": aggregated, "rules": []});
            desired_form(&role, None).unwrap().get("rules").cloned()
        };
        assert_eq!(role(json!({"clusterRoleSelectors": []})), None);
        assert_eq!(role(Value::Null), Some(json!([])));
    }

    #[test]
    fn string_data_becomes_data() {
        let mut secret =
            json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "eA=="}, "stringData": {"b": "hi"}});
        fold_string_data(&mut secret);
        assert_eq!(secret, json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "eA==", "b": "aGk="}}));

        // The API server refuses it; nothing is lost without a word.
        let mut secret =
            json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "hi", "pin": 1234}});
        let written = secret.clone();
        fold_string_data(&mut secret);
        assert_eq!(secret, written);
    }
}
