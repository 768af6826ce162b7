//! Runs one case of a suite.

/// Runs a case on a fixture of its own, in a runtime of its own; nothing if there is no fixture.
#[doc(hidden)]
#[expect(clippy::expect_used, reason = "a suite fails by panicking")]
pub fn check<F>(make: impl AsyncFnOnce() -> Option<F>, case: impl AsyncFnOnce(F)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(async {
        if let Some(fixture) = make().await {
            case(fixture).await;
        }
    });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// Returns the names of the public async functions of a text.
    fn cases(source: &str) -> BTreeSet<&str> {
        let starts = source.split("\npub async fn ").skip(1);
        starts.filter_map(|rest| rest.split('(').next()).collect()
    }

    #[test]
    fn every_case_of_a_suite_is_run_by_its_macro() {
        let suites = [
            (include_str!("cluster/mod.rs"), vec![include_str!("cluster/cases.rs")]),
            (
                include_str!("config_repo/mod.rs"),
                vec![include_str!("config_repo/commits.rs"), include_str!("config_repo/reading.rs")],
            ),
            (include_str!("registry/mod.rs"), vec![include_str!("registry/cases.rs")]),
        ];
        for (module, files) in suites {
            let list = module.split("@each $make;").nth(1).and_then(|rest| rest.split('}').next());
            let listed: BTreeSet<&str> = list.unwrap().split_whitespace().collect();
            let written: BTreeSet<&str> = files.into_iter().flat_map(cases).collect();
            assert_eq!(listed, written);
        }
    }
}
