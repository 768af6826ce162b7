//! One run of the tests: its folder, its programs, and the servers its processes share.
//!
//! The files of a server `NAME` are in `RUN/NAME/`: `lock` is held while it is looked up or
//! started, `state.json` says how to reach it once it is ready, and `failed` why it could not be
//! started. The first process that asks starts it; the others read.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::{Failure, Result, must};
use crate::real::real;

/// The run this process belongs to.
#[derive(Debug)]
pub(crate) struct Run {
    dir: PathBuf,
    bin: Option<PathBuf>,
    kube_assets: Option<PathBuf>,
}

impl Run {
    pub(crate) fn from_env() -> Result<Self> {
        let path = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let dir = path("FLUX_TEST_RUN_DIR").ok_or_else(|| {
            Failure(
                "FLUX_TEST_REAL is set but FLUX_TEST_RUN_DIR is not: start these tests with tests/run".into(),
            )
        })?;
        Ok(Self { dir, bin: path("FLUX_TEST_BIN"), kube_assets: path("KUBEBUILDER_ASSETS") })
    }

    /// Returns the folder of a server of one test alone.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Returns the folder of the ids of started processes, which the end of the run reads.
    pub(crate) fn pids(&self) -> PathBuf {
        self.dir.join("pids")
    }

    /// Returns the path of a server that `tests/run` built.
    ///
    /// The three servers that envtest has come from `KUBEBUILDER_ASSETS` first.
    pub(crate) fn built(&self, program: &str) -> Result<PathBuf> {
        let assets =
            self.kube_assets.iter().filter(|_| ["etcd", "kube-apiserver", "kubectl"].contains(&program));
        assets
            .chain(&self.bin)
            .map(|folder| folder.join(program))
            .find(|p| p.is_file())
            .ok_or_else(|| Failure(format!("no {program} in FLUX_TEST_BIN: `tests/run --prepare` builds it")))
    }
}

/// Returns the path of a program of the system, also where only root has it in the search path.
pub(crate) fn installed(program: &str, package: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(more)
        .map(|folder| folder.join(program))
        .find(|p| p.is_file())
        .ok_or_else(|| {
            Failure(format!("{program} is missing: install {package}, or let `tests/run --prepare` do it"))
        })
}

/// Returns the server `name` of this run, and starts it if no other process did.
///
/// Where servers are not required it prints that the test is skipped and returns `None`.
///
/// # Panics
/// A required server cannot be started; the message has the path of its log.
#[track_caller]
pub(crate) fn shared<S>(name: &str, start: fn(&Run, &Path) -> Result<S>) -> Option<S>
where
    S: Serialize + DeserializeOwned,
{
    if !real() {
        skipped(name);
        return None;
    }
    Some(must(Run::from_env().and_then(|run| look_up_or_start(&run, name, start))))
}

#[expect(clippy::print_stdout, reason = "the test's own output, where a reader looks for why it did nothing")]
pub(crate) fn skipped(name: &str) {
    println!("skipped: {name} is a real server, and those are started by tests/run only");
}

fn look_up_or_start<S>(run: &Run, name: &str, start: fn(&Run, &Path) -> Result<S>) -> Result<S>
where
    S: Serialize + DeserializeOwned,
{
    let dir = run.dir.join(name);
    make_dir(&dir)?;
    let lock = dir.join("lock");
    // Held until the end of this function; a starter that dies lets go of it, and the next one
    // starts anew.
    let held = File::create(&lock).map_err(Failure::at("create", &lock))?;
    held.lock().map_err(Failure::at("lock", &lock))?;

    let (state, failed) = (dir.join("state.json"), dir.join("failed"));
    if let Ok(known) = std::fs::read(&state) {
        return serde_json::from_slice(&known).map_err(Failure::of(&format!("read {}", state.display())));
    }
    if let Ok(why) = std::fs::read_to_string(&failed) {
        return Err(Failure(why)); // once a run: the tests after the first fail at once
    }
    match start(run, &dir) {
        Ok(server) => {
            let text = serde_json::to_vec(&server).map_err(Failure::of("write down the server's state"))?;
            write(&state, text)?;
            Ok(server)
        }
        Err(why) => {
            write(&failed, why.to_string())?;
            Err(why)
        }
    }
}

pub(crate) fn make_dir(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(Failure::at("create", path))
}

pub(crate) fn write(path: &Path, contents: impl AsRef<[u8]>) -> Result<()> {
    std::fs::write(path, contents).map_err(Failure::at("write", path))
}
