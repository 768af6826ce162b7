//! Keeps this process from the commands that it runs.

use flux_core::generate::GenerateError;

/// Hides the environment and the memory of this process from processes of the same user.
///
/// Commands would find both in `/proc`.
pub(crate) fn hide_this_process() -> Result<(), GenerateError> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};

        set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|e| {
            GenerateError::Unavailable(format!("this process cannot be hidden from the commands: {e}"))
        })?;
    }
    Ok(())
}
