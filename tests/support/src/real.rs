//! The switch between hermetic tests and tests on real servers.

/// Returns `true` when the real servers are required (`FLUX_TEST_REAL=1`, set by `tests/run`).
pub fn real() -> bool {
    std::env::var_os("FLUX_TEST_REAL").is_some_and(|v| v == "1")
}
