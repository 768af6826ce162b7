//! `fluxctl demo`.

use std::process::Command;

use crate::ran::example;

#[test]
fn the_demo_tells_the_whole_story_and_leaves_nothing_behind() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(example("fluxctl"))
        .env_clear()
        .env("HOME", home.path())
        .env("TMPDIR", home.path())
        .arg("demo")
        .output()
        .expect("fluxctl runs");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for expected in [
        "$ fluxctl list-services --namespace=sock-shop",
        "-        image: weaveworksdemos/front-end:0.2.0 # what runs\n+        image: weaveworksdemos/front-end:7f511af2d21fd601b86b3bed7baa6adfa9c8c669 # what runs",
        "image(s) up to date",
        "spec.replicas",
        "Auto-release weaveworksdemos/catalogue:0.2.1",
    ] {
        assert!(text.contains(expected), "the demo does not say {expected:?}:\n{text}");
    }
    let left: Vec<_> = std::fs::read_dir(home.path()).expect("the folder").collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[test]
fn what_is_kept_can_be_gone_on_with() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let kept = home.path().join("kept");
    let run = |words: &[&str]| {
        let output = Command::new(example("fluxctl"))
            .env_clear()
            .env("HOME", home.path())
            .env("FLUX_GIT_URL", kept.join("sock-shop.git"))
            .env("FLUX_IMAGES", kept.join("images.yaml"))
            .env("FLUX_CLUSTER", kept.join("cluster.yaml"))
            .env("FLUX_NOW", "2016-11-18T17:00:00Z")
            .args(words)
            .output()
            .expect("fluxctl runs");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let folder = kept.to_str().expect("text").to_owned();
    assert!(run(&["demo", "--keep", "--folder", &folder]).contains("export FLUX_GIT_URL="));
    // The three command lines of the launch post, as typed.
    assert!(run(&["list-services", "--namespace=sock-shop"]).contains("ready"));
    assert!(run(&["list-images", "--service=sock-shop/front-end"]).contains("'-> 7f511af"));
    let again = run(&["release", "--service=sock-shop/front-end", "--update-all-images"]);
    assert!(again.contains("image(s) up to date"), "{again}");
}
