//! `fluxd` follows a pushed image to the cluster, with no hand.

use std::process::{Child, Command, Stdio};

use crate::world::{Deployment, Transport, World};

/// A daemon that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

#[test]
fn fluxd_follows_a_push_and_undoes_a_hand_edit() {
    let Some(world) = World::new(Transport::Http) else { return };
    world.push("catalogue", "0.2.0", "2016-11-08T09:12:00Z");
    let image = world.image("catalogue");
    let deployment = Deployment {
        name: "catalogue",
        image: &format!("{image}:0.2.0"),
        annotations: "  annotations:\n    fluxcd.io/automated: \"true\"\n    fluxcd.io/tag.catalogue: semver:~0.2\n",
        replicas: Some(1),
    };
    world.commit(&[("shop/catalogue.yaml", &world.deployment(&deployment))], "Describe the catalogue");

    let mut command = world.command("fluxd");
    command.args(["--sync-interval", "1s", "--git-poll-interval", "1s", "--automation-interval", "1s"]);
    let _daemon = Running(command.stderr(Stdio::inherit()).spawn().expect("fluxd starts"));

    world.kubectl(&["wait", "deployment/catalogue", "--for=create", "--timeout=60s"]);
    world.rolled_out("catalogue");
    world.push("catalogue", "0.2.1", "2016-11-18T16:30:00Z");
    let wanted = format!("--for=jsonpath={{.spec.template.spec.containers[0].image}}={image}:0.2.1");
    world.kubectl(&["wait", "deployment/catalogue", &wanted, "--timeout=60s"]);
    world.rolled_out("catalogue");

    let patch = r#"{"spec":{"replicas":4}}"#;
    world.kubectl(&["patch", "deployment", "catalogue", "--field-manager=kubectl-edit", "-p", patch]);
    world.kubectl(&["wait", "deployment/catalogue", "--for=jsonpath={.spec.replicas}=1", "--timeout=60s"]);
}
