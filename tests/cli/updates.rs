//! Releases of generated manifests: the intended change and nothing else, or no change.

use crate::generate::{
    PATCHES, RENDER, VALUES, WEB, codes, codes_and_places, generated, run, run_built, shop, with_kustomize,
};

const RELEASE: [&str; 6] = ["release", "-w", WEB, "--update-all-images", "-o", "json"];

const RAW: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain, namespace: shop}\n";

#[test]
fn a_patch_file_is_not_rewritten_unless_all_of_it_was_applied() {
    let good = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {replicas: 7}\n";
    for (rest, place, why) in [
        ("a: [\n", "prod/flux-patch.yaml:6:4", "unclosed"),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: gone}\n",
            "prod/flux-patch.yaml:6:1",
            "default:configmap/gone",
        ),
        ("apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n", "prod/flux-patch.yaml:6:1", "name"),
        ("- a\n", "prod/flux-patch.yaml:6:1", "it is a list"),
        (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nsops: {mac: 'ENC[x]'}\n",
            "prod/flux-patch.yaml:6:1",
            "SOPS",
        ),
    ] {
        let shop = generated(PATCHES);
        let text = format!("{good}---\n{rest}");
        shop.commit(&[("prod/flux-patch.yaml".to_owned(), text.clone())], "Patch");
        let report = run(&shop, &RELEASE).json();
        assert_eq!(shop.file("prod/flux-patch.yaml"), text);
        assert_eq!(shop.messages().len(), 2, "{rest}");
        if rest.contains("sops") {
            // An encrypted file is left alone as a whole.
            assert_eq!(report["workloads"][WEB]["reason"], "encrypted", "{report}");
        } else {
            let verdict = report["workloads"][WEB].to_string();
            assert_eq!(report["workloads"][WEB]["reason"], "not-editable", "{rest}: {report}");
            assert!(verdict.contains(place) && verdict.contains(why), "{rest}: {verdict}");
        }
        assert!(
            codes_and_places(&report["findings"]).iter().any(|line| line.ends_with(place)),
            "{rest}: {report}"
        );
    }
    let shop = generated(PATCHES);
    shop.link("prod/flux-patch.yaml", "../patch.yaml");
    let report = run(&shop, &RELEASE).exits(1).json();
    assert_eq!(codes_and_places(&report["findings"]), ["generation-failed prod/flux-patch.yaml:1:1"]);
    assert_eq!(report["workloads"][WEB]["reason"], "not-editable", "{report}");
    let shop = generated(PATCHES);
    let text = format!("{good}---\n# only a word\n---\n{}", good.replace("replicas: 7", "paused: true"));
    shop.commit(&[("prod/flux-patch.yaml".to_owned(), text)], "Patch twice");
    run(&shop, &RELEASE).exits(0);
    let patch = shop.file("prod/flux-patch.yaml");
    assert!(["replicas: 7", "paused: true", "web:1.1"].iter().all(|line| patch.contains(line)), "{patch}");
}

#[test]
fn an_updater_changes_nothing_that_others_read() {
    let updated = "sed -i s/1.0/1.1/ values.env";
    let kustomization = "printf 'resources: [x.yaml]' > ../raw/kustomization.yaml";
    for (also, why) in [
        ("echo 'a: [' > ../raw/config.yaml", "raw/config.yaml would be changed"),
        ("sed -i s/plain/other/ ../raw/config.yaml", "raw/config.yaml would be changed"),
        ("echo 'a: [' > ../raw/new.yaml", "raw/new.yaml would be changed"),
        (kustomization, "raw/kustomization.yaml would be changed"),
        ("sed -i s,./render,././render, .flux.yaml", "prod/.flux.yaml would be changed"),
        (
            "sed -i s/scan/scam/ ../kept/.flux.yaml",
            "kept/.flux.yaml would be changed, which says how the manifests of kept",
        ),
        ("touch ../raw/Chart.yaml ../raw/values.yaml", "raw/config.yaml would no longer be read"),
        ("echo x > ../raw/notes.txt; echo x > ../README", ""),
    ] {
        let flux_yaml = format!(
            "version: 1\ncommandUpdated:\n  generators: [{{command: ./render.sh}}]\n  updaters:\n  - containerImage:\n      command: |\n        {updated}; {also}\n"
        );
        let shop = shop(&[
            ("prod/.flux.yaml", flux_yaml.as_str()),
            ("prod/render.sh", RENDER),
            ("prod/values.env", VALUES),
            ("raw/config.yaml", RAW),
            ("kept/.flux.yaml", "version: 1\nscanForFiles: {}\n"),
            ("README", "Read it.\n"),
        ]);
        let ran = run(&shop, &[&["--git-path", "kept"], &RELEASE[..]].concat());
        let report = ran.json();
        let verdict = report["workloads"][WEB].to_string();
        assert!(verdict.contains(why), "{also}: {verdict}");
        let (reason, commits) = if why.is_empty() { ("update", 2) } else { ("not-editable", 1) };
        assert_eq!(shop.messages().len(), commits, "{also}: {verdict}");
        assert_eq!(report["workloads"][WEB]["reason"] == "not-editable", reason == "not-editable", "{also}");
    }
}

#[test]
fn an_updater_that_oversteps_stops_no_other() {
    let flux_yaml = |also: &str| {
        format!(
            "version: 1\ncommandUpdated:\n  generators: [{{command: ../render.sh}}]\n  updaters:\n  - containerImage: {{command: \"sed -i s/1.0/1.1/ values.env{also}\"}}\n"
        )
    };
    let (good, bad) = (flux_yaml(""), flux_yaml("; echo 'a: [' > ../raw/config.yaml"));
    let shop = shop(&[
        ("render.sh", RENDER),
        ("dev/.flux.yaml", good.as_str()),
        ("dev/values.env", "TAG=1.0\nNAMESPACE=dev\n"),
        ("live/.flux.yaml", bad.as_str()),
        ("live/values.env", "TAG=1.0\nNAMESPACE=live\n"),
        ("raw/config.yaml", RAW),
    ]);
    let paths = ["--manifest-generation", "--git-path", "dev,live,raw"];
    let report =
        shop.fluxctl(&[&paths[..], &["release", "--all", "--update-all-images", "-o", "json"]].concat());
    let report = report.json();
    assert_eq!(report["workloads"]["live:deployment/web"]["reason"], "not-editable", "{report}");
    assert_eq!(
        report["workloads"]["dev:deployment/web"]["containers"][0]["target"], "example/web:1.1",
        "{report}"
    );
    assert_eq!(shop.file("dev/values.env"), "TAG=1.1\nNAMESPACE=dev\n");
    assert_eq!(shop.file("live/values.env"), "TAG=1.0\nNAMESPACE=live\n");
    assert_eq!(shop.file("raw/config.yaml"), RAW);
}

/// Builds a deployment with the tag of `newTag`, and what `more` prints.
fn build(more: &str) -> String {
    format!(
        "#!/bin/sh\nTAG=$(sed -n 's/.*newTag: //p' kustomization.yaml | tr -d '\"')\ncat <<END\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: shop}}\nspec: {{template: {{spec: {{containers: [{{name: web, image: 'example/web:$TAG'}}]}}}}}}\n---\n{more}\nEND\n"
    )
}

#[test]
fn of_what_kustomize_builds_nothing_but_the_image_may_change() {
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {template: {spec: {containers: [{name: web, image: 'example/web:1.0'}]}}}\n";
    let of = |head: &str, tail: &str| {
        format!("apiVersion: {head}\nmetadata: {{name: other, namespace: shop}}\n{tail}")
    };
    let job = "batch/v1\nkind: Job";
    for (more, why) in [
        (of("v1\nkind: ConfigMap", "data: {it: same}"), None),
        // What is replaced by another rule, and what is no workload but has an image.
        (
            of(
                "apps/v1\nkind: Deployment",
                "spec: {template: {spec: {containers: [{name: c, image: 'example/other:1', env: [{name: A, value: 'v$TAG'}]}]}}}",
            ),
            Some("`/spec/template/spec/containers/0/env/0/value` of shop:deployment/other"),
        ),
        (
            of("example.com/v1\nkind: Oven", "spec: {containers: [{image: 'example/web:$TAG'}]}"),
            Some("`/spec/containers/0/image` of shop:oven/other"),
        ),
        (of("v1\nkind: Secret", "stringData: {tag: '$TAG'}"), Some("`/stringData/tag` of shop:secret/other")),
        // A Job takes its image from the same place, and may change too.
        (of(job, "spec: {template: {spec: {containers: [{name: c, image: 'example/web:$TAG'}]}}}"), None),
        (
            of(job, "spec: {template: {spec: {containers: [{name: c, image: 'example/other:$TAG'}]}}}"),
            Some("shop:job/other would have `example/other:1.1`"),
        ),
        (
            of("v1\nkind: ConfigMap", "data: {it: same}").replace("name: other", "name: 'of-$TAG'"),
            Some("shop:configmap/of-1."),
        ),
    ] {
        let shop = shop(&[
            (
                "prod/kustomization.yaml",
                "resources: [web.yaml]\nimages:\n- name: example/web\n  newTag: \"1.0\"\n",
            ),
            ("prod/web.yaml", deployment),
        ]);
        let path = with_kustomize(&shop, &build(&more));
        let report = run_built(&shop, &path, &RELEASE).json();
        match why {
            Some(why) => {
                let verdict = &report["workloads"][WEB];
                assert_eq!(verdict["reason"], "not-editable", "{more}: {report}");
                assert!(verdict.to_string().contains(why), "{more}: {verdict}");
                assert_eq!(shop.messages().len(), 1, "{more}");
            }
            None => {
                assert_eq!(shop.messages().len(), 2, "{more}: {report}");
                assert!(shop.file("prod/kustomization.yaml").ends_with("newTag: \"1.1\"\n"), "{more}");
            }
        }
    }
}

#[test]
fn what_commands_make_may_follow_in_what_is_no_image() {
    let render = RENDER.replace(
        "END\napi",
        "END\napiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate, namespace: shop, labels: {version: '$TAG'}}\nspec: {template: {spec: {containers: [{name: web, image: 'example/web:$TAG'}]}}}\n---\napi",
    );
    let shop = generated(crate::generate::COMMANDS);
    shop.commit(&[("prod/render.sh".to_owned(), render)], "Migrate");
    run(&shop, &RELEASE).exits(0);
    assert_eq!(shop.file("prod/values.env"), VALUES.replace("1.0", "1.1"));
}

#[test]
fn what_no_patch_changes_is_read_as_it_was_printed() {
    let release = "apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata: {name: chart, namespace: shop}\nspec: {values: {image: {repository: example/web, tag: 1.10}}}\n";
    let shop = generated(PATCHES);
    let render = RENDER.replace("END\napi", &format!("END\n{release}---\napi"));
    let patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {replicas: 2}\n";
    let files =
        [("prod/render.sh".to_owned(), render), ("prod/flux-patch.yaml".to_owned(), patch.to_owned())];
    shop.commit(&files, "Add a release");
    let listed = run(&shop, &["list-workloads", "-o", "json"]).exits(0).json();
    let images: Vec<&str> = listed
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|workload| workload["containers"][0]["image"].as_str())
        .collect();
    assert_eq!(images, ["example/web:1.0", "example/web:1.10"]);
    let found = run(&shop, &["check", "-o", "json"]).exits(0).json();
    assert!(codes(&found).is_empty(), "{found}");
}

/// Two objects that differ only in the API group, each with a line of its own for its image.
const GROUPS: &str = "#!/bin/sh
. ./values.env
for at in helm.fluxcd.io/v1=$OLD helm.toolkit.fluxcd.io/v2=$NEW; do
printf -- '---\\napiVersion: %s\\nkind: HelmRelease\\nmetadata: {name: web}\\nspec: {values: {image: \"example/web:%s\"}}\\n' ${at%=*} ${at#*=}
done
";

#[test]
fn kinds_that_differ_only_in_the_api_group_are_distinguished() {
    let (old, new) =
        ("default:helmrelease.helm.fluxcd.io/web", "default:helmrelease.helm.toolkit.fluxcd.io/web");
    let commands = |key: &str| {
        format!(
            "version: 1\ncommandUpdated:\n  generators: [{{command: ./render.sh}}]\n  updaters:\n  - containerImage: {{command: 'sed -i \"s/^{key}=.*/{key}=$FLUX_TAG/\" values.env'}}\n"
        )
    };
    let patches =
        "version: 1\npatchUpdated: {generators: [{command: ./render.sh}], patchFile: p.yaml}\n".to_owned();
    for (id, flux_yaml, lands) in [
        (old, commands("OLD"), true),
        (new, commands("NEW"), true),
        (old, patches.clone(), true),
        (new, patches, true),
        // The updater changes the other one.
        (old, commands("NEW"), false),
        (new, commands("OLD"), false),
    ] {
        let shop = shop(&[
            ("prod/.flux.yaml", &flux_yaml),
            ("prod/render.sh", GROUPS),
            ("prod/values.env", "OLD=1.0\nNEW=1.0\n"),
        ]);
        let run = |words: &[&str]| {
            shop.fluxctl(&[&["--manifest-generation", "--git-path", "prod"], words].concat())
        };
        let ran =
            run(&["release", "-w", id, "--update-all-images", "-o", "json"]).exits(i32::from(!lands)).json();
        assert_eq!(ran["revision"].is_string(), lands, "{id}: {ran:#}");
        let listed = run(&["list-workloads", "-o", "json"]).exits(0).json();
        for workload in listed.as_array().expect("workloads") {
            let tag = if lands && workload["id"] == id { "1.1" } else { "1.0" };
            assert_eq!(workload["containers"][0]["image"], format!("example/web:{tag}"), "{id}: {listed:#}");
        }
    }
}
