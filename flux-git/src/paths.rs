//! The configured paths: the part of the repository that is read.

use flux_core::backend::{Error, Result};

/// Files and folders relative to the root of the repository, normalised.
///
/// No path means the whole repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paths(Vec<String>);

impl Paths {
    /// Drops empty parts, `.` and repetitions, and refuses absolute paths and `..`.
    pub(crate) fn new<P: AsRef<str>>(paths: impl IntoIterator<Item = P>) -> Result<Self> {
        let mut normal: Vec<String> = Vec::new();
        for path in paths {
            let path = path.as_ref();
            if path.starts_with('/') || path.contains('\0') || path.split('/').any(|part| part == "..") {
                let text = format!(
                    "the path `{path}` in the repository is absolute or leads out of it; give one relative to its root"
                );
                return Err(Error::invalid(path, text));
            }
            let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
            if parts.is_empty() {
                // The root holds all the others.
                return Ok(Self::default());
            }
            let path = parts.join("/");
            if !normal.contains(&path) {
                normal.push(path);
            }
        }
        Ok(Self(normal))
    }

    /// Returns `true` if the whole repository is covered.
    pub(crate) fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Returns `true` if a file is covered.
    pub(crate) fn covers(&self, path: &str) -> bool {
        self.is_everything()
            || self.iter().any(|root| {
                path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised() {
        for (given, normal) in [
            (&[][..], &[][..]),
            (&["deploy/"], &["deploy"]),
            (&["./a//b/.", "a/b", "c"], &["a/b", "c"]),
            (&["deploy", "."], &[]),
            (&[""], &[]),
        ] {
            assert_eq!(Paths::new(given).unwrap(), Paths(normal.iter().map(ToString::to_string).collect()));
        }
    }

    #[test]
    fn paths_that_lead_out_are_refused() {
        for path in ["/etc", "..", "a/../b", "a/..", "a\0b"] {
            assert_eq!(
                Paths::new([path]).unwrap_err().kind(),
                flux_core::backend::ErrorKind::Invalid,
                "{path}"
            );
        }
    }

    #[test]
    fn a_folder_covers_what_is_below_it_and_no_neighbour() {
        let paths = Paths::new(["deploy", "one.yaml"]).unwrap();
        for (path, covered) in [
            ("deploy/a", true),
            ("deploy/a/b", true),
            ("deployment/a", false),
            ("one.yaml", true),
            ("two.yaml", false),
        ] {
            assert_eq!(paths.covers(path), covered, "{path}");
        }
        assert!(Paths::default().covers("anything"));
    }
}
