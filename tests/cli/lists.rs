//! `fluxctl list-workloads` and `fluxctl list-images`.

use serde_json::json;

use crate::shop::Shop;

#[test]
fn workloads_are_listed_with_images_status_and_policies() {
    let shop = Shop::new();
    let list = shop.fluxctl(&["list-workloads", "-o", "json"]).exits(0).json();
    assert_eq!(list.as_array().expect("an array").len(), 13);
    assert_eq!(
        list[2],
        json!({
            "id": "sock-shop:deployment/catalogue",
            "containers": [{"name": "catalogue", "image": "weaveworksdemos/catalogue:0.2.0"}],
            "status": "ready",
            "policies": {"automated": "true", "tag.catalogue": "semver:~0.2"},
        })
    );
    let none = shop.fluxctl(&["-o", "json", "list-services", "-n", "elsewhere"]).exits(0).json();
    assert_eq!(none, json!([]));
}

#[test]
fn the_table_of_workloads_reads_as_v1s() {
    let shop = Shop::new();
    let table = shop.fluxctl(&["list-services", "--namespace=sock-shop", "-o", "tab"]).exits(0).stdout;
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["WORKLOAD", "CONTAINER", "IMAGE", "RELEASE", "POLICY"]);
    assert_eq!(
        lines[3],
        [
            "sock-shop:deployment/catalogue",
            "catalogue",
            "weaveworksdemos/catalogue:0.2.0",
            "ready",
            "automated"
        ]
    );
}

#[test]
fn images_are_listed_newest_first_with_what_the_pattern_takes() {
    let shop = Shop::new();
    let list = shop.fluxctl(&["list-images", "--service=sock-shop/front-end", "-o", "json"]).exits(0).json();
    let container = &list[0]["containers"][0];
    assert_eq!(list[0]["id"], "sock-shop:deployment/front-end");
    assert_eq!(container["current"], "weaveworksdemos/front-end:0.2.0");
    let available = container["available"].as_array().expect("tags");
    let tags: Vec<&str> = available.iter().map(|t| t["tag"].as_str().expect("a tag")).collect();
    assert_eq!(tags[..3], ["7f511af2d21fd601b86b3bed7baa6adfa9c8c669", "latest", "snapshot"]);
    assert_eq!(tags.last(), Some(&"0.2.0"));
    let of = |tag: &str| &available[tags.iter().position(|t| *t == tag).expect("the tag")];
    assert_eq!(
        *of("latest"),
        json!({"tag": "latest", "created": "2016-11-18T16:00:00Z", "digest": null, "matches": false})
    );
    assert_eq!(of("snapshot")["matches"], true);
}

#[test]
fn the_table_of_images_marks_the_running_one_and_is_elided() {
    let shop = Shop::new();
    let table = shop.fluxctl(&["list-images", "--service=sock-shop/front-end"]).exits(0).stdout;
    insta::assert_snapshot!(table, @"
    WORKLOAD                        CONTAINER  IMAGE                                         CREATED
    sock-shop:deployment/front-end  front-end  weaveworksdemos/front-end
                                               |   7f511af2d21fd601b86b3bed7baa6adfa9c8c669  18 Nov 16 16:00 UTC
                                               |   latest                                    18 Nov 16 16:00 UTC
                                               |   snapshot                                  18 Nov 16 16:00 UTC
                                               |   16007dddd86b2ebb41d8880c53b77580cab13f02  18 Nov 16 11:23 UTC
                                               |   a0eaf8c8ffc0b81c2199adaf7d67466891bb3205  17 Nov 16 10:22 UTC
                                               |   1b664cc81d9cf25b213000686a9e8d6477ae1b06  16 Nov 16 20:31 UTC
                                               |   ce1efe59c32d3c53344defdda4d5b643272022b8  16 Nov 16 20:29 UTC
                                               |   4c33b216ae902ad89b9c3ca30a99a44833d16d5b  10 Nov 16 21:34 UTC
                                               |   7015587783bc8f7a9c3d5cfa51e5a257fe188c4b  10 Nov 16 11:34 UTC
                                               |   4d3ea2896c81e40a630d36cdc29ce740e7617016  10 Nov 16 11:30 UTC
                                               :   ...                                       (2 more)
                                               '-> 0.2.0                                     09 Nov 16 10:26 UTC
    ");
}

#[test]
fn a_workload_that_is_not_there_is_reported() {
    let shop = Shop::new();
    let ran = shop.fluxctl(&["list-images", "-w", "sock-shop:deployment/nothing"]).exits(1);
    assert!(ran.stderr.contains("sock-shop:deployment/nothing"), "{}", ran.stderr);
}

/// A repository with an image, a newer one, and artifacts beside them.
const BESIDE: &str = "weaveworksdemos/front-end:
- {tag: 0.2.0, created: 2016-11-09T10:26:00Z}
- {tag: 0.3.0, created: 2016-11-10T10:26:00Z}
- {tag: zz-cache, artifact: build-cache}
- {tag: 1.0.0, artifact: helm-chart}
- {tag: sha256-44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a.sig}
";

#[test]
fn artifacts_are_listed_for_what_they_are_and_decide_nothing() {
    let shop = Shop::new();
    shop.images(BESIDE);
    let ran = shop.fluxctl(&["list-images", "--service=sock-shop/front-end"]).exits(0);
    insta::assert_snapshot!(ran.stdout, @"
    WORKLOAD                        CONTAINER  IMAGE                                                                            CREATED
    sock-shop:deployment/front-end  front-end  weaveworksdemos/front-end
                                               |   0.3.0                                                                        10 Nov 16 10:26 UTC
                                               '-> 0.2.0                                                                        09 Nov 16 10:26 UTC
                                                   1.0.0                                                                        a Helm chart
                                                   sha256-44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a.sig  a signature
                                                   zz-cache                                                                     a build cache
    ");
    assert_eq!(ran.stderr, "");
    let words = ["release", "-w", "sock-shop:deployment/front-end", "--update-all-images", "-o", "json"];
    let report = shop.fluxctl(&words).exits(0).json();
    let container = &report["workloads"]["sock-shop:deployment/front-end"]["containers"][0];
    assert_eq!(container["target"], "weaveworksdemos/front-end:0.3.0");
    assert_eq!(report["findings"], json!([]));
    let explain = ["explain", "-w", "sock-shop:deployment/front-end"];
    let table = shop.fluxctl(&explain).exits(0).stdout;
    assert!(table.contains("it is a signature, as its name tells"), "{table}");
}
