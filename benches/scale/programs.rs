//! The reference binaries, as they are released.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The folder of `fluxctl` and `fluxd`.
#[derive(Clone, Debug)]
pub(crate) struct Programs(PathBuf);

impl Programs {
    /// Returns those in the folder that `FLUX_BIN` names, or builds them.
    ///
    /// Cargo builds nothing if they are up to date.
    pub(crate) fn find(release: bool) -> Self {
        if let Some(folder) = std::env::var_os("FLUX_BIN").filter(|folder| !folder.is_empty()) {
            return Self(PathBuf::from(folder));
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command.args(["build", "--quiet", "--example", "fluxctl", "--example", "fluxd"]);
        // With the features of this build, so that nothing is compiled twice.
        if cfg!(feature = "testing") {
            command.arg("--all-features");
        }
        if release {
            command.arg("--release");
        }
        let status = command.status().expect("cargo runs");
        assert!(status.success(), "the reference binaries cannot be built");
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
        Self(target.join(if release { "release" } else { "debug" }).join("examples"))
    }

    /// Returns the path of one of them.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        assert!(
            path.is_file(),
            "there is no {}; FLUX_BIN names the folder of fluxctl and fluxd",
            path.display()
        );
        path
    }
}
