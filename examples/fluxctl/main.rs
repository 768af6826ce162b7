//! `fluxctl`: the reference command line over the crates of Flux.
//!
//! It composes the backends in its own process: there is no daemon to ask. `fluxctl demo` tells the
//! whole story on a repository, a registry and a cluster that it makes itself.

mod args;
mod check;
mod commands;
#[path = "../common/mod.rs"]
mod common;
mod demo;
#[path = "../common/folder_repo.rs"]
mod folder_repo;
mod output;
mod rbac;
mod requests;
#[path = "../common/sock_shop.rs"]
mod sock_shop;
mod wait;
mod workloads;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Verb};
use common::Failure;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    common::log("warn");
    match run(cli).await {
        Ok(code) => ExitCode::from(code),
        Err(Failure { code, message }) => {
            use std::io::Write;
            // If standard error is closed, the message cannot be printed anywhere.
            if !message.is_empty() {
                let _ = writeln!(std::io::stderr(), "error: {message}");
            }
            ExitCode::from(code)
        }
    }
}

async fn run(cli: Cli) -> Result<u8, Failure> {
    let mut out = output::Out::standard(cli.output);
    if let Verb::Demo(demo) = &cli.verb {
        return demo::run(demo, &mut out).await;
    }
    if let Verb::Check(check) = &cli.verb {
        return check::run(check, &cli.backends, &mut out).await;
    }
    if let Verb::Rbac(rbac) = &cli.verb {
        return rbac::run(rbac, &cli.backends, &mut out).await;
    }
    cli.verb.check()?;
    let composition = cli.backends.compose().await?;
    commands::run(&cli.verb, &composition, &mut out).await
}
