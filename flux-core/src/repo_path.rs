//! Paths in the repository: steps with `/` between them, from the root, whose own path is empty.
//!
//! [`RepoPath`] is one that a file can have. The functions take any text, as kustomizations and
//! configurations may have paths that lead nowhere.

use std::{borrow::Borrow, convert::Infallible, fmt, ops::Deref, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// The path of a file or a folder of the repository, from the root, with `/` between the steps.
///
/// It leads nowhere else: it is not absolute, has no step that is empty, `.` or `..`, and no step
/// that git refuses to check out, as `.git`. The root itself has no such path. Clones share the
/// text, and it is a `&str` wherever one is asked for.
///
/// ```
/// use flux_core::RepoPath;
///
/// let path: RepoPath = "shop/web.yaml".parse()?;
/// assert_eq!((path.folder(), path.name()), ("shop", "web.yaml"));
/// assert!(path.is_under("shop"));
/// assert!("../web.yaml".parse::<RepoPath>().is_err());
/// # Ok::<(), flux_core::InvalidPath>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoPath(Arc<str>);

/// The error for a text that is no [`RepoPath`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path `{path}` cannot be written: it {problem}")]
#[non_exhaustive]
pub struct InvalidPath {
    /// The text.
    pub path: String,
    /// The problem with it.
    pub problem: &'static str,
}

impl RepoPath {
    /// Returns the path as a text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns `true` if it is `path`, or below it.
    pub fn is_under(&self, path: &str) -> bool {
        is_under(&self.0, path)
    }

    /// Returns the path of its folder; empty for the root.
    pub fn folder(&self) -> &str {
        folder(&self.0)
    }

    /// Returns its last step.
    pub fn name(&self) -> &str {
        name(&self.0)
    }

    /// Returns the folders around it, the root last.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        ancestors(&self.0).skip(1)
    }

    /// Returns the path of something in this folder.
    ///
    /// # Errors
    /// [`InvalidPath`] if `name` leads out of the folder, or to nothing that it could have.
    pub fn join(&self, name: &str) -> Result<Self, InvalidPath> {
        join(&self.0, name).parse()
    }

    /// Returns a path relative to this folder as one from the root; `None` if it is absolute, leads
    /// out of the repository, or to its root.
    pub fn resolve(&self, written: &str) -> Option<Self> {
        resolve(&self.0, written)?.parse().ok()
    }
}

impl FromStr for RepoPath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        text.try_into()
    }
}

impl TryFrom<&str> for RepoPath {
    type Error = InvalidPath;

    fn try_from(path: &str) -> Result<Self, InvalidPath> {
        match path.split('/').find_map(invalid_step) {
            None => Ok(Self(path.into())),
            Some(problem) => Err(InvalidPath { path: path.to_owned(), problem }),
        }
    }
}

impl TryFrom<String> for RepoPath {
    type Error = InvalidPath;

    fn try_from(path: String) -> Result<Self, InvalidPath> {
        path.as_str().try_into()
    }
}

impl From<RepoPath> for String {
    fn from(path: RepoPath) -> Self {
        path.as_str().to_owned()
    }
}

impl From<&RepoPath> for Arc<str> {
    fn from(path: &RepoPath) -> Self {
        path.0.clone()
    }
}

impl From<RepoPath> for Arc<str> {
    fn from(path: RepoPath) -> Self {
        path.0
    }
}

impl From<&RepoPath> for String {
    fn from(path: &RepoPath) -> Self {
        path.as_str().to_owned()
    }
}

/// A path that is one already cannot be invalid.
impl From<Infallible> for InvalidPath {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl Deref for RepoPath {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for RepoPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for RepoPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for RepoPath {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *other
    }
}

impl PartialEq<&str> for RepoPath {
    fn eq(&self, other: &&str) -> bool {
        *self.0 == **other
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns `true` if `file` is `path`, or below it.
pub fn is_under(file: &str, path: &str) -> bool {
    path.is_empty() || file.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns the folder and the name of a path.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Returns the folder of a path.
pub(crate) fn folder(path: &str) -> &str {
    split(path).0
}

/// Returns the name of a path.
pub(crate) fn name(path: &str) -> &str {
    split(path).1
}

/// Returns a path and the folders around it, the root last.
pub(crate) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| (!path.is_empty()).then(|| folder(path)))
}

/// Returns the path of a name in a folder.
pub(crate) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Returns a path relative to a folder as a path from the root.
///
/// It is `None` if it is absolute or leads out of the repository.
pub(crate) fn resolve(folder: &str, written: &str) -> Option<String> {
    if written.starts_with('/') {
        return None;
    }
    let mut steps: Vec<&str> = folder.split('/').filter(|step| !step.is_empty()).collect();
    for step in written.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()?),
            step => steps.push(step),
        }
    }
    Some(steps.join("/"))
}

/// Returns the nearest path to a text that is none: `\u{fffd}` stands for what makes it invalid.
///
/// Texts that differ may come to the same path.
pub(crate) fn nearest(text: &str) -> RepoPath {
    let valid = |step: &str| match invalid_step(step) {
        None => step.to_owned(),
        Some(_) => format!("\u{fffd}{}", step.replace('\0', "\u{fffd}")),
    };
    RepoPath(text.split('/').map(valid).collect::<Vec<_>>().join("/").into())
}

/// Returns the problem with a step of a path; `None` if git has files and folders of that name.
fn invalid_step(step: &str) -> Option<&'static str> {
    match step {
        "" => Some("is absolute, ends in a slash or has two in a row"),
        "." | ".." => Some("has a step `.` or `..`"),
        // As git has it: file systems take some of these for the same.
        step if is_dot_git(step) => Some("leads into `.git`"),
        step if step.contains('\0') => Some("has a NUL"),
        _ => None,
    }
}

/// Returns `true` for a name that some file system takes for `.git`: in any case, with dots, spaces
/// or the name of a stream behind it, or in the short form of NTFS.
fn is_dot_git(step: &str) -> bool {
    let name = step.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
    name.eq_ignore_ascii_case(".git") || name.eq_ignore_ascii_case("git~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_under_itself_and_the_folders_it_stands_in() {
        let table = [
            ("a/b", "", true),
            ("a/b", "a", true),
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("ab", "a", false),
            ("b/a", "a", false),
            ("", "", true),
            ("", "a", false),
        ];
        for (file, path, expected) in table {
            assert_eq!(is_under(file, path), expected, "{file} under {path}");
        }
    }

    #[test]
    fn a_path_is_a_folder_and_a_name() {
        for (path, parts) in
            [("web.yaml", ("", "web.yaml")), ("a/b/web.yaml", ("a/b", "web.yaml")), ("", ("", ""))]
        {
            assert_eq!(split(path), parts);
            assert_eq!((folder(path), name(path)), parts);
            assert_eq!(join(parts.0, parts.1), path);
        }
    }

    #[test]
    fn the_root_is_the_last_that_a_path_stands_in() {
        for (path, expected) in [("", &[""][..]), ("a", &["a", ""]), ("a/b/c", &["a/b/c", "a/b", "a", ""])] {
            assert_eq!(ancestors(path).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_relative_path_is_resolved_from_the_root_and_stays_in_the_repository() {
        let table = [
            ("", "web.yaml", Some("web.yaml")),
            ("", "./web.yaml", Some("web.yaml")),
            ("a/b", "./web.yaml", Some("a/b/web.yaml")),
            ("a/b", "../base/", Some("a/base")),
            ("a/b", "..//base/./c", Some("a/base/c")),
            ("a", "..", Some("")),
            ("a", "../..", None),
            ("a", "../../a/web.yaml", None),
            ("a", "/etc", None),
        ];
        for (folder, written, path) in table {
            assert_eq!(resolve(folder, written).as_deref(), path, "{folder} {written}");
        }
    }

    #[test]
    fn a_path_of_a_file_leads_nowhere_else() {
        for (text, problem) in [
            ("", "absolute"),
            ("/etc/passwd", "absolute"),
            ("a/", "slash"),
            ("a//b", "slash"),
            ("./a", "step"),
            ("a/../b", "step"),
            ("a/.git/config", ".git"),
            ("a/GIT~1 /config", ".git"),
            ("a/.git::$INDEX_ALLOCATION/config", ".git"),
            ("a\0b", "NUL"),
        ] {
            let error = text.parse::<RepoPath>().unwrap_err();
            assert!(error.path == text && error.to_string().contains(problem), "{error}");
            assert!(serde_json::from_value::<RepoPath>(text.into()).is_err(), "{text}");
        }
        let path: RepoPath = "a/b.yaml".parse().unwrap();
        assert_eq!(serde_json::to_value(&path).unwrap(), "a/b.yaml");
        assert_eq!(serde_json::from_value::<RepoPath>("a/b.yaml".into()).unwrap(), path);
    }

    #[test]
    fn what_stands_around_and_below_a_path_is_named_from_the_root() {
        let path: RepoPath = "a/b".parse().unwrap();
        assert_eq!(path.ancestors().collect::<Vec<_>>(), ["a", ""]);
        assert_eq!(path.join("c.yaml").unwrap().as_str(), "a/b/c.yaml");
        assert!(path.join("../c.yaml").is_err());
        let resolved = |written| path.resolve(written).map(String::from);
        assert_eq!(resolved("../c.yaml").as_deref(), Some("a/c.yaml"));
        assert_eq!((resolved("../.."), resolved("../../../c"), resolved("/c")), (None, None, None));
    }
}
