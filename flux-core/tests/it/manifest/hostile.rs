//! Files made to hurt are refused with a finding, within bounded memory and time.

use std::time::{Duration, Instant};

use flux_core::{
    Code,
    manifest::{ParsedFile, parse},
};

const A: &str = "apiVersion: v1\nkind: A\nmetadata: {name: a}\n";

fn refused(source: &[u8], code: Code) -> ParsedFile {
    let started = Instant::now();
    let file = parse(source);
    assert!(started.elapsed() < Duration::from_secs(120), "took {:?}", started.elapsed());
    assert!(file.problems.iter().any(|p| p.code == code), "{:?}", file.problems.first());
    file
}

#[test]
fn a_file_of_200_megabytes() {
    let file = refused(&vec![b'a'; 200 << 20], Code::TooLarge);
    assert_eq!(file.resources, []);
}

#[test]
fn a_million_brackets() {
    for (open, doc) in [("[", 1_000_000), ("{a: ", 300_000), ("- ", 500_000), ("? ", 500_000)] {
        let source = format!("{A}---\n{}\n---\n{A}", open.repeat(doc));
        let file = refused(source.as_bytes(), Code::TooLarge);
        assert!(!file.resources.is_empty(), "{open}");
    }
}

#[test]
fn anchors_that_multiply_64_times() {
    for item in ["[", "{x: ", "{<<: ["] {
        let mut source = format!("{A}---\n{A}spec:\n  l0: &l0 {{a: b}}\n");
        for level in 1..64 {
            let of = level - 1;
            let line = match item {
                "[" => format!(
                    "  l{level}: &l{level} [*l{of}, *l{of}, *l{of}, *l{of}, *l{of}, *l{of}, *l{of}, *l{of}]\n"
                ),
                "{x: " => format!("  l{level}: &l{level} {{x: *l{of}, y: *l{of}, z: *l{of}}}\n"),
                _ => format!("  l{level}: &l{level} {{<<: [*l{of}, *l{of}, *l{of}]}}\n"),
            };
            source.push_str(&line);
        }
        let file = refused(source.as_bytes(), Code::TooLarge);
        assert_eq!(file.resources.len(), 1);
    }
}

#[test]
fn a_long_text_repeated_by_aliases() {
    let text = "x".repeat(1 << 20);
    let source = format!("{A}spec:\n  t: &t {text}\n  l: [{}]\n", "*t, ".repeat(1_000));
    refused(source.as_bytes(), Code::TooLarge);
}

#[test]
fn more_values_than_anyone_needs() {
    let source = format!("{A}spec: [{}]\n", "1,".repeat(2_000_001));
    refused(source.as_bytes(), Code::TooLarge);
}

#[test]
fn bytes_that_are_no_yaml() {
    for (source, line, column) in [
        (&b"apiVersion: v1\nkind: \xff\n"[..], 2, 7),
        (b"apiVersion: v1\nkind: a\0b\n", 2, 8),
        (b"\xfe\xff\0a", 1, 1),
        (b"a: \x1b[31m", 1, 4),
        ("é: \u{7f}".as_bytes(), 1, 4),
    ] {
        let file = refused(source, Code::InvalidYaml);
        assert_eq!((file.problems[0].line, file.problems[0].column), (line, column));
    }
}

#[test]
fn more_broken_documents_than_can_be_told() {
    let file = refused("--- 1\n".repeat(100_000).as_bytes(), Code::TooLarge);
    assert!(file.problems.len() < 2_000);
}

#[test]
fn very_long_lines_keys_and_many_anchors() {
    let long = "k".repeat(1 << 20);
    parse(format!("{A}? {long}\n: {long}\n").as_bytes());
    parse(format!("{A}spec: {long}: {long}\n").as_bytes());
    let anchors: String = (0..100_000).map(|i| format!("  a{i}: &a{i} x\n")).collect();
    assert_eq!(parse(format!("{A}spec:\n{anchors}").as_bytes()).resources.len(), 1);
}
