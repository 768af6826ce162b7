//! Names that no other test of a run uses.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Returns a name `prefix-…` that nothing else in this run has.
///
/// It is a lower-case DNS label of at most 63 characters, for repositories, images and namespaces.
pub fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // The time distinguishes two processes that had the same id.
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis()) % 100_000_000;
    let prefix: String = prefix.chars().take(30).collect();
    format!("{prefix}-{:x}-{millis:x}-{count:x}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn unique_names_are_dns_labels_and_differ() {
        let long = "a".repeat(100);
        let names: HashSet<_> = (0..1000).map(|_| unique(&long)).collect();
        assert_eq!(names.len(), 1000);
        for name in names {
            assert!(name.len() <= 63, "{name}");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{name}");
        }
    }
}
