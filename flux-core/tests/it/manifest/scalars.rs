//! Scalars are read as kubectl reads them.
//!
//! The expected values were taken from sigs.k8s.io/yaml 1.6.

use flux_core::workload::parse;
use serde_json::{Value, json};

fn read(yaml: &str) -> Result<Value, String> {
    let indented: String = yaml.lines().map(|line| format!("  {line}\n")).collect();
    let source = format!("apiVersion: v1\nkind: X\nmetadata: {{name: x}}\nspec:\n{indented}");
    let file = parse(source.as_bytes());
    match file.resources.first() {
        Some(resource) => Ok(resource.object.at("/spec").unwrap_or_default()),
        None => Err(file.problems[0].evidence.clone()),
    }
}

#[test]
fn plain_scalars_are_typed_by_yaml_1_1_as_go_reads_it() {
    let table = [
        ("on", json!(true)),
        ("y", json!(true)),
        ("Yes", json!(true)),
        ("no", json!(false)),
        ("N", json!(false)),
        ("OFF", json!(false)),
        ("tRue", json!("tRue")),
        ("~", json!(null)),
        ("Null", json!(null)),
        ("nil", json!("nil")),
        ("0644", json!(420)),
        ("010", json!(8)),
        ("08", json!(8)),
        ("0o17", json!(15)),
        ("0x1F", json!(31)),
        ("-0b101", json!(-5)),
        ("0x", json!("0x")),
        ("1_000", json!(1000)),
        ("_1", json!("_1")),
        ("+1", json!(1)),
        ("1.", json!(1)),
        (".5", json!(0.5)),
        ("1.20", json!(1.2)),
        ("1e3", json!(1000)),
        ("1e-3", json!(0.001)),
        ("1e400", json!("1e400")),
        ("inf", json!("inf")),
        ("0x1p-2", json!("0x1p-2")),
        ("9223372036854775807", json!(9_223_372_036_854_775_807_i64)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("18446744073709551615", json!(18_446_744_073_709_551_615.0)),
        ("18446744073709551616", json!(18_446_744_073_709_551_616.0)),
        ("2001-01-01", json!("2001-01-01")),
        ("12:30:45", json!("12:30:45")),
        ("1.2.3", json!("1.2.3")),
        ("1234e56", json!(1234e56)),
        ("-0", json!(0)),
        ("'12'", json!("12")),
        ("\"yes\"", json!("yes")),
        ("!!str 123", json!("123")),
        ("!!int \"123\"", json!(123)),
        ("!!float 1", json!(1)),
        ("!!binary aGVsbG8=", json!("hello")),
        ("!custom x", json!("x")),
        ("! 12", json!("12")),
    ];
    for (text, value) in table {
        assert_eq!(read(&format!("v: {text}")), Ok(json!({ "v": value })), "{text}");
    }
}

#[test]
fn a_value_that_json_does_not_have_is_an_error() {
    for text in [".inf", "-.INF", ".nan", "!!int x", "!!bool 3", "!!null x", "!!binary !", "!!float x"] {
        assert!(read(&format!("v: {text}")).is_err(), "{text}");
    }
}

#[test]
fn keys_are_text_after_they_were_typed() {
    let table = [
        ("on: v", json!({ "true": "v" })),
        ("n: v", json!({ "false": "v" })),
        ("010: v", json!({ "8": "v" })),
        ("1.50: v", json!({ "1.5": "v" })),
        ("1e6: v", json!({ "1e+06": "v" })),
        ("2001-01-01: v", json!({ "2001-01-01": "v" })),
    ];
    for (yaml, value) in table {
        assert_eq!(read(yaml), Ok(value), "{yaml}");
    }
    for yaml in ["~: v", "[a]: v", "? {a: b}\n: v", "18446744073709551615: v"] {
        assert!(read(yaml).is_err(), "{yaml}");
    }
}

#[test]
fn of_equal_keys_the_last_wins_and_a_merge_counts_where_it_stands() {
    let table = [
        ("a: 1\na: 2", json!({ "a": 2 })),
        ("a: 1\n'a': 2", json!({ "a": 2 })),
        ("x: &x {p: 1}\nb:\n  p: 2\n  <<: *x", json!({ "x": { "p": 1 }, "b": { "p": 1 } })),
        ("x: &x {p: 1}\nb:\n  <<: *x\n  p: 2", json!({ "x": { "p": 1 }, "b": { "p": 2 } })),
        (
            "x: [&x {p: 1, r: 1}, &y {p: 3, s: 4}]\nb: {<<: [*x, *y], q: 2}",
            json!({ "x": [{ "p": 1, "r": 1 }, { "p": 3, "s": 4 }], "b": { "p": 1, "q": 2, "r": 1, "s": 4 } }),
        ),
        ("'<<': 3", json!({ "<<": 3 })),
    ];
    for (yaml, value) in table {
        assert_eq!(read(yaml), Ok(value), "{yaml}");
    }
    for yaml in ["<<: 3", "b: &a [*a]", "b: &a {<<: *a}", "a: *nope"] {
        assert!(read(yaml).is_err(), "{yaml}");
    }
}
