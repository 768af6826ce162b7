//! Cost follows change: a second call on an unmoved tip reads and parses nothing.

use crate::shop::Shop;

/// Returns the cost of a command from its log: files at the revision, files parsed.
fn cost(shop: &Shop) -> (String, String) {
    let output = shop
        .command("fluxctl")
        .env("RUST_LOG", "flux_core=debug")
        .args(["--cluster", shop.path("cluster.yaml").to_str().expect("text"), "list-workloads"])
        .output()
        .expect("fluxctl runs");
    let log = String::from_utf8(output.stderr).expect("text");
    let field = |name: &str| {
        let at = log.find(&format!("{name}=")).unwrap_or_else(|| panic!("no {name} in {log}"));
        log[at + name.len() + 1..].split(|c: char| !c.is_ascii_digit()).next().expect("a number").to_owned()
    };
    (field("files"), field("parsed"))
}

#[test]
fn a_second_call_on_an_unmoved_tip_parses_nothing_and_a_commit_only_what_it_changed() {
    let shop = Shop::new();
    let pair = |files: &str, parsed: &str| (files.to_owned(), parsed.to_owned());
    assert_eq!(cost(&shop), pair("14", "14"));
    assert_eq!(cost(&shop), pair("14", "0"));
    let path = "sock-shop/cart-dep.yaml".to_owned();
    let text = shop.file(&path).replace("replicas: 1", "replicas: 2");
    shop.commit(&[(path, text)], "Two carts");
    assert_eq!(cost(&shop), pair("14", "1"));
    assert_eq!(cost(&shop), pair("14", "0"));
}
