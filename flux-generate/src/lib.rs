//! [`Generator`](flux_core::generate::Generator) over processes of this machine.
//!
//! [`ProcessGenerator`] runs the commands of `.flux.yaml` files, and kustomize. **Whoever can write
//! to the repository then runs commands on this machine**, as the user of this process: that is why
//! this is a crate of its own, which one opts into. What keeps them apart from everything else:
//!
//! - **A private folder.** The files of the revision are copied to a temporary folder that nobody
//!   else can read; it is gone when the copy is dropped.
//! - **No environment.** A command sees `PATH`, the variables of its run and `FLUX_RUN`, by which
//!   it is found; it has no standard input.
//! - **No way back into this process.** On Linux this process is made non-dumpable, so that
//!   commands of the same user find neither its memory nor its environment in `/proc`. Those that
//!   may read the memory of every process (by `CAP_SYS_PTRACE`, `CAP_PERFMON` or `CAP_SYS_ADMIN`,
//!   as root outside of containers) are not kept away.
//! - **Limits** on time, on what is printed, and on the files that are added; see
//!   [`ProcessGeneratorBuilder`].
//! - **Nothing stays.** When a command ends, takes too long, or its future is dropped, its process
//!   group is killed, and on Linux every process that still has its `FLUX_RUN`, whatever session it
//!   is in. A process that takes the variable off goes on, as does one that starts others faster
//!   than they are found.
//!
//! The network and the files of the machine that this user can read are not kept away: run it in a
//! container for that.
//!
//! ```
//! use std::sync::Arc;
//!
//! use flux_core::generate::Generation;
//! use flux_generate::ProcessGenerator;
//!
//! let generator = ProcessGenerator::builder().max_output(1 << 20).build();
//! let generation = Generation::by(Arc::new(generator), vec!["prod".to_owned()]);
//! assert!(generation.generator.is_some());
//! ```

#![cfg(unix)]

mod builder;
mod changes;
mod checkout;
mod generator;
mod isolation;
mod limits;
mod process;

pub use builder::ProcessGeneratorBuilder;
pub use generator::ProcessGenerator;
