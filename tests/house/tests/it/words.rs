//! Doc comments, names, flags and lengths.

use std::{fs, path::Path};

use flux_house::{CrateRoot, Error, Rule, check};
use tempfile::TempDir;

use crate::{places, problems};

fn lib(text: &str, rule: Rule) -> Vec<usize> {
    places(&[("lib.rs", text)], rule).into_iter().map(|(_, line)| line).collect()
}

#[test]
fn wide_lines_of_doc_comments_are_found() {
    let wide = "word ".repeat(20);
    let text = format!(
        "//! {wide}\n// {wide}\n    /// {wide}\n/// | {wide} |\n/// {}\n/// [`x`]: {}\n/// [`x`]: {wide}\n//// {wide}\npub fn a() {{}}\n",
        "x".repeat(100),
        "y".repeat(100)
    );
    assert_eq!(lib(&text, Rule::DocWidth), [1, 3, 7]);
}

#[test]
fn question_words_at_the_beginning_of_doc_lines_are_found() {
    let text = "//! What a\n/// Whether it\n/// Whatever\n/// is What\n/// Who, then\n// What\n///\n/// ```\n/// What();\n/// ```\n/// What\nfn a() {}\n";
    assert_eq!(lib(text, Rule::DocQuestion), [1, 2, 5, 11]);
}

#[test]
fn names_that_are_no_terms_are_found() {
    let text = "// told\n/// said\nfn told() {}\nstruct Made;\nfn b(made: u8) -> u8 { \"meant\"; made }\nfn c() { let said = 1; r#said }\n";
    assert_eq!(lib(text, Rule::Name), [3, 4, 6]);
}

#[test]
fn flags_in_the_strings_of_a_library_are_found() {
    let text = r#"
/// Set by --doc.
pub const A: &str = "give --user NAME";
pub const B: &str = "run `git push --force` first, or `kubectl delete --all`";
pub const C: &str = "a -- b, a--b, ---x, --, -v";
pub const D: &str = r"`git push` or --force-it";
pub fn e() { format!("--{}, {}", 1, concat!("--x")); }
#[cfg(test)]
mod tests { const T: &str = "--in-tests"; }
"#;
    assert_eq!(lib(text, Rule::Flag), [3, 6, 7]);
    let message = |at: usize| problems(&[("lib.rs", text)])[at].message.clone();
    assert!(message(1).contains("`--force-it`"), "{}", message(1));
}

#[test]
fn long_files_of_the_core_are_found() {
    let folder = TempDir::new().unwrap();
    for (name, lines) in [("flux-core/src/a.rs", 451), ("flux-core/src/b.rs", 450), ("flux-x/src/c.rs", 451)]
    {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap_or(Path::new("/"))).unwrap();
        fs::write(file, "//\n".repeat(lines)).unwrap();
    }
    let found: Vec<_> =
        check(folder.path(), &[]).unwrap().into_iter().map(|problem| problem.to_string()).collect();
    assert_eq!(found, ["flux-core/src/a.rs:451: file-length: 451 lines, 450 are allowed"]);
}

#[test]
fn public_types_of_a_library_that_are_exhaustive_without_a_reason_are_found() {
    let text = "pub enum A { B }\n\
                #[non_exhaustive]\npub enum C { D }\n\
                /// E.\n///\n/// Exhaustive: it is.\npub struct E { pub f: u8 }\n\
                /// Exhaustive.\npub struct F(pub u8);\n\
                pub struct G { pub f: u8, g: u8 }\npub struct H(u8);\npub struct I;\n\
                enum J { K }\npub(crate) struct K { pub f: u8 }\n\
                pub mod inner { pub struct L { pub f: u8 } }\n\
                #[cfg(test)]\nmod tests { pub enum M { N } }\n";
    assert_eq!(lib(text, Rule::Exhaustive), [1, 9, 15]);
}

#[test]
fn a_tree_that_cannot_be_read_is_an_error_with_its_place() {
    let folder = TempDir::new().unwrap();
    let root = [CrateRoot { file: "lib.rs".into(), is_library: true }];
    assert!(matches!(check(folder.path(), &root), Err(Error::Read { path, .. }) if path.ends_with("lib.rs")));
    fs::write(folder.path().join("lib.rs"), "\nmod gone;\n").unwrap();
    let error = check(folder.path(), &root).unwrap_err().to_string();
    assert_eq!(error, "lib.rs:2: the file of module `gone` is missing");
    fs::write(folder.path().join("lib.rs"), "\n\nfn {}\n").unwrap();
    let error = check(folder.path(), &root).unwrap_err().to_string();
    assert!(error.starts_with("lib.rs:3: this is not Rust:"), "{error}");
}
