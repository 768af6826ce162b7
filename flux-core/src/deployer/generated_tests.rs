//! Generated manifests around the planners: a generator that runs nothing, and knows two words.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::executor::block_on;
use jiff::Timestamp;

use super::*;
use crate::{
    backend::{Clock, FileBody, Tree},
    finding::{Code, Finding},
    generate::{Checkout, GenerateError, Generation, Generator, Output, Run},
    memory::{MemoryCluster, MemoryRegistry, MemoryRepo},
};

/// `print FILE` prints a file; `fail` fails as often as it was told to, then prints nothing.
#[derive(Clone, Debug, Default)]
struct Words {
    runs: Arc<AtomicUsize>,
    failures: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Copy(Words, BTreeMap<String, Bytes>);

#[async_trait]
impl Generator for Words {
    async fn checkout(
        &self,
        repo: &dyn ConfigRepo,
        tree: &Tree,
        over: &BTreeMap<String, Bytes>,
    ) -> Result<Box<dyn Checkout>, GenerateError> {
        let ids: Vec<_> = tree.files().map(|(_, id)| id.clone()).collect();
        let bodies = repo.read(&ids, u64::MAX).await?.into_iter().map(|body| match body {
            FileBody::Bytes(bytes) => bytes,
            FileBody::TooLarge { .. } => Bytes::new(),
        });
        let mut files: BTreeMap<String, Bytes> = tree.file_paths().map(str::to_owned).zip(bodies).collect();
        files.extend(over.clone());
        Ok(Box::new(Copy(self.clone(), files)))
    }
}

#[async_trait]
impl Checkout for Copy {
    async fn run(&mut self, run: &Run) -> Result<Output, GenerateError> {
        let Self(words, files) = self;
        words.runs.fetch_add(1, Ordering::SeqCst);
        if words.failures.load(Ordering::SeqCst) > 0 {
            words.failures.fetch_sub(1, Ordering::SeqCst);
            let (command, status) = (run.command.clone(), "exit status: 1".to_owned());
            return Err(GenerateError::Failed {
                command,
                status,
                stderr: "the wind was against it".to_owned(),
            });
        }
        let file = run.command.strip_prefix("print ").unwrap_or_default();
        Ok(Output { stdout: files.get(&format!("{}/{file}", run.folder)).cloned().unwrap_or_default() })
    }

    async fn changes(&mut self) -> Result<BTreeMap<String, Option<Bytes>>, GenerateError> {
        Ok(BTreeMap::new())
    }
}

const FLUX_YAML: &str = "version: 1\ncommandUpdated: {generators: [{command: print web.txt}]}\n";
const WEB: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n";

fn deployer(words: &Words) -> (MemoryRepo, Deployer) {
    let repo =
        MemoryRepo::new([("prod/.flux.yaml", FLUX_YAML), ("prod/web.txt", WEB), ("raw/x.yaml", "a: [")]);
    let deployer = Deployer::new(
        Arc::new(repo.clone()),
        Arc::new(MemoryRegistry::new()),
        Arc::new(MemoryCluster::new()),
    )
    .with_generation(Generation::by(Arc::new(words.clone()), vec!["prod".to_owned()]));
    (repo, deployer)
}

#[test]
fn what_was_generated_for_a_revision_is_not_generated_again() {
    let words = Words::default();
    let (repo, deployer) = deployer(&words);
    for _ in 0..3 {
        let look = block_on(deployer.look()).unwrap();
        assert_eq!(look.manifests.resources().count(), 1);
        assert!(
            look.findings.is_empty(),
            "what is outside of the paths is not looked at: {:?}",
            look.findings
        );
    }
    assert_eq!(words.runs.load(Ordering::SeqCst), 1);
    repo.push_file("prod/web.txt", WEB.replace("web", "shop"), "Rename it");
    let look = block_on(deployer.look()).unwrap();
    assert_eq!(look.manifests.resources().next().unwrap().resource.name, "shop");
}

/// A clock that is set by hand.
#[derive(Clone, Debug, Default)]
struct Hands(Arc<AtomicI64>);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

#[test]
fn what_failed_is_told_for_a_while_and_then_tried_again() {
    let (words, clock) = (Words::default(), Hands::default());
    words.failures.store(2, Ordering::SeqCst);
    let (_, deployer) = deployer(&words);
    let deployer = deployer.with_clock(Arc::new(clock.clone()));
    // One operation looks several times.
    for (second, runs) in [(0, 1), (0, 1), (29, 1), (30, 2), (31, 2)] {
        clock.0.store(second, Ordering::SeqCst);
        let look = block_on(deployer.look()).unwrap();
        assert_eq!(look.findings.iter().map(|f| f.code).collect::<Vec<_>>(), [Code::GenerationFailed]);
        assert!(look.findings[0].evidence.contains("the wind was against it"));
        assert!(look.findings[0].code.hides_objects());
        assert_eq!(words.runs.load(Ordering::SeqCst), runs, "at {second}s");
    }
    // Also when the clock was set back.
    clock.0.store(29, Ordering::SeqCst);
    let look = block_on(deployer.look()).unwrap();
    assert_eq!((look.findings.len(), look.manifests.resources().count()), (0, 1));
    assert_eq!(words.runs.load(Ordering::SeqCst), 3);
}

#[test]
fn without_a_generator_nothing_is_run_and_the_path_is_not_loaded() {
    let repo = MemoryRepo::new([("prod/.flux.yaml", FLUX_YAML), ("prod/web.yaml", WEB)]).with_paths(["prod"]);
    let deployer =
        Deployer::new(Arc::new(repo), Arc::new(MemoryRegistry::new()), Arc::new(MemoryCluster::new()))
            .with_generation(Generation::off(vec!["prod".to_owned()]));
    let look = block_on(deployer.look()).unwrap();
    assert_eq!(look.findings.iter().map(|f| f.code).collect::<Vec<_>>(), [Code::GenerationOff]);
    assert_eq!(look.manifests.resources().count(), 0);
}

#[test]
fn places_in_what_was_printed_are_told_as_those_of_the_command() {
    let (_, deployer) = deployer(&Words::default());
    let look = block_on(deployer.look()).unwrap();
    let told = |evidence: &str| {
        let mut findings = [Finding {
            code: Code::DuplicateId,
            subject: "x".to_owned(),
            place: None,
            evidence: evidence.to_owned(),
            remedy: String::new(),
        }];
        generate::told(&look.generated, &mut findings);
        findings[0].evidence.clone()
    };
    let by =
        |line: u32| format!("prod/.flux.yaml:2:32 (line {line}, column 1 of what `print web.txt` prints)");
    let at = |line: u32| format!("prod/.flux.yaml#generated:{line}:1");
    for (text, wanted) in [
        (at(3), by(3)),
        (format!("at {}, {} as well", at(1), at(2)), format!("at {}, {} as well", by(1), by(2))),
        (format!("at other/{}", at(1)), format!("at other/{}", at(1))),
        ("prod/.flux.yaml#generated:x".to_owned(), "prod/.flux.yaml#generated:x".to_owned()),
        ("#generated:1:1".to_owned(), "#generated:1:1".to_owned()),
        // However many they are.
        (format!("{}, ", at(7)).repeat(100_000), format!("{}, ", by(7)).repeat(100_000)),
    ] {
        assert!(told(&text) == wanted, "{:.200}\n{:.200}", told(&text), wanted);
    }
}
