//! Releases of generated workloads: by updaters and by patch files.

use super::*;

#[test]
fn an_updater_changes_what_the_commands_read_and_the_change_is_the_commit() {
    let shop = generated(COMMANDS);
    let words = ["release", "-w", WEB, "--update-all-images", "-o", "json"];
    let dry = run(&shop, &[&words[..], &["--dry-run"]].concat()).exits(0).json();
    assert_eq!(shop.file("prod/values.env"), VALUES);
    let report = run(&shop, &words).exits(0).json();
    assert_eq!(dry["id"], report["id"]);
    assert_eq!(report["workloads"][WEB]["containers"][0]["target"], "example/web:1.1");
    assert_eq!(report["edits"], serde_json::json!([]));
    assert_eq!(report["generated"][0]["after"], "example/web:1.1");
    assert_eq!(shop.file("prod/values.env"), VALUES.replace("1.0", "1.1"));
    assert_eq!(shop.messages().len(), 2);
    let again = run(&shop, &words).exits(0).json();
    assert_eq!(again["workloads"][WEB]["reason"], "up-to-date");
}

#[test]
fn an_update_without_the_intended_effect_is_not_landed() {
    for (updater, why) in [
        ("true", "changed no file"),
        ("exit 3", "prod/.flux.yaml:6:7: `exit 3` failed with exit status: 3"),
        ("echo TAG=9.9 >> values.env", "9.9"),
        ("sed -i \"s|TAG=.*|TAG=$FLUX_TAG\\nNAMESPACE=other|\" values.env", "other"),
        ("rm values.env", "took prod/values.env away"),
        ("sed -i s/1.0/1.1/ values.env; ln -s values.env link", "prod/link, which is new, cannot be added"),
        (
            "sed -i s/1.0/1.1/ values.env; for i in $(seq 1001); do echo > $i.txt; done",
            "more than 1000 files",
        ),
        ("sed -i s/1.0/1.1/ values.env; head -c 17000000 /dev/zero > zero", "16777216 bytes"),
    ] {
        let text = format!(
            "version: 1\ncommandUpdated:\n  generators: [{{command: ./render.sh}}]\n  updaters:\n  - containerImage:\n      command: |\n        {updater}\n"
        );
        let shop = generated(&text);
        let report = run(&shop, &["release", "-w", WEB, "--update-all-images", "-o", "json"]).exits(1).json();
        assert_eq!(report["workloads"][WEB]["reason"], "not-editable", "{updater}");
        assert!(report["workloads"].to_string().contains(why), "{updater}: {}", report["workloads"]);
        // A command that failed is named with its line.
        assert_eq!(why.starts_with("prod/.flux.yaml:6:"), updater.starts_with("exit"), "{updater}");
        assert_eq!(shop.messages().len(), 1, "{updater}");
    }
}

#[test]
fn a_patch_file_holds_what_differs_from_what_is_generated() {
    let shop = generated(PATCHES);
    run(&shop, &["release", "-w", WEB, "--update-all-images"]).exits(0);
    let patch = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: shop\nspec:\n  template:\n    spec:\n      containers:\n      - image: example/web:1.1\n        name: web\n";
    assert_eq!(shop.file("prod/flux-patch.yaml"), patch);
    assert_eq!(shop.file("prod/values.env"), VALUES);
    let listed = run(&shop, &["list-workloads", "-o", "json"]).exits(0).json();
    assert_eq!(listed[0]["containers"][0]["image"], "example/web:1.1");
}

#[test]
fn what_an_updater_adds_is_committed_but_for_what_git_ignores() {
    let render = RENDER.replace(". ./values.env", ". ./values.env; ! [ -f tags/web ] || . ./tags/web");
    let flux_yaml = "version: 1\ncommandUpdated:\n  generators:\n  - command: ./render.sh; echo > left-behind.txt\n  updaters:\n  - containerImage:\n      command: mkdir -p tags empty .git; echo TAG=$FLUX_TAG > tags/web; echo > tags/web.bak; echo > .git/config\n";
    let shop = shop(&[
        (".gitignore", "*.bak\n"),
        ("prod/.flux.yaml", flux_yaml),
        ("prod/render.sh", &render),
        ("prod/values.env", VALUES),
    ]);
    let words = ["--manifest-generation", "--git-path", "prod", "release", "-w", WEB, "--update-all-images"];
    shop.fluxctl(&[&words[..], &["--dry-run"]].concat()).exits(0);
    assert_eq!(shop.files().len(), 4);
    shop.fluxctl(&words).exits(0);
    assert_eq!(
        shop.files(),
        [".gitignore", "prod/.flux.yaml", "prod/render.sh", "prod/tags/web", "prod/values.env"]
    );
    assert_eq!(shop.file("prod/tags/web"), "TAG=1.1\n");
    let listed = ["--manifest-generation", "--git-path", "prod", "list-workloads", "-o", "json"];
    assert_eq!(shop.fluxctl(&listed).exits(0).json()[0]["containers"][0]["image"], "example/web:1.1");
}

#[test]
fn a_patch_file_that_is_not_there_is_made_with_its_folder() {
    let flux_yaml = PATCHES.replace("flux-patch.yaml", "patches/of flux.yaml");
    let files =
        [("prod/.flux.yaml", flux_yaml.as_str()), ("prod/render.sh", RENDER), ("prod/values.env", VALUES)];
    let words = ["--manifest-generation", "--git-path", "prod", "release", "-w", WEB, "--update-all-images"];
    let made = shop(&files);
    made.fluxctl(&words).exits(0);
    assert!(made.file("prod/patches/of flux.yaml").contains("image: example/web:1.1"));
    let flux_yaml = PATCHES.replace("flux-patch.yaml", "values.env/patch.yaml");
    let files = [("prod/.flux.yaml", flux_yaml.as_str()), files[1], files[2]];
    let refused = shop(&files);
    let report = refused.fluxctl(&[&words[..], &["-o", "json"]].concat()).exits(1).json();
    assert!(
        report["workloads"].to_string().contains("prod/values.env is a file or a link, no folder"),
        "{report}"
    );
    assert_eq!(refused.messages().len(), 1);
}

#[test]
fn policies_are_changed_where_images_are() {
    let shop = generated(COMMANDS);
    run(&shop, &["deautomate", "-w", WEB]).exits(0);
    assert_eq!(shop.file("prod/values.env"), VALUES.replace("=true", "=false"));
    let shop = generated(PATCHES);
    run(&shop, &["lock", "-w", WEB, "-m", "not now"]).exits(0);
    assert!(shop.file("prod/flux-patch.yaml").contains("    fluxcd.io/locked: \"true\"\n"));
    let listed = run(&shop, &["list-workloads", "-o", "json"]).exits(0).json();
    assert_eq!(listed[0]["policies"]["locked_msg"], "not now");
}

#[test]
fn an_update_that_would_change_another_path_too_is_not_landed() {
    let render = RENDER.replace(". ./values.env", ". ../values.env; NAMESPACE=$(basename \"$PWD\")");
    let flux_yaml = COMMANDS.replace("./render", "../render").replace("values.env", "../values.env");
    let files = [
        (".flux.yaml", flux_yaml.as_str()),
        ("render.sh", render.as_str()),
        ("values.env", VALUES),
        ("dev/README", ""),
        ("live/README", ""),
    ];
    let (dev, live) = ("dev:deployment/web", "live:deployment/web");
    let shop = shop(&files);
    let release = |which: &[&str]| {
        let flags = ["--manifest-generation", "--git-path", "dev,live", "release", "--update-all-images"];
        shop.fluxctl(&[&flags[..], which, &["-o", "json"]].concat())
    };
    let report = release(&["-w", live]).exits(1).json();
    assert!(report["workloads"][live].to_string().contains(dev), "{}", report["workloads"]);
    assert_eq!(shop.messages().len(), 1);
    // Both together have the full effect of the file.
    release(&["-w", live, "-w", dev]).exits(0);
    assert_eq!(shop.file("values.env"), VALUES.replace("1.0", "1.1"));
}

#[test]
fn a_patch_for_nothing_is_reported_at_its_place() {
    let shop = generated(PATCHES);
    let patch = "# patches\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: ghost}\n";
    shop.commit(&[("prod/flux-patch.yaml".to_owned(), patch.to_owned())], "Patch a ghost");
    let found = run(&shop, &["check", "-o", "json"]).exits(1).json();
    assert_eq!(codes(&found), ["generation-failed"]);
    assert_eq!(
        found[0]["place"],
        serde_json::json!({"path": "prod/flux-patch.yaml", "line": 2, "column": 1})
    );
}
