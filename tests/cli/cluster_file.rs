//! `fluxctl sync`, and a cluster that is kept in a file.

use std::{collections::BTreeMap, fs};

use serde_json::Value;

use crate::{shop::Shop, sock_shop};

struct Kept {
    shop: Shop,
}

impl Kept {
    fn new() -> Self {
        Self { shop: Shop::new() }
    }

    fn sync(&self, words: &[&str], code: i32) -> Value {
        let file = self.shop.path("cluster.yaml");
        let all = [&["--cluster", file.to_str().expect("text"), "sync", "-o", "json"], words].concat();
        self.shop.fluxctl(&all).exits(code).json()
    }

    fn text(&self) -> String {
        fs::read_to_string(self.shop.path("cluster.yaml")).expect("the cluster file is there")
    }

    fn write(&self, text: &str) {
        fs::write(self.shop.path("cluster.yaml"), text).expect("the cluster file is written");
    }
}

fn outcome<'a>(report: &'a Value, id: &str) -> &'a Value {
    let resources = report["resources"].as_array().expect("resources");
    resources.iter().find(|r| r["id"] == id).unwrap_or_else(|| panic!("no {id} among {resources:#?}"))
}

fn count(report: &Value, outcome: &str) -> usize {
    report["resources"].as_array().expect("resources").iter().filter(|r| r["outcome"] == outcome).count()
}

#[test]
fn a_sync_creates_what_git_names_and_the_next_one_leaves_it() {
    let kept = Kept::new();
    let dry = kept.sync(&["--dry-run"], 0);
    assert_eq!(count(&dry, "created"), 14);
    assert!(!kept.shop.path("cluster.yaml").exists(), "a dry run writes nothing");
    assert_eq!(count(&kept.sync(&[], 0), "created"), 14);
    let text = kept.text();
    assert_eq!(count(&kept.sync(&[], 0), "unchanged"), 14);
    assert_eq!(kept.text(), text);
    kept.sync(&["--fail-if-unchanged"], 3);
}

#[test]
fn a_hand_edit_is_noticed_and_undone_and_a_foreign_field_is_left() {
    let kept = Kept::new();
    kept.sync(&[], 0);
    let edited = kept.text().replacen("  replicas: 1\n", "  replicas: 7\n  paused: true\n", 1);
    kept.write(&edited);
    let id = "sock-shop:deployment/cart";
    let dry = kept.sync(&["--dry-run"], 0);
    assert_eq!(outcome(&dry, id)["fields"], serde_json::json!(["spec.replicas"]));
    assert_eq!(kept.text(), edited);
    let report = kept.sync(&[], 0);
    assert_eq!(
        (&outcome(&report, id)["outcome"], &outcome(&report, id)["reason"]),
        (&"changed".into(), &"drifted".into())
    );
    assert!(!kept.text().contains("replicas: 7"));
    assert!(kept.text().contains("paused: true"), "what git does not say is left alone");
    assert_eq!(count(&kept.sync(&[], 0), "unchanged"), 14);
}

#[test]
fn a_change_in_git_reaches_the_cluster_and_a_field_gone_from_git_goes() {
    let kept = Kept::new();
    kept.sync(&[], 0);
    let path = "sock-shop/cart-dep.yaml".to_owned();
    let text = kept.shop.file(&path).replace("  replicas: 1\n", "").replace("cart:0.3.0", "cart:0.2.0");
    kept.shop.commit(&[(path, text)], "Change the cart");
    let report = kept.sync(&[], 0);
    let cart = outcome(&report, "sock-shop:deployment/cart");
    assert_eq!((&cart["outcome"], &cart["reason"]), (&"changed".into(), &"changed-in-git".into()));
    assert_eq!(
        cart["fields"],
        serde_json::json!(["spec.replicas", "spec.template.spec.containers[name=cart].image"])
    );
    assert_eq!(kept.text().matches("replicas: 1").count(), 12);
}

#[test]
fn what_was_there_before_is_adopted_and_never_pruned() {
    let kept = Kept::new();
    let (_, cart) =
        sock_shop::files().into_iter().find(|(path, _)| path.ends_with("cart-dep.yaml")).expect("the cart");
    kept.write(&cart);
    let report = kept.sync(&[], 0);
    assert_eq!(outcome(&report, "sock-shop:deployment/cart")["outcome"], "unchanged", "equal content");
    assert_eq!(count(&report, "created"), 13);
    assert_eq!(count(&kept.sync(&[], 0), "unchanged"), 14);
    let gone = "# nothing is left here\n".to_owned();
    kept.shop.commit(&[("sock-shop/cart-dep.yaml".to_owned(), gone)], "Remove the cart");
    let report = kept.sync(&["--prune"], 0);
    let cart = outcome(&report, "sock-shop:deployment/cart");
    assert_eq!((&cart["outcome"], &cart["reason"]), (&"skipped".into(), &"not-created-by-flux".into()));
    assert!(kept.text().contains("name: cart\n"));
}

#[test]
fn pruning_is_off_unless_asked_for() {
    let shop = Shop::new();
    let file = shop.path("cluster.yaml");
    let cluster = ["--cluster", file.to_str().expect("text")];
    let sync = |words: &[&str]| {
        shop.fluxctl(&[&cluster[..], &["sync", "-o", "json"], words].concat()).exits(0).json()
    };
    sync(&[]);
    let gone = "# nothing is left here\n".to_owned();
    shop.commit(&[("sock-shop/payment-dep.yaml".to_owned(), gone)], "Remove the payment");
    let id = "sock-shop:deployment/payment";
    let report = sync(&[]);
    assert_eq!(
        (&outcome(&report, id)["outcome"], &outcome(&report, id)["reason"]),
        (&"skipped".into(), &"prune-off".into())
    );
    assert_eq!(outcome(&sync(&["--prune", "--dry-run"]), id)["outcome"], "pruned");
    assert_eq!(outcome(&sync(&["--prune"]), id)["outcome"], "pruned");
    assert!(!fs::read_to_string(&file).expect("the file").contains("payment"));
}

/// Returns a shop of so many ConfigMaps, each in its own file.
fn maps(count: usize) -> Kept {
    let file = |n: usize| {
        let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: map-{n}, namespace: shop}}\n");
        (format!("map-{n}.yaml"), text)
    };
    Kept { shop: Shop::with((0..count).map(file).collect()) }
}

/// Takes so many of the ConfigMaps out of git.
fn drop_maps(kept: &Kept, count: usize) {
    let gone = |n: usize| (format!("map-{n}.yaml"), "# nothing is left here\n".to_owned());
    kept.shop.commit(&(0..count).map(gone).collect::<Vec<_>>(), "Remove maps");
}

fn reasons(report: &Value, outcome: &str) -> BTreeMap<String, usize> {
    let mut reasons = BTreeMap::new();
    for resource in
        report["resources"].as_array().expect("resources").iter().filter(|r| r["outcome"] == outcome)
    {
        *reasons.entry(resource["reason"].as_str().expect("a reason").to_owned()).or_default() += 1;
    }
    reasons
}

#[test]
fn pruning_of_more_than_half_waits_for_prune_all() {
    let kept = maps(24);
    kept.sync(&[], 0);
    drop_maps(&kept, 13);
    let before = kept.text();
    let held = kept.sync(&["--prune"], 0);
    assert_eq!(reasons(&held, "skipped"), BTreeMap::from([("prune-held-back".to_owned(), 13)]));
    let findings = held["findings"].as_array().expect("findings");
    let remedy =
        findings.iter().find(|f| f["code"] == "prune-held-back").expect("a finding")["remedy"].as_str();
    assert!(remedy.is_some_and(|remedy| remedy.contains("prune_all")), "{findings:#?}");
    assert_eq!(kept.text(), before);

    // By itself it does not prune.
    let off = kept.sync(&["--prune-all"], 0);
    assert_eq!(reasons(&off, "skipped"), BTreeMap::from([("prune-off".to_owned(), 13)]));
    assert_eq!(kept.text(), before);

    assert_eq!(count(&kept.sync(&["--prune", "--prune-all"], 0), "pruned"), 13);
    assert_eq!(kept.text().matches("name: map-").count(), 11);
    kept.sync(&["--prune", "--fail-if-unchanged"], 3);
}

#[test]
fn prune_all_does_not_prune_all_of_it_when_git_names_nothing() {
    let kept = maps(12);
    kept.sync(&[], 0);
    drop_maps(&kept, 12);
    let before = kept.text();
    let report = kept.sync(&["--prune", "--prune-all"], 0);
    assert_eq!(count(&report, "pruned"), 0, "{report:#}");
    assert_eq!(kept.text(), before);
}

#[test]
fn a_dry_run_of_pruning_says_what_would_go_and_does_the_rest() {
    let kept = maps(24);
    kept.sync(&[], 0);
    drop_maps(&kept, 3);
    let added = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: added, namespace: shop}\n";
    kept.shop.commit(&[("added.yaml".to_owned(), added.to_owned())], "Add one");
    for flags in
        [&["--prune-dry-run"][..], &["--prune", "--prune-dry-run"], &["--sync-garbage-collection-dry"]]
    {
        let report = kept.sync(flags, 0);
        assert_eq!(reasons(&report, "skipped"), BTreeMap::from([("prune-off".to_owned(), 3)]), "{flags:?}");
        let message = outcome(&report, "shop:configmap/map-0")["message"].as_str().expect("a message");
        assert!(message.contains("would delete it"), "{message}");
        assert_eq!(kept.text().matches("name: map-").count(), 24, "{flags:?}");
        assert!(kept.text().contains("name: added"), "{flags:?}: all else is synced");
    }
    // The guard holds in the dry run as it would in the other.
    drop_maps(&kept, 13);
    let report = kept.sync(&["--prune-dry-run"], 0);
    assert_eq!(reasons(&report, "skipped"), BTreeMap::from([("prune-held-back".to_owned(), 13)]));
    let report = kept.sync(&["--prune-dry-run", "--prune-all"], 0);
    assert_eq!(reasons(&report, "skipped"), BTreeMap::from([("prune-off".to_owned(), 13)]));
    assert_eq!(kept.text().matches("name: map-").count(), 24);
}

#[test]
fn a_workload_that_only_the_cluster_has_is_skipped_and_that_is_0() {
    let kept = Kept::new();
    kept.sync(&[], 0);
    let other = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: extra, namespace: sock-shop}\nspec: {template: {spec: {containers: [{name: extra, image: 'mongo:3.2'}]}}}\n";
    kept.write(&(kept.text() + other));
    let file = kept.shop.path("cluster.yaml");
    let id = "sock-shop:deployment/extra";
    let words =
        ["--cluster", file.to_str().expect("text"), "release", "-w", id, "--update-all-images", "-o", "json"];
    let report = kept.shop.fluxctl(&words).exits(0).json();
    let verdict = &report["workloads"][id];
    assert_eq!(
        (&verdict["status"], &verdict["message"]),
        (&"skipped".into(), &"not found in repository".into())
    );
    let list =
        kept.shop.fluxctl(&["--cluster", file.to_str().expect("text"), "list-workloads", "-o", "json"]);
    assert!(list.exits(0).stdout.contains("deployment/extra"));
}

#[test]
fn a_kind_that_nobody_defines_is_a_finding_and_its_definition_in_git_suffices() {
    let gadget = ("gadget.yaml".to_owned(), "apiVersion: example.com/v1\nkind: Gadget\nmetadata: {name: g, namespace: default}\nspec: {size: 3}\n".to_owned());
    let shop = Shop::with(vec![gadget]);
    let file = shop.path("cluster.yaml");
    let words = ["--cluster", file.to_str().expect("text"), "sync", "-o", "json"];
    let report = shop.fluxctl(&words).exits(1).json();
    assert!(report["findings"].to_string().contains("unknown-kind"), "{report:#}");
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: gadgets.example.com}\nspec:\n  group: example.com\n  scope: Namespaced\n  names: {kind: Gadget, plural: gadgets}\n  versions: [{name: v1, served: true, storage: true}]\n";
    shop.commit(&[("crd.yaml".to_owned(), crd.to_owned())], "Define the gadget");
    assert_eq!(count(&shop.fluxctl(&words).exits(0).json(), "created"), 2);
}

#[test]
fn a_cluster_file_that_is_broken_is_reported() {
    let kept = Kept::new();
    kept.write("kind: [\n");
    let file = kept.shop.path("cluster.yaml");
    let ran = kept.shop.fluxctl(&["--cluster", file.to_str().expect("text"), "list-workloads"]).exits(1);
    assert!(ran.stderr.contains("cluster.yaml"), "{}", ran.stderr);
}

#[test]
fn texts_that_yaml_reads_as_something_else_come_back_from_the_file_as_texts() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: odd, namespace: shop}\ndata: {\"on\": \"yes\", N: 'no', version: '1.20', octal: '0123', sep: '1_000', empty: ''}\n";
    let shop = Shop::with(vec![("odd.yaml".to_owned(), text.to_owned())]);
    let file = shop.path("cluster.yaml");
    let sync = |code| {
        let words = ["--cluster", file.to_str().expect("text"), "sync", "-o", "json", "--fail-if-unchanged"];
        shop.fluxctl(&words).exits(code).json()
    };
    assert_eq!(count(&sync(0), "created"), 1);
    assert_eq!(count(&sync(3), "unchanged"), 1);
}

#[test]
fn an_odd_workload_in_the_file_does_not_lock_the_file() {
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: odd, namespace: shop}\nspec: {template: {spec: {containers: [{name: odd, image: 'not an image'}]}}}\n";
    let shop = Shop::with(vec![("odd.yaml".to_owned(), text.to_owned())]);
    let file = shop.path("cluster.yaml");
    let cluster = ["--cluster", file.to_str().expect("text")];
    shop.fluxctl(&[&cluster[..], &["sync"]].concat()).exits(0);
    shop.fluxctl(&[&cluster[..], &["sync"]].concat()).exits(0);
    shop.fluxctl(&[&cluster[..], &["list-workloads"]].concat()).exits(0);
}

#[test]
fn what_other_tools_keep_beside_manifests_is_reported_and_in_nobodys_way() {
    let mut files = sock_shop::files();
    files.push(("docker-compose.yml".to_owned(), "services:\n  web: {image: nginx}\n".to_owned()));
    files.push(("package.json".to_owned(), "{\"name\": \"shop\"}\n".to_owned()));
    let shop = Shop::with(files);
    let file = shop.path("cluster.yaml");
    let words = ["--cluster", file.to_str().expect("text"), "sync", "-o", "json", "--prune"];
    let report = shop.fluxctl(&words).exits(0).json();
    let codes: Vec<&Value> =
        report["findings"].as_array().expect("findings").iter().map(|f| &f["code"]).collect();
    assert_eq!(codes, ["not-for-kubernetes", "not-for-kubernetes"]);
}

#[test]
fn what_is_suspended_in_git_is_left_until_it_is_resumed() {
    let kept = Kept::new();
    kept.sync(&[], 0);
    let (cart, user) = ("sock-shop:deployment/cart", ["--user", "Alice <alice@example.com>"]);
    let suspend = [&["suspend", "-w", cart, "-m", "the till is mended"], &user[..]].concat();
    kept.shop.fluxctl(&suspend).exits(0);
    let path = "sock-shop/cart-dep.yaml".to_owned();
    let text = kept.shop.file(&path);
    assert!(text.contains("fluxcd.io/suspended: \"true\""), "{text}");
    kept.shop.commit(&[(path, text.replace("  replicas: 1\n", "  replicas: 2\n"))], "Two carts");

    let report = kept.sync(&[], 0);
    let skipped = outcome(&report, cart);
    assert_eq!((&skipped["outcome"], &skipped["reason"]), (&"skipped".into(), &"suspended".into()));
    let why = "Alice <alice@example.com> suspended it: the till is mended";
    assert_eq!(skipped["message"], why);

    kept.shop.fluxctl(&["resume", "-w", cart]).exits(0);
    let resumed = kept.sync(&[], 0);
    assert_eq!(outcome(&resumed, cart)["fields"], serde_json::json!(["spec.replicas"]));
}

#[test]
fn an_object_that_runs_no_images_can_be_suspended_and_not_locked() {
    let kept = Kept::new();
    let settings = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n  namespace: sock-shop\n";
    kept.shop.commit(&[("sock-shop/settings.yaml".to_owned(), settings.to_owned())], "Settings");
    let id = "sock-shop:configmap/settings";
    kept.shop.fluxctl(&["suspend", "-w", id]).exits(0);
    assert_eq!(outcome(&kept.sync(&[], 0), id)["reason"], "suspended");
    let locked = kept.shop.fluxctl(&["lock", "-w", id, "-o", "json"]).exits(1).json();
    let message = locked["workloads"][id]["message"].as_str().unwrap_or_default();
    assert!(message.contains("runs no images"), "{locked}");
    kept.shop.fluxctl(&["resume", "-w", id]).exits(0);
    assert_eq!(kept.shop.file("sock-shop/settings.yaml"), settings, "byte for byte");
    let all = "apiVersion: fluxcd.io/v1alpha1\nkind: FluxPolicy\nmetadata: {name: night}\nspec:\n  suspended: {by: bob, reason: the night}\n";
    kept.shop.commit(&[("sock-shop/night.yaml".to_owned(), all.to_owned())], "Good night");
    let report = kept.sync(&[], 0);
    assert_eq!(count(&report, "skipped"), 15);
    assert_eq!(report["findings"][0]["code"], "suspended");
    kept.shop.fluxctl(&["check"]).exits(0);
}

#[test]
fn objects_without_a_namespace_are_in_the_one_that_is_named_for_all_verbs() {
    let kept = Kept::new();
    let web = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n  \
               template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, image: 'team/web:1.0'}]}\n";
    kept.shop.commit(&[("sock-shop/web.yaml".to_owned(), web.to_owned())], "A web");
    let named = ["--k8s-default-namespace", "team"];
    let report = kept.sync(&named, 0);
    assert_eq!(outcome(&report, "team:deployment/web")["outcome"], "created");
    // One that was there without a mark is found there, and adopted.
    kept.write(&kept.text().replace("fluxcd.io/sync-gc-mark", "example.com/was-gc-mark"));
    let report = kept.sync(&named, 0);
    assert_eq!(outcome(&report, "team:deployment/web")["outcome"], "unchanged");
    let file = kept.shop.path("cluster.yaml");
    let cluster = [&["--cluster", file.to_str().expect("text")][..], &named].concat();
    let listed = kept.shop.fluxctl(&[&cluster[..], &["list-workloads", "-n", "team"]].concat()).exits(0);
    assert!(listed.stdout.contains("team:deployment/web"), "{}", listed.stdout);
    kept.shop.fluxctl(&[&cluster[..], &["lock", "-w", "deployment/web"]].concat()).exits(0);
    assert!(kept.shop.file("sock-shop/web.yaml").contains("fluxcd.io/locked"));
}

#[test]
fn what_is_misspelt_about_syncs_is_said_by_sync_and_by_check() {
    let kept = Kept::new();
    let typo =
        "apiVersion: fluxcd.io/v1alpha1\nkind: FluxPolicy\nmetadata: {name: stop}\nspec: {Suspended: true}\n";
    let odd = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: odd\n  namespace: sock-shop\n  annotations:\n    fluxcd.io/prune: 'no'\n";
    let files = [("sock-shop/stop.yaml", typo), ("sock-shop/odd.yaml", odd)];
    kept.shop.commit(&files.map(|(path, text)| (path.to_owned(), text.to_owned())), "In haste");
    let report = kept.sync(&[], 0);
    let codes: Vec<&Value> =
        report["findings"].as_array().expect("findings").iter().map(|finding| &finding["code"]).collect();
    assert_eq!(codes, ["invalid-policy", "invalid-policy"], "{report:#}");
    let checked = kept.shop.fluxctl(&["check", "-o", "json"]).exits(1).json();
    let findings = checked.as_array().or(checked["findings"].as_array()).expect("findings");
    let of_odd = findings.iter().find(|f| f["subject"] == "sock-shop:configmap/odd").expect("one of the map");
    assert_eq!(of_odd["place"]["line"], 7, "{of_odd}");
    // It cannot be read, and so it may well mean that the object is to stay.
    kept.shop.commit(&[("sock-shop/odd.yaml".to_owned(), "# nothing\n".to_owned())], "Remove it");
    let report = kept.sync(&["--prune"], 0);
    assert_eq!(outcome(&report, "sock-shop:configmap/odd")["reason"], "ignored");
}

#[test]
fn an_object_in_no_namespace_is_suspended_by_its_kind_and_name_and_the_commit_says_what_was_done() {
    let kept = Kept::new();
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: extra\n";
    kept.shop.commit(&[("sock-shop/extra.yaml".to_owned(), namespace.to_owned())], "A namespace");
    let words = ["suspend", "-w", "namespace/extra", "-w", "sock-shop:configmap/none", "-o", "json"];
    let suspended = kept.shop.fluxctl(&words).exits(1).json();
    assert_eq!(suspended["workloads"]["<cluster>:namespace/extra"]["status"], "success", "{suspended:#}");
    assert_eq!(outcome(&kept.sync(&[], 0), "<cluster>:namespace/extra")["reason"], "suspended");
}
