//! Edits of one image, compared with ruamel.yaml, and loads of 10,000 resources.
//!
//! Flux v1 edited by the round trip of ruamel.yaml. The loads are cold, and after one file changed.
//!
//! `cargo bench --bench edit` prints medians and ratios. Both sides edit the same text in the same
//! run, from the text to the new text: ours reads the file, makes the edit, and proves it by
//! reading again what it touches; ruamel.yaml loads, sets and dumps in one Python process that
//! already runs, so that v1's cost of starting one for each edit (some 50 ms) is left out. The
//! second row is the edit of a file whose parse is known, as it is in a release: manifests were
//! loaded before it. The number of lines that differ afterwards is printed too: one is right.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench prints, and stops at what it cannot set up"
)]

mod figures;

use std::{
    collections::BTreeMap, fmt::Write as _, fs, path::Path, process::Command, sync::Arc, time::Duration,
};

use figures::{median, millis, timed};
use flux::{
    RepoPath,
    edit::{ImageChange, image_edits, prove_parsed},
    manifest::ParsedFile,
    manifest_set::Manifests,
    workload::parse,
};

const DOCUMENTS: usize = 282;
const STREAM_BYTES: usize = 2_650_000;
const RESOURCES: usize = 10_000;
const TURNS: usize = 7;

const OLD: &str = "registry.example/team/app:1.0.0";
const NEW: &str = "registry.example/team/app:1.0.1";

/// Edits the file that is named first, writes the result to the second, and prints the seconds.
const RUAMEL: &str = r"
import io, sys, time
from ruamel.yaml import YAML
source, target, name, image = sys.argv[1:5]
with open(source) as file:
    text = file.read()
start = time.perf_counter()
yaml = YAML()
yaml.preserve_quotes = True
yaml.width = 4096
documents = list(yaml.load_all(text))
for document in documents:
    if document['metadata']['name'] == name:
        document['spec']['template']['spec']['containers'][0]['image'] = image
out = io.StringIO()
yaml.dump_all(documents, out)
print(time.perf_counter() - start)
with open(target, 'w') as file:
    file.write(out.getvalue())
";

fn main() {
    // `cargo test --benches` runs this too: once, and small, is enough to see that it works.
    let bench = std::env::args().any(|a| a == "--bench");
    let (turns, scale) = if bench { (TURNS, 1) } else { (1, 50) };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let python = ruamel(folder.path());
    if python.is_none() {
        println!("no comparison: python3 has no ruamel.yaml; `pip install ruamel.yaml` brings it");
    }
    let per_document = STREAM_BYTES / DOCUMENTS;
    let small = document(0, 600);
    let stream: String =
        (0..DOCUMENTS / scale).map(|n| format!("---\n{}", document(n, per_document))).collect();
    edit("a small file", &small, 0, turns, python.as_deref(), folder.path());
    edit("a large stream", &stream, DOCUMENTS / scale / 2, turns, python.as_deref(), folder.path());
    load(RESOURCES / scale, turns);
}

/// Edits one image, from the text of a file to its new text.
fn edit(what: &str, text: &str, n: usize, turns: usize, python: Option<&Path>, folder: &Path) {
    let name = format!("app-{n}");
    let documents = text.matches("kind: Deployment").count();
    let (mut times, mut times_known) = (Vec::new(), Vec::new());
    let (mut edited, mut edited_known) = (Vec::new(), Vec::new());
    let parsed = parse(text.as_bytes());
    for _ in 0..turns {
        times.push(timed(|| edited = in_place(text, &parse(text.as_bytes()), &name)));
        times_known.push(timed(|| edited_known = in_place(text, &parsed, &name)));
    }
    assert_eq!(edited, edited_known);
    let (ours, known) = (median(times), median(times_known));
    println!("one image in {what} of {documents} documents, {} bytes, medians of {turns}:", text.len());
    let lines = differing(text, &String::from_utf8_lossy(&edited));
    println!("  flux, from the text {:>10.3} ms   {lines} line(s) differ", millis(ours));
    println!("  flux, parse known   {:>10.3} ms", millis(known));
    let Some(script) = python else { return };
    let (source, target) = (folder.join("source.yaml"), folder.join("target.yaml"));
    fs::write(&source, text).expect("the file is written");
    // A turn of the large one takes half a minute.
    let turns = if text.len() > 100_000 { 1 } else { turns };
    let run = || {
        let output = Command::new("python3").arg(script).args([&source, &target]).args([&name, NEW]).output();
        let output = output.expect("python3 runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let seconds = String::from_utf8_lossy(&output.stdout).trim().parse();
        Duration::from_secs_f64(seconds.expect("a number of seconds"))
    };
    let theirs = median((0..turns).map(|_| run()).collect());
    let lines = differing(text, &fs::read_to_string(&target).expect("the result is there"));
    let ratio = |ours: Duration| theirs.as_secs_f64() / ours.as_secs_f64();
    println!("  ruamel.yaml         {:>10.3} ms   {lines} line(s) differ", millis(theirs));
    println!(
        "  flux is {:.0} times as fast from the text, {:.0} times with the parse known",
        ratio(ours),
        ratio(known)
    );
}

/// Edits one image of a file with this parse, and proves the edit.
fn in_place(text: &str, file: &ParsedFile, name: &str) -> Vec<u8> {
    let resource = file.resources.iter().find(|r| r.name == name).expect("the object is there");
    let container = &resource.workload.as_ref().expect("it is a workload")[0];
    let to = NEW.parse().expect("an image");
    let path = "all.yaml".parse().expect("a path");
    let placed =
        image_edits(&[ImageChange { path: &path, container, to: &to }]).remove(0).expect("it is edited");
    let (edits, intents): (Vec<_>, Vec<_>) = placed.into_iter().map(|p| (p.edit, p.intent)).unzip();
    prove_parsed(text.as_bytes(), file, &edits, &intents).expect("the edit is proven")
}

/// Loads all manifests of a repository from their texts, and again when one file has changed.
fn load(resources: usize, turns: usize) {
    let texts: BTreeMap<RepoPath, String> = (0..resources)
        .map(|n| (format!("ns-{}/app-{n}.yaml", n % 20).parse().expect("a path"), document(n, 600)))
        .collect();
    let bytes: usize = texts.values().map(String::len).sum();
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for turn in 0..turns {
        let mut parsed: BTreeMap<RepoPath, Arc<ParsedFile>> = BTreeMap::new();
        cold.push(timed(|| {
            parsed =
                texts.iter().map(|(path, text)| (path.clone(), Arc::new(parse(text.as_bytes())))).collect();
            assert_eq!(Manifests::new(parsed.clone()).workloads().count(), resources);
        }));
        let (path, text) = texts.iter().nth(turn * 7 % resources).expect("a file");
        let changed = text.replace(OLD, NEW);
        warm.push(timed(|| {
            parsed.insert(path.clone(), Arc::new(parse(changed.as_bytes())));
            assert_eq!(Manifests::new(parsed.clone()).workloads().count(), resources);
        }));
    }
    let (cold, warm) = (median(cold), median(warm));
    println!("{resources} resources in as many files, {bytes} bytes, medians of {turns}:");
    println!("  cold                {:>10.3} ms", millis(cold));
    let ratio = cold.as_secs_f64() / warm.as_secs_f64();
    println!("  one file changed    {:>10.3} ms   {ratio:.0} times as fast", millis(warm));
}

/// Returns the script, if python3 has the modules that it needs.
fn ruamel(folder: &Path) -> Option<Box<Path>> {
    let has = Command::new("python3").args(["-c", "import ruamel.yaml"]).output();
    let script = folder.join("edit.py");
    fs::write(&script, RUAMEL).expect("the script is written");
    has.ok().filter(|output| output.status.success()).map(|_| script.into_boxed_path())
}

/// Returns a Deployment of about so many bytes, as people write them: comments, quotes, flow and
/// block.
fn document(n: usize, bytes: usize) -> String {
    let mut text = format!(
        "# app {n}\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app-{n}\n  namespace: ns-{}\n  labels: {{app: app-{n}, team: \"t{}\"}}\nspec:\n  \
         replicas: 2\n  selector:\n    matchLabels: {{app: app-{n}}}\n  template:\n    metadata:\n      labels: {{app: app-{n}}}\n    spec:\n      containers:\n      \
         - name: app\n        image: {OLD}   # released by hand\n        args: ['--port', \"8080\"]\n",
        n % 20,
        n % 7
    );
    if text.len() < bytes {
        text += "        env:\n";
    }
    let mut variable = 0;
    while text.len() < bytes {
        let _ = write!(
            text,
            "        - name: VARIABLE_{variable}\n          value: 'the value of {variable}'  # why\n"
        );
        variable += 1;
    }
    text
}

/// Counts the lines of the old text that are not in the new one at their place, from either end.
fn differing(old: &str, new: &str) -> usize {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    if old.len() == new.len() {
        return old.iter().zip(&new).filter(|(a, b)| a != b).count();
    }
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let left = old.len() - same;
    let tail = old.iter().rev().zip(new.iter().rev()).take(left).take_while(|(a, b)| a == b).count();
    left - tail
}
