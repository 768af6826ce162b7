//! How patches are applied and made.

use proptest::prelude::*;

use super::*;

fn deployment(spec: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}, "spec": spec})
}

fn patched(object: Value, patch: Value) -> Value {
    let mut patch = patch;
    for key in ["apiVersion", "kind"] {
        patch[key] = object[key].clone();
    }
    let (name, namespace) = (object["metadata"]["name"].clone(), object["metadata"]["namespace"].clone());
    patch["metadata"] = json!({"name": name, "namespace": namespace});
    let mut objects = [object];
    assert_eq!(apply_patches(&mut objects, &[patch]), []);
    let [object] = objects;
    object["spec"].clone()
}

#[test]
fn built_in_kinds_merge_strategically() {
    let table = [
        (
            json!({"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]}),
            json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [{"name": "b", "image": "b:2"}]}),
            json!({"containers": [{"name": "b", "image": "b:2"}, {"name": "a", "image": "a:1"}]}),
        ),
        (
            json!({"containers": [{"name": "a"}, {"name": "b"}]}),
            json!({"containers": [{"name": "a", "$patch": "delete"}, {"name": "c"}]}),
            json!({"containers": [{"name": "b"}, {"name": "c"}]}),
        ),
        (
            json!({"containers": [{"name": "a"}]}),
            json!({"containers": [{"$patch": "replace"}, {"name": "c"}]}),
            json!({"containers": [{"name": "c"}]}),
        ),
        (
            json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}),
            json!({"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}),
            json!({"strategy": {"type": "Recreate"}}),
        ),
        (json!({"a": 1, "b": {"c": 1}}), json!({"a": null, "b": {"d": 2}}), json!({"b": {"c": 1, "d": 2}})),
        (json!({"b": {"c": 1}}), json!({"b": {"$patch": "replace", "d": 2}}), json!({"b": {"d": 2}})),
        (json!({"args": ["a", "b"]}), json!({"args": ["c"]}), json!({"args": ["c"]})),
    ];
    for (spec, patch, expected) in table {
        assert_eq!(patched(deployment(spec), json!({"spec": patch})), expected, "{patch}");
    }
}

#[test]
fn custom_kinds_merge_as_json() {
    let object = json!({"apiVersion": "example.com/v1", "kind": "Shop", "metadata": {"name": "a", "namespace": "b"}, "spec": {"containers": [{"name": "a"}], "x": {"y": 1}}});
    let patch = json!({"spec": {"containers": [{"name": "b"}], "x": {"z": 2, "$patch": "replace"}}});
    let expected = json!({"containers": [{"name": "b"}], "x": {"y": 1, "z": 2, "$patch": "replace"}});
    assert_eq!(patched(object, patch), expected);
}

#[test]
fn a_patch_for_nothing_is_reported_and_the_others_are_applied() {
    let mut objects = [deployment(json!({"replicas": 1}))];
    let ghost = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "ghost"}});
    let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}, "spec": {"replicas": 2}});
    let wrong = apply_patches(&mut objects, &[ghost, web]);
    assert_eq!(wrong, [(0, PatchError::Unmatched("default:deployment/ghost".to_owned()))]);
    assert_eq!(objects[0]["spec"]["replicas"], 2);
}

#[test]
fn a_patch_file_names_what_differs_and_nothing_else() {
    let spec = |image: &str| json!({"replicas": 1, "template": {"spec": {"containers": [{"name": "web", "image": image, "args": ["x"]}, {"name": "side", "image": "s:1"}]}}});
    let other = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}});
    let base = [deployment(spec("w:1")), other.clone()];
    let wanted = [deployment(spec("w:1.20")), other];
    let text = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: shop\nspec:\n  template:\n    spec:\n      containers:\n      - image: w:1.20\n        name: web\n";
    assert_eq!(patch_file(&base, &wanted).unwrap(), text);
    assert_eq!(patch_file(&base, &base).unwrap(), "");
}

fn spec() -> impl Strategy<Value = Value> {
    let container = ("[a-d]", "[a-z]{1,3}", prop::collection::vec("[a-z]", 0..3))
        .prop_map(|(name, image, args)| json!({"name": name, "image": image, "args": args}));
    let labels = prop::collection::btree_map("[a-c]", "[a-z]{0,2}", 0..3);
    (prop::collection::vec(container, 0..4), labels, prop::option::of(0..3_u8)).prop_map(
        |(containers, labels, replicas)| {
            let mut spec =
                json!({"template": {"metadata": {"labels": labels}, "spec": {"containers": containers}}});
            if let Some(replicas) = replicas {
                spec["replicas"] = replicas.into();
            }
            spec
        },
    )
}

proptest! {
    #[test]
    fn a_patch_file_makes_of_what_is_generated_what_is_wanted(from in spec(), to in spec(), custom in any::<bool>()) {
        let object = |spec| {
            let mut object = deployment(spec);
            if custom {
                object["apiVersion"] = "example.com/v1".into();
            }
            object
        };
        let (base, wanted) = ([object(from)], [object(to)]);
        let text = patch_file(&base, &wanted).expect("a patch says it");
        let patches: Vec<Value> = crate::workload::parse(text.as_bytes())
            .resources
            .iter()
            .map(|resource| resource.object.value())
            .collect();
        let mut patched = base;
        prop_assert_eq!(apply_patches(&mut patched, &patches), []);
        prop_assert_eq!(patched, wanted);
    }
}
