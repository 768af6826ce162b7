//! Imports are resolved to the file that defines the item, and circles among the files are found.

use flux_house::Rule;

use crate::{places, problems};

fn file_circles(files: &[(&str, &str)]) -> Vec<(String, usize)> {
    places(files, Rule::FileCircle)
}

fn at(file: &str, line: usize) -> Vec<(String, usize)> {
    vec![(file.to_owned(), line)]
}

#[test]
fn two_files_that_import_each_other_are_named_with_both_lines() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a.rs", "use crate::b::B;\npub struct A(B);\n"),
        ("b.rs", "pub struct B;\n\nuse super::a::A;\nimpl From<A> for B { fn from(_: A) -> Self { B } }\n"),
    ];
    let found = problems(&files);
    assert_eq!(found.len(), 1, "{found:#?}");
    let text = found[0].to_string();
    assert!(text.starts_with("flux-x/src/a.rs:1: file-circle: two import each other:"), "{text}");
    assert!(
        text.contains("flux-x/src/b.rs -> flux-x/src/a.rs, at flux-x/src/b.rs:3 (super::a::A)"),
        "{text}"
    );
}

#[test]
fn one_direction_is_no_circle() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\npub use a::A;\n"),
        ("a.rs", "use crate::b::B;\npub struct A(B);\n"),
        ("b.rs", "pub struct B;\n"),
    ];
    assert_eq!(problems(&files), []);
}

#[test]
fn a_module_that_only_declares_and_re_exports_is_imported_by_nobody() {
    let files = [
        ("lib.rs", "pub mod m;\n"),
        ("m/mod.rs", "mod a;\nmod b;\npub use a::A;\npub(crate) use self::b::{B, C as D};\n"),
        ("m/a.rs", "use super::{B, D};\npub struct A(B, D);\n"),
        ("m/b.rs", "pub struct B;\npub struct C;\n"),
    ];
    assert_eq!(problems(&files), []);
}

#[test]
fn a_re_export_is_followed_to_the_file_that_defines() {
    let files = [
        ("lib.rs", "mod m;\nmod n;\npub use m::*;\n"),
        ("m/mod.rs", "mod a;\npub use a::A as Other;\n"),
        ("m/a.rs", "use crate::n::Second;\npub struct A(Second);\n"),
        ("n.rs", "use crate::Other;\npub struct Second;\npub fn of(_: Other) {}\n"),
    ];
    assert_eq!(file_circles(&files), at("m/a.rs", 1));
}

#[test]
fn a_re_export_that_the_module_itself_uses_is_an_import() {
    let files = [
        ("lib.rs", "pub mod m;\n"),
        ("m/mod.rs", "mod a;\npub use a::A;\npub struct Error;\npub fn all() -> Vec<A> { Vec::new() }\n"),
        ("m/a.rs", "use super::Error;\npub struct A(Error);\n"),
    ];
    assert_eq!(file_circles(&files), at("m/a.rs", 1));
}

#[test]
fn a_path_in_the_code_is_an_import() {
    for path in
        ["super::a::one()", "crate::a::one()", "other::one()", "vec![super::a::one()]", "a::one::<u8>()"]
    {
        let b = format!("use super::a as other;\nuse super::a;\npub fn two() {{ {path}; }}\n");
        let files = [
            ("lib.rs", "mod a;\nmod b;\n"),
            ("a.rs", "pub fn one() { self::inner(); super::b::two() }\nfn inner() {}\n"),
            ("b.rs", b.as_str()),
        ];
        assert_eq!(file_circles(&files), at("a.rs", 1), "{path}");
    }
}

#[test]
fn a_use_inside_of_a_function_is_an_import() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a.rs", "pub struct A;\npub fn one() { use super::b::two; two() }\n"),
        ("b.rs", "pub fn two() { let _ = super::a::A; }\n"),
    ];
    assert_eq!(file_circles(&files), at("a.rs", 2));
}

#[test]
fn a_glob_imports_what_is_used_of_it() {
    let files = |body: &'static str| {
        [
            ("lib.rs", "mod m;\n"),
            ("m/mod.rs", "mod a;\nmod b;\npub use a::*;\npub use b::*;\n"),
            ("m/a.rs", "use super::*;\npub struct A(B);\npub fn one() {}\n"),
            ("m/b.rs", body),
        ]
    };
    assert_eq!(file_circles(&files("use super::*;\npub struct B;\npub fn two(_: &A) {}\n")), at("m/a.rs", 2));
    assert_eq!(
        file_circles(&files("use super::*;\npub struct B;\npub fn two() { one() }\n")),
        at("m/a.rs", 2)
    );
    // A variable of the name of a function is not that function.
    assert_eq!(file_circles(&files("use super::*;\npub struct B;\npub fn two(one: u8) -> u8 { one }\n")), []);
}

#[test]
fn variants_and_associated_items_belong_to_the_file_of_their_type() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a.rs", "use super::b::Kind::*;\npub struct A;\npub fn one() { let _ = First; }\n"),
        ("b.rs", "pub enum Kind { First }\nimpl Kind { pub fn new() { super::a::A::new(); } }\n"),
    ];
    assert_eq!(file_circles(&files), at("a.rs", 1));
}

#[test]
fn macros_belong_to_the_file_that_defines_them() {
    let files = [
        ("lib.rs", "#[macro_use]\nmod a;\nmod b;\n"),
        ("a.rs", "macro_rules! list { () => { $crate::b::two() }; }\n"),
        ("b.rs", "pub fn two() { list!() }\n"),
    ];
    assert_eq!(file_circles(&files), at("a.rs", 1));
}

#[test]
fn tests_and_links_in_documentation_are_no_imports() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a.rs", "use crate::b::B;\npub struct A(B);\n"),
        (
            "b.rs",
            "/// Makes an [`A`](super::a::A).\n///\n/// [`A`]: crate::a::A\npub struct B;\n\
             #[cfg(test)]\nuse super::a::A;\n\
             impl B { #[cfg(test)] fn test(_: super::a::A) {} }\n\
             #[cfg(all(test, unix))]\nmod tests { use super::super::a::A; }\n#[cfg(test)]\nmod missing;\n",
        ),
    ];
    assert_eq!(problems(&files), []);
    let with_feature = [
        files[0],
        files[1],
        ("b.rs", "pub struct B;\n#[cfg(any(test, feature = \"f\"))]\nuse super::a::A;\n"),
    ];
    assert_eq!(file_circles(&with_feature), at("a.rs", 1));
}

#[test]
fn longer_circles_are_found_once() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\nmod c;\n"),
        ("a.rs", "use crate::b::B;\npub struct A(B);\n"),
        ("b.rs", "use crate::c::C;\npub struct B(C);\n"),
        ("c.rs", "pub struct C;\nfn c(_: crate::a::A) {}\n"),
    ];
    let found = problems(&files);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].message.starts_with("3 import each other in a circle:"), "{}", found[0]);
}

#[test]
fn a_parent_imports_its_child_and_is_imported_by_another() {
    let files = [
        ("lib.rs", "pub mod m;\n"),
        ("m.rs", "mod child;\nmod shared;\npub use child::go;\nuse shared::S;\npub struct M(S);\n"),
        ("m/child.rs", "use super::shared::S;\npub fn go(_: S) {}\n"),
        ("m/shared.rs", "pub struct S;\n"),
    ];
    assert_eq!(problems(&files), []);
}

#[test]
fn folders_that_import_each_other_by_different_files_are_found() {
    let files = [
        ("lib.rs", "mod m;\nmod n;\n"),
        ("m/mod.rs", "pub mod a;\npub mod b;\n"),
        ("m/a.rs", "use crate::n::a::NA;\npub struct MA(NA);\n"),
        ("m/b.rs", "pub struct MB;\n"),
        ("n/mod.rs", "pub mod a;\npub mod b;\n"),
        ("n/a.rs", "pub struct NA;\n"),
        ("n/b.rs", "use crate::m::b::MB;\npub struct NB(MB);\n"),
    ];
    assert_eq!(file_circles(&files), []);
    assert_eq!(places(&files, Rule::FolderCircle), at("m/a.rs", 1));
}

#[test]
fn folders_at_the_top_count_with_all_that_is_below_them() {
    let files = [
        ("lib.rs", "mod m;\nmod n;\n"),
        ("m/mod.rs", "pub mod a;\npub mod deep;\n"),
        ("m/a.rs", "use crate::n::NA;\npub struct MA(NA);\n"),
        ("m/deep/mod.rs", "pub struct Deep;\n"),
        ("n/mod.rs", "pub struct NA;\npub mod low;\n"),
        ("n/low/mod.rs", "use crate::m::deep::Deep;\npub struct NB(Deep);\n"),
    ];
    let found = problems(&files);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].message.contains("flux-x/src/m -> flux-x/src/n"), "{}", found[0]);
}

#[test]
fn a_file_beside_its_folder_belongs_to_the_folder() {
    let files = [
        ("lib.rs", "mod m;\n"),
        ("m/mod.rs", "mod x;\npub mod low;\npub use x::X;\n"),
        ("m/low.rs", "pub struct Low;\n"),
        ("m/x.rs", "pub mod part;\nuse super::low::Low;\npub struct X(Low, part::Part);\n"),
        ("m/x/part.rs", "use crate::m::low::Low;\npub struct Part(Low);\n"),
    ];
    assert_eq!(problems(&files), []);
}
