//! The rules of ConfigMaps and Secrets: their keys, and how much they hold.

use serde_json::Value;

use super::{
    at::At,
    fault::Faults,
    forms::{is_final, short},
};
use crate::finding::Code;

/// The bytes that the values of a ConfigMap or a Secret may have together: 1 MiB.
const LARGEST: usize = 1 << 20;

/// The keys of a ConfigMap, each in one of its two maps.
pub(super) fn config_map<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    keys(at, &["data", "binaryData"], faults);
    for key in at.map("binaryData").into_iter().flatten().map(|(key, _)| key) {
        if at.map("data").is_some_and(|data| data.contains_key(key)) {
            let evidence = format!("both `data` and `binaryData` have the key `{}`", short(key));
            let path = at.path.within(&["binaryData", key]);
            faults.add_on_key(Code::InvalidField, path, evidence, "keep one of them");
        }
    }
    size(at, &["data"], faults);
}

/// The keys of a Secret.
pub(super) fn secret<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    keys(at, &["data", "stringData"], faults);
    size(at, &["stringData"], faults);
}

fn keys<'v>(at: At<'_, 'v>, maps: &[&'static str], faults: &mut Faults<'v>) {
    for map in maps {
        for key in at.map(map).into_iter().flatten().map(|(key, _)| key) {
            let is_inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            let is_right = !key.is_empty()
                && key.len() <= 253
                && key.bytes().all(is_inner)
                && key != "."
                && !key.starts_with("..");
            if !is_right && is_final(key) {
                let evidence = format!(
                    "`{map}` has the key `{}`; keys have up to 253 letters, digits, `-`, `_` and `.`, and do not start with `..`",
                    short(key)
                );
                faults.add_on_key(
                    Code::InvalidField,
                    at.path.within(&[map, key]),
                    evidence,
                    "rename the key",
                );
            }
        }
    }
}

/// Reports texts that are more than fits.
fn size<'v>(at: At<'_, 'v>, maps: &[&'static str], faults: &mut Faults<'v>) {
    let values = maps.iter().filter_map(|map| at.map(map)).flatten().map(|(_, value)| value);
    let size: usize = values.filter_map(Value::as_str).map(str::len).sum();
    if size > LARGEST {
        let evidence = format!("its values have {size} bytes; {LARGEST} are possible");
        faults.add(Code::InvalidField, at.path.clone(), evidence, "split it");
    }
}
