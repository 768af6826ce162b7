//! Generated manifests around the planners: a generator that runs nothing, and has two commands.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use flux_core::{
    RepoPath,
    backend::{Clock, ConfigRepo, FileBody, Tree},
    deployer::{DeployError, Deployer, PreparedRelease},
    finding::Code,
    generate::{Checkout, GenerateError, Generation, Generator, Output, Run},
    memory::{MemoryCluster, MemoryRegistry, MemoryRepo},
    release::Request,
};
use futures::executor::block_on;
use jiff::Timestamp;

use super::{manifest, options, registry, web};

/// A generator with the command `print FILE`, which prints a file and can be set to fail.
#[derive(Clone, Debug, Default)]
struct Words {
    runs: Arc<AtomicUsize>,
    failures: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Copy(Words, BTreeMap<RepoPath, Bytes>);

#[async_trait]
impl Generator for Words {
    async fn checkout(
        &self,
        repo: &dyn ConfigRepo,
        tree: &Tree,
        over: &BTreeMap<RepoPath, Bytes>,
    ) -> Result<Box<dyn Checkout>, GenerateError> {
        let ids: Vec<_> = tree.files().map(|(_, id)| id.clone()).collect();
        let bodies = repo.read(&ids, u64::MAX).await?.into_iter().map(|body| match body {
            FileBody::Bytes(bytes) => bytes,
            FileBody::TooLarge { .. } => Bytes::new(),
        });
        let mut files: BTreeMap<RepoPath, Bytes> = tree.file_paths().cloned().zip(bodies).collect();
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
        Ok(Output {
            stdout: files.get(format!("{}/{file}", run.folder).as_str()).cloned().unwrap_or_default(),
        })
    }

    async fn changes(&mut self) -> Result<BTreeMap<RepoPath, Option<Bytes>>, GenerateError> {
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
        let loaded = block_on(deployer.load()).unwrap();
        assert_eq!(loaded.manifests.resources().count(), 1);
        assert!(
            loaded.findings.is_empty(),
            "what is outside of the paths is not looked at: {:?}",
            loaded.findings
        );
    }
    assert_eq!(words.runs.load(Ordering::SeqCst), 1);
    repo.push_file("prod/web.txt", WEB.replace("web", "shop"), "Rename it");
    let loaded = block_on(deployer.load()).unwrap();
    assert_eq!(loaded.manifests.resources().next().unwrap().resource.name, "shop");
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
fn a_failure_is_remembered_for_a_while_and_then_tried_again() {
    let (words, clock) = (Words::default(), Hands::default());
    words.failures.store(2, Ordering::SeqCst);
    let (_, deployer) = deployer(&words);
    let deployer = deployer.with_clock(Arc::new(clock.clone()));
    // One operation asks for the time several times.
    for (second, runs) in [(0, 1), (0, 1), (29, 1), (30, 2), (31, 2)] {
        clock.0.store(second, Ordering::SeqCst);
        let loaded = block_on(deployer.load()).unwrap();
        assert_eq!(loaded.findings.iter().map(|f| f.code).collect::<Vec<_>>(), [Code::GenerationFailed]);
        assert!(loaded.findings[0].evidence.contains("the wind was against it"));
        assert!(loaded.findings[0].code.hides_objects());
        assert_eq!(words.runs.load(Ordering::SeqCst), runs, "at {second}s");
    }
    // Also when the clock is set back.
    clock.0.store(29, Ordering::SeqCst);
    let loaded = block_on(deployer.load()).unwrap();
    assert_eq!((loaded.findings.len(), loaded.manifests.resources().count()), (0, 1));
    assert_eq!(words.runs.load(Ordering::SeqCst), 3);
}

#[test]
fn without_a_generator_nothing_is_run_and_the_path_is_not_loaded() {
    let repo = MemoryRepo::new([("prod/.flux.yaml", FLUX_YAML), ("prod/web.yaml", WEB)]).with_paths(["prod"]);
    let deployer =
        Deployer::new(Arc::new(repo), Arc::new(MemoryRegistry::new()), Arc::new(MemoryCluster::new()))
            .with_generation(Generation::off(vec!["prod".to_owned()]));
    let loaded = block_on(deployer.load()).unwrap();
    assert_eq!(loaded.findings.iter().map(|f| f.code).collect::<Vec<_>>(), [Code::GenerationOff]);
    assert_eq!(loaded.manifests.resources().count(), 0);
}

const FLUX_YAML_OF_TWO: &str =
    "version: 1\ncommandUpdated:\n  generators:\n  - command: print web.txt\n  - command: print shop.txt\n";

#[test]
fn places_in_outputs_are_those_of_the_commands_that_printed_them() {
    let words = Words::default();
    let (repo, deployer) = deployer(&words);
    // The second command prints the object of the first again, and something that is no object.
    repo.push_file("prod/.flux.yaml", FLUX_YAML_OF_TWO, "Two commands");
    repo.push_file("prod/shop.txt", format!("{WEB}---\n{WEB}---\nkind: Oven\n"), "Thrice");
    let loaded = block_on(deployer.load()).unwrap();
    let texts: Vec<String> = loaded.findings.iter().map(ToString::to_string).collect();
    let (of_web, of_shop) = (
        "prod/.flux.yaml:4:5 (line 1, column 1 of the output of `print web.txt`)",
        "prod/.flux.yaml:5:5 (line 1, column 1 of the output of `print shop.txt`)",
    );
    let twice = texts.iter().find(|text| text.contains("duplicate-id")).unwrap();
    let start = "prod/.flux.yaml:5:5: default:configmap/web [duplicate-id]: line 5, column 1 of the output of `print shop.txt`: it is described at";
    assert!(twice.starts_with(start), "{twice}");
    assert!(twice.contains(&format!("{of_web}, {of_shop} as well")), "{twice}");
    let no_object = loaded.findings.iter().find(|finding| finding.code == Code::NotAnObject).unwrap();
    let place = no_object.place.as_ref().unwrap();
    assert_eq!((&*place.path, place.position.to_string()), ("prod/.flux.yaml", "5:5".to_owned()));
    assert_eq!(place.output.as_ref().unwrap().command, "print shop.txt");
    assert!(texts.iter().all(|text| !text.contains("#generated:")), "{texts:?}");
}

const PATCHED: &str =
    "version: 1\npatchUpdated: {generators: [{command: print web.txt}], patchFile: p.yaml}\n";

#[test]
fn a_prepared_release_of_generated_workloads_is_generated_again_before_it_lands() {
    let words = Words::default();
    let repo =
        MemoryRepo::new([("prod/.flux.yaml", PATCHED.to_owned()), ("prod/web.txt", manifest("web", "1.0"))]);
    let deployer = || {
        let cluster = Arc::new(MemoryCluster::new());
        Deployer::new(Arc::new(repo.clone()), Arc::new(registry()), cluster)
            .with_generation(Generation::by(Arc::new(words.clone()), vec!["prod".to_owned()]))
    };
    let planning = deployer();
    block_on(planning.sync(&options(), &())).unwrap();
    let prepared = block_on(planning.plan_release(&Request::latest(web()))).unwrap();
    assert_eq!(prepared.files.keys().collect::<Vec<_>>(), ["prod/p.yaml"]);
    let text = serde_json::to_string(&prepared).unwrap();
    let approved: PreparedRelease = serde_json::from_str(&text).unwrap();

    let mut altered = approved.clone();
    altered.files.insert("prod/p.yaml".parse().unwrap(), "kind: Deployment\n".into());
    let error = block_on(deployer().carry_out(altered)).unwrap_err();
    assert!(matches!(&error, DeployError::Altered { path, .. } if path == "prod/p.yaml"), "{error}");

    let runs = words.runs.load(Ordering::SeqCst);
    let landing = deployer();
    let report = block_on(landing.carry_out(approved)).unwrap();
    assert!(report.revision.is_some());
    // Once to load, and once to prove.
    assert_eq!(words.runs.load(Ordering::SeqCst), runs + 2);
    let loaded = block_on(landing.load()).unwrap();
    let image = &loaded.manifests.workload(&web()).unwrap().resource.workload.as_ref().unwrap()[0].image;
    assert_eq!(image.as_ref().unwrap().to_string(), "team/web:1.1");
}
