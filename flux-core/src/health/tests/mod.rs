//! The rules, kind by kind.

mod builtin;
mod custom;
mod pods;
mod verdict;
mod workloads;

use serde_json::Value;

use super::{Health, HealthStatus, health_of};

/// One row: the fields of an object behind `kind`, the status, the message and the codes of the
/// evidence.
type Row<'a> = (&'a str, HealthStatus, &'a str, &'a [&'a str]);

/// Reads an object of a kind at generation 2 from the YAML of its other fields.
fn object(api_version: &str, kind: &str, fields: &str) -> Value {
    let mut object: Value = serde_yaml::from_str(fields).unwrap();
    if object.is_null() {
        object = serde_json::json!({});
    }
    object["apiVersion"] = api_version.into();
    object["kind"] = kind.into();
    object["metadata"]["generation"] = 2.into();
    object
}

fn of(api_version: &str, kind: &str, fields: &str) -> Health {
    health_of(Some(&object(api_version, kind, fields)))
}

/// Holds the health of each object against its row.
#[track_caller]
fn holds(api_version: &str, kind: &str, rows: &[Row<'_>]) {
    for (fields, status, message, codes) in rows {
        let health = of(api_version, kind, fields);
        let found: Vec<&str> = health.evidence.iter().map(|one| one.code.as_str()).collect();
        assert_eq!(
            (health.status, &*health.message, &*found),
            (*status, *message, *codes),
            "{kind} {fields}"
        );
    }
}
