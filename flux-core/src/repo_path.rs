//! Paths in the repository: steps with `/` between them, from the root, whose own path is empty.

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
}
