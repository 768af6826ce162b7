//! The crates and the Rust files of a workspace.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::problem::Error;

/// The root file of a library or binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrateRoot {
    /// The file, relative to the workspace, with `/` between folders.
    pub file: String,
    /// `true` for a library, `false` for a binary or an example.
    pub is_library: bool,
}

/// Returns the libraries, binaries and examples of the workspace at `root`, from `cargo metadata`.
///
/// # Errors
///
/// Returns an error when cargo cannot be run or does not know the workspace.
pub fn crate_roots(root: &Path) -> Result<Vec<CrateRoot>, Error> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(root)
        .output()
        .map_err(|error| Error::Cargo(error.to_string()))?;
    if !output.status.success() {
        return Err(Error::Cargo(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(|error| Error::Cargo(error.to_string()))?;
    let base = metadata["workspace_root"].as_str().unwrap_or_default();
    let targets = metadata["packages"].as_array().into_iter().flatten();
    let targets = targets.flat_map(|package| package["targets"].as_array().into_iter().flatten());
    let roots = targets.filter_map(|target| {
        let is = |kind: &str| target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|k| k == kind));
        let file = Path::new(target["src_path"].as_str()?).strip_prefix(base).ok()?;
        (is("lib") || is("bin") || is("example"))
            .then(|| CrateRoot { file: slashes(file), is_library: is("lib") })
    });
    Ok(roots.collect())
}

/// Returns the Rust files below `root`, sorted; hidden folders and `target` are left out.
pub(crate) fn rust_files(root: &Path) -> Result<Vec<String>, Error> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let failed = |source| Error::Read { path: folder.clone(), source };
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if kind.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(entry.path());
            } else if kind.is_file() && name.ends_with(".rs") {
                files.extend(entry.path().strip_prefix(root).ok().map(slashes));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Returns the text of the file `file` below `root`.
pub(crate) fn read(root: &Path, file: &str) -> Result<String, Error> {
    let path: PathBuf = root.join(file);
    fs::read_to_string(&path).map_err(|source| Error::Read { path, source })
}

fn slashes(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
