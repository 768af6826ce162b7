//! Private copies of small repositories, and processes that should be gone.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use bytes::Bytes;
use flux_core::{
    Place, RepoPath,
    backend::{ConfigRepo, Entry},
    generate::{Checkout, GenerateError, Generator, Run},
    memory::MemoryRepo,
};
use flux_generate::ProcessGenerator;

/// A private copy of these files. Those whose names end in `.sh` are executable.
pub(crate) async fn checkout_by(
    generator: &ProcessGenerator,
    files: &[(&str, &str)],
    over: &[(&str, &str)],
) -> Result<Box<dyn Checkout>, GenerateError> {
    let repo = MemoryRepo::new(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
    let mut tree = repo.tree(&repo.head().await.unwrap()).await.unwrap();
    for (path, id) in tree.clone().files().filter(|(path, _)| path.ends_with(".sh")) {
        tree.insert(path.clone(), Entry::File { id: id.clone(), executable: true });
    }
    let over: BTreeMap<RepoPath, Bytes> =
        over.iter().map(|(path, text)| (path.parse().unwrap(), (*text).to_owned().into())).collect();
    generator.checkout(&repo, &tree, &over).await
}

/// A private copy of these files, with the default limits.
pub(crate) async fn checkout(files: &[(&str, &str)]) -> Box<dyn Checkout> {
    checkout_by(&ProcessGenerator::builder().build(), files, &[]).await.unwrap()
}

/// A command that is run in the root, for at most 20 s.
pub(crate) fn command(text: &str) -> Run {
    Run {
        command: text.to_owned(),
        folder: String::new(),
        env: BTreeMap::new(),
        timeout: Duration::from_secs(20),
        place: Place::start_of(".flux.yaml"),
    }
}

/// Runs a command in the root, and returns what it printed.
pub(crate) async fn print(checkout: &mut dyn Checkout, text: &str) -> String {
    let output = checkout.run(&command(text)).await.unwrap();
    String::from_utf8(output.stdout.to_vec()).unwrap()
}

/// Waits for the end of the process whose id a file holds.
pub(crate) fn is_gone(pid: &Path) {
    let pid = std::fs::read_to_string(pid).unwrap();
    let stat = format!("/proc/{}/stat", pid.trim());
    let start = Instant::now();
    // Killed it is at once; gone, or a zombie that nobody waited for, when the kernel comes to it.
    while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(start.elapsed() < Duration::from_secs(20), "what the command started is still there");
        std::thread::yield_now();
    }
}
