//! Where the manifests of a git path come from.

use std::{collections::BTreeSet, time::Duration};

use super::{Command, Config, Generators, InvalidConfig, Updater, config::invalid};
use crate::{
    finding::Place,
    manifest::KUSTOMIZATION_FILES,
    repo_path::{self, RepoPath, ancestors, is_under, join, resolve},
};

/// The name of the file that says how a path is generated.
const FLUX_YAML: &str = ".flux.yaml";

/// How the paths end under which generated objects are known.
pub(crate) const GENERATED: &str = "#generated";

/// The command that runs kustomize.
pub(super) const KUSTOMIZE: &str = "if command -v kustomize >/dev/null 2>&1; then exec kustomize build .; \
elif command -v kubectl >/dev/null 2>&1; then exec kubectl kustomize .; \
else echo 'neither kustomize nor kubectl is in PATH' >&2; exit 127; fi";

/// The file that decides how the manifests of a git path are made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Detected {
    /// Nothing: its files are read as they stand.
    Nothing,
    /// This `.flux.yaml`.
    FluxYaml(RepoPath),
    /// This file of kustomize's.
    Kustomization(RepoPath),
}

/// Detects the file that decides on each git path, in their order.
///
/// `files` are the paths of the tree.
pub fn find<'p>(paths: &'p [String], files: &BTreeSet<RepoPath>) -> Vec<(&'p str, Detected)> {
    let roots: Vec<&str> = match paths {
        [] => vec![""],
        paths => paths.iter().map(|path| normal(path)).collect(),
    };
    roots.into_iter().map(|path| (path, detect(path, files))).collect()
}

fn detect(path: &str, files: &BTreeSet<RepoPath>) -> Detected {
    if let Some(file) = files.get(path) {
        return match decides(path) {
            true if is_config(path) => Detected::FluxYaml(file.clone()),
            true => Detected::Kustomization(file.clone()),
            false => Detected::Nothing,
        };
    }
    let there = |folder: &str, name: &str| files.get(join(folder, name).as_str()).cloned();
    if let Some(file) = ancestors(path).find_map(|folder| there(folder, FLUX_YAML)) {
        return Detected::FluxYaml(file);
    }
    KUSTOMIZATION_FILES
        .into_iter()
        .find_map(|name| there(path, name))
        .map_or(Detected::Nothing, Detected::Kustomization)
}

/// Returns `true` if a path is that of a `.flux.yaml`.
pub(crate) fn is_config(path: &str) -> bool {
    repo_path::name(path) == FLUX_YAML
}

/// Returns the paths that have to be in view of a repository that is narrowed to git paths.
///
/// These are the paths themselves, the folder of one that is a `.flux.yaml` or a kustomization
/// itself, and the `.flux.yaml` files above, whether or not there are such, as they may say that a
/// path is generated.
///
/// ```
/// let paths = ["deploy/prod", "deploy/dev/kustomization.yaml"].map(str::to_owned);
/// let seen = flux_core::generate::in_view(&paths);
/// assert_eq!(seen, ["deploy/prod", "deploy/dev", ".flux.yaml", "deploy/.flux.yaml"]);
/// ```
pub fn in_view(paths: &[String]) -> Vec<String> {
    let folders: Vec<&str> = paths.iter().map(|path| folder(normal(path))).collect();
    let configs: BTreeSet<&str> = folders.iter().copied().flat_map(|path| ancestors(path).skip(1)).collect();
    let configs = configs.into_iter().map(|folder| join(folder, FLUX_YAML));
    folders.iter().map(|path| (*path).to_owned()).chain(configs).collect()
}

/// Returns the folder that a git path is for: that of a file which says how it is generated.
pub(crate) fn folder(path: &str) -> &str {
    if decides(path) { repo_path::folder(path) } else { path }
}

fn decides(path: &str) -> bool {
    let name = repo_path::name(path);
    name == FLUX_YAML || KUSTOMIZATION_FILES.contains(&name)
}

/// Returns the deepest of the git paths that a file is under, by its index.
pub fn owner(file: &str, paths: &[&str]) -> Option<usize> {
    paths
        .iter()
        .enumerate()
        .filter(|(_, path)| is_under(file, path))
        .max_by_key(|(at, path)| (path.len(), std::cmp::Reverse(*at)))
        .map(|(at, _)| at)
}

/// A git path whose manifests are generated.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Source {
    /// The git path, without slashes around it; empty for the root.
    pub path: String,
    /// The file that says how.
    pub by: RepoPath,
    /// The method.
    pub method: Method,
}

/// The methods by which a git path is generated.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// By commands, with others that change the files they read.
    Commands {
        /// The commands.
        generators: Generators,
        /// The others.
        updaters: Vec<Updater>,
    },
    /// By commands, and patches of what they print.
    Patches {
        /// The commands.
        generators: Generators,
        /// The file of patches, from the root of the repository.
        file: RepoPath,
    },
    /// By kustomize.
    Kustomize,
}

impl Source {
    /// Makes the source of a git path as its `.flux.yaml` says; `None` if its files are to be read
    /// as they stand.
    ///
    /// # Errors
    /// [`InvalidConfig`] if the patch file would lie outside of the repository.
    pub fn of_config(path: &str, by: &RepoPath, config: Config) -> Result<Option<Self>, InvalidConfig> {
        let method = match config {
            Config::ScanForFiles => return Ok(None),
            Config::CommandUpdated { generators, updaters } => Method::Commands { generators, updaters },
            Config::PatchUpdated { generators, patch_file, patch_place } => {
                let file = patch_file_at(folder_of(path, by), &patch_file).ok_or_else(|| {
                    let evidence = format!("the patch file `{patch_file}` is outside of the repository");
                    let remedy = "name a file within the repository, relative to the git path";
                    InvalidConfig(vec![invalid(patch_place, evidence, remedy)])
                })?;
                Method::Patches { generators, file }
            }
        };
        Ok(Some(Self { path: path.to_owned(), by: by.clone(), method }))
    }

    /// Makes the source of a git path that kustomize builds.
    pub fn of_kustomization(path: &str, by: &RepoPath) -> Self {
        Self { path: path.to_owned(), by: by.clone(), method: Method::Kustomize }
    }

    /// Returns the folder in which commands run, from the root of the repository; empty for the
    /// root.
    pub fn folder(&self) -> &str {
        folder_of(&self.path, &self.by)
    }

    /// Returns the path under which the generated objects are known.
    ///
    /// No file has it. If no file could have the git path, `\u{fffd}` stands for what makes it so.
    pub fn output_path(&self) -> RepoPath {
        repo_path::nearest(&format!("{}{GENERATED}", join(self.folder(), self.by.name())))
    }

    /// Returns the commands that print the manifests.
    pub fn generators(&self) -> Generators {
        match &self.method {
            Method::Commands { generators, .. } | Method::Patches { generators, .. } => generators.clone(),
            Method::Kustomize => {
                let place = Place::start_of(&self.by);
                let command = Command { text: KUSTOMIZE.to_owned(), timeout: None, place: place.clone() };
                Generators { commands: vec![command], allow_empty: false, place }
            }
        }
    }

    /// Returns the place that decides that the manifests are generated.
    pub fn place(&self) -> Place {
        self.generators().place
    }

    /// Returns how long a command may run.
    pub fn timeout(command: &Command, default: Duration) -> Duration {
        command.timeout.unwrap_or(default)
    }
}

/// Returns the folder of a git path that may be the file itself.
fn folder_of<'p>(path: &'p str, by: &str) -> &'p str {
    if path == by { repo_path::folder(path) } else { path }
}

/// Returns the path of a patch file that is named from a folder; `None` if none can be there.
fn patch_file_at(folder: &str, named: &str) -> Option<RepoPath> {
    resolve(folder, named)?.parse().ok()
}

/// Returns a configured path without what does not count.
pub(crate) fn normal(path: &str) -> &str {
    let path = path.trim_start_matches("./").trim_matches('/');
    if path == "." { "" } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths<const N: usize>(texts: [&str; N]) -> BTreeSet<RepoPath> {
        texts.map(|text| text.parse().unwrap()).into()
    }

    #[test]
    fn the_nearest_flux_yaml_counts_up_to_the_root() {
        let files = paths([
            ".flux.yaml",
            "dev/web.yaml",
            "prod/.flux.yaml",
            "prod/eu/web.yaml",
            "prod/eu/kustomization.yaml",
        ]);
        let flux = |path: &str| Detected::FluxYaml(path.parse().unwrap());
        let table = [
            ("", flux(".flux.yaml")),
            ("./dev/", flux(".flux.yaml")),
            ("prod", flux("prod/.flux.yaml")),
            ("prod/eu", flux("prod/.flux.yaml")),
            ("prod/.flux.yaml", flux("prod/.flux.yaml")),
            (
                "prod/eu/kustomization.yaml",
                Detected::Kustomization("prod/eu/kustomization.yaml".parse().unwrap()),
            ),
            ("dev/web.yaml", Detected::Nothing),
        ];
        for (path, expected) in table {
            let paths = [path.to_owned()];
            assert_eq!(find(&paths, &files)[0].1, expected, "{path}");
        }
        assert_eq!(find(&[], &files), [("", flux(".flux.yaml"))]);
    }

    #[test]
    fn a_kustomization_counts_in_the_git_path_itself_only() {
        let files = paths(["kustomization.yaml", "a/web.yaml", "b/Kustomization"]);
        let kustomization = |path: &str| Detected::Kustomization(path.parse().unwrap());
        for (path, expected) in [
            ("", kustomization("kustomization.yaml")),
            ("a", Detected::Nothing),
            ("b", kustomization("b/Kustomization")),
        ] {
            assert_eq!(find(&[path.to_owned()], &files)[0].1, expected, "{path}");
        }
    }

    #[test]
    fn a_file_belongs_to_the_deepest_of_the_paths_it_is_under() {
        let paths = ["", "a", "a/b", "ab"];
        for (file, expected) in [("x", 0), ("a/x", 1), ("a/b/x", 2), ("a/bc/x", 1), ("ab/x", 3)] {
            assert_eq!(owner(file, &paths), Some(expected), "{file}");
        }
        assert_eq!(owner("x", &["a"]), None);
    }

    #[test]
    fn generated_objects_are_known_under_the_file_that_says_how() {
        let output = |path: &str, by: &str| {
            let source = Source::of_kustomization(path, &by.parse().unwrap());
            source.output_path().to_string()
        };
        assert_eq!(output("", ".flux.yaml"), ".flux.yaml#generated");
        assert_eq!(output("prod/eu", "prod/.flux.yaml"), "prod/eu/.flux.yaml#generated");
        assert_eq!(output("prod/Kustomization", "prod/Kustomization"), "prod/Kustomization#generated");
        assert_eq!(output("../prod", ".flux.yaml"), "\u{fffd}../prod/.flux.yaml#generated");
    }

    #[test]
    fn a_patch_file_is_found_from_the_git_path_and_stays_in_the_repository() {
        for (folder, path, expected) in [
            ("prod", "flux-patch.yaml", Some("prod/flux-patch.yaml")),
            ("prod", "../common/p.yaml", Some("common/p.yaml")),
            ("", "./p.yaml", Some("p.yaml")),
            ("prod", "../../p.yaml", None),
            ("prod", "/etc/passwd", None),
            ("prod", "..", None),
            ("prod", "p\0.yaml", None),
        ] {
            assert_eq!(patch_file_at(folder, path).as_deref(), expected, "{folder} {path}");
        }
    }
}
