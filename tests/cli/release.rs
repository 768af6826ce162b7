//! `fluxctl release`.

use serde_json::{Value, json};

use crate::shop::Shop;

const FRONT_END: &str = "sock-shop:deployment/front-end";
const NEWEST: &str = "weaveworksdemos/front-end:7f511af2d21fd601b86b3bed7baa6adfa9c8c669";

fn release(shop: &Shop, words: &[&str]) -> Value {
    let all = [&["release", "-o", "json"], words].concat();
    shop.fluxctl(&all).exits(0).json()
}

#[test]
fn releasing_one_service_changes_one_line_of_one_file_in_one_commit() {
    let shop = Shop::new();
    let before = shop.file("sock-shop/front-end-dep.yaml");
    let report = release(&shop, &["--service=sock-shop/front-end", "--update-all-images"]);

    assert_eq!(report["workloads"][FRONT_END]["status"], "success");
    assert_eq!(report["workloads"][FRONT_END]["containers"][0]["target"], NEWEST);
    assert_eq!(report["edits"].as_array().expect("edits").len(), 1);
    let after = shop.file("sock-shop/front-end-dep.yaml");
    let changed: Vec<(&str, &str)> = before.lines().zip(after.lines()).filter(|(a, b)| a != b).collect();
    let line = "        image: weaveworksdemos/front-end:0.2.0 # what runs";
    assert_eq!(changed, [(line, line.replace("weaveworksdemos/front-end:0.2.0", NEWEST).as_str())]);
    assert_eq!(before.lines().count(), after.lines().count());
    assert_eq!(
        shop.messages(),
        ["Release all latest to sock-shop:deployment/front-end", "Describe the shop"]
    );
}

#[test]
fn the_edit_names_the_bytes_it_replaces() {
    let shop = Shop::new();
    let before = shop.file("sock-shop/front-end-dep.yaml");
    let report = release(&shop, &["-w", FRONT_END, "--update-all-images", "--dry-run"]);
    let edit = &report["edits"][0];
    let at = |key: &str| usize::try_from(edit[key].as_u64().expect("a number")).expect("it fits");
    assert_eq!(edit["path"], "sock-shop/front-end-dep.yaml");
    assert_eq!(&before[at("start")..at("end")], edit["before"]);
    assert_eq!(edit["after"], NEWEST);
}

#[test]
fn a_dry_run_says_what_the_release_does_and_writes_nothing() {
    let shop = Shop::new();
    let words = ["-w", FRONT_END, "--update-all-images"];
    let dry = release(&shop, &[&words[..], &["--dry-run"]].concat());
    assert_eq!(dry["revision"], Value::Null);
    assert_eq!(shop.messages().len(), 1);
    let real = release(&shop, &words);
    assert_eq!(dry["id"], real["id"], "a dry run is no input of the id");
    assert_eq!(dry["base"], real["base"]);
    assert!(real["revision"].is_string());
}

#[test]
fn a_second_release_is_up_to_date_and_makes_no_commit() {
    let shop = Shop::new();
    let words = ["-w", FRONT_END, "--update-all-images"];
    release(&shop, &words);
    let report = release(&shop, &words);
    let verdict = &report["workloads"][FRONT_END];
    assert_eq!(verdict["status"], "skipped");
    assert_eq!(verdict["message"], "image(s) up to date");
    assert_eq!(verdict["reason"], "up-to-date");
    assert_eq!(verdict["containers"][0]["target"], Value::Null);
    assert_eq!((report["revision"].clone(), report["edits"].clone()), (Value::Null, json!([])));
    assert_eq!(shop.messages().len(), 2);
    let words = [&["release"], &words[..], &["--fail-if-unchanged"]].concat();
    shop.fluxctl(&words).exits(3);
}

#[test]
fn a_named_image_is_released_to_older_tags_too() {
    let shop = Shop::new();
    release(&shop, &["-w", FRONT_END, "--update-all-images"]);
    let report = release(
        &shop,
        &[
            "-w",
            FRONT_END,
            "-i",
            "weaveworksdemos/front-end:0.2.0",
            "--user",
            "Ada <ada@example.com>",
            "-m",
            "Back",
        ],
    );
    assert_eq!(report["workloads"][FRONT_END]["status"], "success");
    assert!(shop.file("sock-shop/front-end-dep.yaml").contains("front-end:0.2.0 # what runs"));
    assert_eq!(shop.messages()[0], "Back");
    let report = release(&shop, &["--all", "-i", "weaveworksdemos/user:0.2.0", "--dry-run"]);
    assert_eq!(report["workloads"]["sock-shop:deployment/user"]["status"], "success");
    assert_eq!(report["workloads"][FRONT_END]["message"], "a different image");
}

#[test]
fn locks_exclusions_and_inclusion_follow_v1() {
    let shop = Shop::new();
    let report = release(&shop, &["--all", "--update-all-images", "--exclude", FRONT_END, "--dry-run"]);
    let of = |name: &str| report["workloads"][format!("sock-shop:deployment/{name}")].clone();
    assert_eq!(
        (of("front-end")["status"].clone(), of("front-end")["message"].clone()),
        (json!("ignored"), json!("excluded"))
    );
    assert_eq!(
        (of("rabbitmq")["status"].clone(), of("rabbitmq")["message"].clone()),
        (json!("skipped"), json!("locked"))
    );
    assert_eq!(report["workloads"].as_object().expect("a map").len(), 13);
    let report =
        release(&shop, &["-w", "deployment/cart", "-n", "sock-shop", "--update-all-images", "--dry-run"]);
    assert_eq!(report["workloads"][FRONT_END]["message"], "not included");
    let forced = ["-w", "sock-shop:deployment/rabbitmq", "-i", "rabbitmq:3.6.5", "--dry-run"];
    assert_eq!(release(&shop, &forced)["workloads"]["sock-shop:deployment/rabbitmq"]["reason"], "locked");
    let report = release(&shop, &[&forced[..], &["--force"]].concat());
    assert_eq!(report["workloads"]["sock-shop:deployment/rabbitmq"]["status"], "success");
}

#[test]
fn automation_has_a_verdict_for_each_automated_workload_and_no_other() {
    let shop = Shop::new();
    let id = "sock-shop:deployment/catalogue";
    let report = release(&shop, &["--automated"]);
    assert_eq!(report["workloads"].as_object().expect("a map").keys().collect::<Vec<_>>(), [id]);
    assert_eq!(report["workloads"][id]["reason"], "up-to-date");
    shop.images(&crate::sock_shop::images_yaml(&[
        ("weaveworksdemos/catalogue", "0.2.1", "2016-11-18T16:30:00Z"),
        ("weaveworksdemos/catalogue", "0.3.0", "2016-11-18T16:31:00Z"),
    ]));
    let report = release(&shop, &["--automated"]);
    assert_eq!(report["workloads"][id]["containers"][0]["target"], "weaveworksdemos/catalogue:0.2.1");
    assert_eq!(shop.messages()[0], "Auto-release weaveworksdemos/catalogue:0.2.1");
}

#[test]
fn two_releases_racing_on_one_repository_both_land() {
    let shop = Shop::new();
    let start = |name: &str, image: &str| {
        let mut command = shop.command("fluxctl");
        command.args(["--cluster", "memory", "release", "-i", image, "-w", name]);
        // Each has a cache of its own, as on two machines.
        command.arg("--cache-dir").arg(shop.path(&format!("cache-{}", name.replace(['/', ':'], "-"))));
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        command.spawn().expect("fluxctl starts")
    };
    for round in 0..3 {
        let commits = shop.messages().len();
        let (front_end, user) = match round % 2 {
            0 => ("weaveworksdemos/front-end:snapshot", "weaveworksdemos/user:0.2.0"),
            _ => ("weaveworksdemos/front-end:0.2.0", "weaveworksdemos/user:0.3.0"),
        };
        let running = [start(FRONT_END, front_end), start("sock-shop:deployment/user", user)];
        for child in running {
            let output = child.wait_with_output().expect("fluxctl ends");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        assert_eq!(shop.messages().len(), commits + 2);
        assert!(shop.file("sock-shop/front-end-dep.yaml").contains(front_end));
        assert!(shop.file("sock-shop/user-dep.yaml").contains(user));
    }
}

#[test]
fn a_workload_whose_containers_cannot_all_be_edited_is_left_as_it_is() {
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: two, namespace: shop}\nspec:\n  template:\n    spec:\n      containers:\n      - name: plain\n        \
                image: weaveworksdemos/user:0.2.0\n      - name: shared\n        image: &shared weaveworksdemos/cart:0.2.0\n      - name: other\n        env: [{name: IMAGE, value: *shared}]\n        \
                image: rabbitmq:3\n";
    let shop = Shop::with(vec![("two.yaml".to_owned(), text.to_owned())]);
    let id = "shop:deployment/two";
    let words = ["release", "-w", id, "--update-all-images", "-o", "json"];
    let report = shop.fluxctl(&words).exits(1).json();
    assert_eq!(
        (&report["workloads"][id]["status"], &report["edits"], &report["revision"]),
        (&json!("failed"), &json!([]), &Value::Null)
    );
    assert_eq!(shop.file("two.yaml"), text);
}

#[test]
fn what_policy_leaves_alone_is_reported_as_such_on_an_in_memory_cluster_too() {
    let shop = Shop::new();
    let path = "sock-shop/user-dep.yaml".to_owned();
    let text = shop.file(&path).replace(
        "  namespace: sock-shop\n",
        "  namespace: sock-shop\n  annotations: {fluxcd.io/ignore: 'true'}\n",
    );
    shop.commit(&[(path, text)], "Leave the user alone");
    let id = "sock-shop:deployment/user";
    let report = release(&shop, &["-w", id, "-i", "weaveworksdemos/user:0.2.0", "--dry-run"]);
    assert_eq!(
        (&report["workloads"][id]["status"], &report["workloads"][id]["message"]),
        (&json!("skipped"), &json!("ignore"))
    );
    let report = release(&shop, &["-w", id, "-i", "weaveworksdemos/user:0.2.0", "--dry-run", "--force"]);
    assert_eq!(report["workloads"][id]["status"], "success");
}
