//! Private images, by the credential helper that a Docker configuration names.

use std::{ffi::OsString, fs, os::unix::fs::PermissionsExt as _};

use crate::{
    ran::Ran,
    world::{Deployment, Transport, World},
};

#[test]
fn private_images_are_read_with_the_login_that_a_credential_helper_keeps() {
    let Some(world) = World::behind_a_login(Transport::Http) else { return };
    world.push("web", "1.0", "2026-01-01T00:00:00Z");
    world.push("web", "1.1", "2026-02-01T00:00:00Z");
    let image = format!("{}:1.0", world.image("web"));
    let annotations = "  annotations: {fluxcd.io/tag.web: 'semver:*'}\n";
    let web = Deployment { name: "web", image: &image, annotations, replicas: Some(0) };
    world.commit(&[("web.yaml", &world.deployment(&web))], "Describe the shop");
    world.fluxctl(&["sync"]).exits(0);

    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = folder.path().join("docker-credential-flux-test");
    let (host, user, password) = (world.registry.host(), world.registry.user(), world.registry.password());
    let script = format!(
        "#!/bin/sh\nread -r host\necho \"$1 $host\" >> {calls}\nif [ \"$host\" = {host} ]; then\n  \
         echo '{{\"ServerURL\":\"{host}\",\"Username\":\"{user}\",\"Secret\":\"{password}\"}}'\nelse\n  \
         echo 'credentials not found in native keychain'; exit 1\nfi\n",
        calls = folder.path().join("calls").display(),
    );
    fs::write(&program, script).expect("the helper is written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("the helper can be run");

    let id = format!("{}:deployment/web", world.namespace);
    let release = |config: &str| -> Ran {
        fs::write(folder.path().join("config.json"), config).expect("the configuration is written");
        let mut path = OsString::from(folder.path());
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let words = ["release", "-w", &id, "--update-all-images", "--dry-run", "-o", "json"];
        let mut command = world.command("fluxctl");
        command.env("PATH", path).env("DOCKER_CONFIG", folder.path()).args(words);
        command.output().expect("fluxctl runs").into()
    };
    let reason = |report: &serde_json::Value| report["workloads"][&id]["reason"].clone();

    let without = release("{}").json();
    assert_eq!(reason(&without), "registry-unauthorized", "{without}");
    let missing = release(&format!(r#"{{"credHelpers":{{"{host}":"flux-none"}}}}"#)).json();
    let words = missing["findings"].to_string();
    assert!(words.contains("the credential helper `flux-none` cannot be run"), "{missing}");
    for config in
        [format!(r#"{{"credHelpers":{{"{host}":"flux-test"}}}}"#), r#"{"credsStore":"flux-test"}"#.to_owned()]
    {
        let report = release(&config).exits(0).json();
        let container = &report["workloads"][&id]["containers"][0];
        assert_eq!(container["target"], format!("{}:1.1", world.image("web")), "{report}");
    }
    let calls = fs::read_to_string(folder.path().join("calls")).expect("the helper was run");
    assert_eq!(calls, format!("get {host}\n").repeat(2), "once for each run");
}
