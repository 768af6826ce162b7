//! Files made to exhaust memory are refused with a finding, within bounded memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    process::Command,
    sync::Arc,
};

use flux_core::{
    Code, Position,
    deployer::Deployer,
    generate::Generation,
    manifest::ParsedFile,
    manifest_set::Manifests,
    memory::{MemoryCluster, MemoryRegistry, MemoryRepo},
    workload::parse,
};
use futures::executor::block_on;

const A: &str = "apiVersion: v1\nkind: A\nmetadata: {name: a}\n";

fn refused(source: &[u8], code: Code) -> ParsedFile {
    let file = parse(source);
    assert!(file.problems.iter().any(|p| p.code == code), "{:?}", file.problems.first());
    file
}

#[test]
fn a_file_of_200_megabytes() {
    let file = refused(&vec![b'a'; 200 << 20], Code::TooLarge);
    assert_eq!(file.resources, []);
}

#[test]
fn a_million_brackets() {
    for (open, doc) in [("[", 1_000_000), ("{a: ", 300_000), ("- ", 500_000), ("? ", 500_000)] {
        let source = format!("{A}---\n{}\n---\n{A}", open.repeat(doc));
        let file = refused(source.as_bytes(), Code::TooLarge);
        assert!(!file.resources.is_empty(), "{open}");
    }
}

#[test]
fn anchors_that_multiply_64_times() {
    for item in ["[", "{x: ", "{<<: ["] {
        let mut source = format!("{A}---\n{A}spec:\n  l0: &l0 {{a: b}}\n");
        for level in 1..64 {
            let of = level - 1;
            let line = match item {
                "[" => format!(
                    "  l{level}: &l{level} [*l{of}, *l{of}, *l{of}, *l{of}, *l{of}, *l{of}, *l{of}, *l{of}]\n"
                ),
                "{x: " => format!("  l{level}: &l{level} {{x: *l{of}, y: *l{of}, z: *l{of}}}\n"),
                _ => format!("  l{level}: &l{level} {{<<: [*l{of}, *l{of}, *l{of}]}}\n"),
            };
            source.push_str(&line);
        }
        let file = refused(source.as_bytes(), Code::TooLarge);
        assert_eq!(file.resources.len(), 1);
    }
}

#[test]
fn a_long_text_repeated_by_aliases() {
    let text = "x".repeat(1 << 20);
    let source = format!("{A}spec:\n  t: &t {text}\n  l: [{}]\n", "*t, ".repeat(1_000));
    refused(source.as_bytes(), Code::TooLarge);
}

#[test]
fn more_values_than_anyone_needs() {
    let source = format!("{A}spec: [{}]\n", "1,".repeat(2_000_001));
    refused(source.as_bytes(), Code::TooLarge);
}

#[test]
fn bytes_that_are_no_yaml() {
    for (source, line, column) in [
        (&b"apiVersion: v1\nkind: \xff\n"[..], 2, 7),
        (b"apiVersion: v1\nkind: a\0b\n", 2, 8),
        (b"\xfe\xff\0a", 1, 1),
        (b"a: \x1b[31m", 1, 4),
        ("é: \u{7f}".as_bytes(), 1, 4),
    ] {
        let file = refused(source, Code::InvalidYaml);
        assert_eq!(file.problems[0].position, Position { line, column });
    }
}

#[test]
fn more_broken_documents_than_are_reported() {
    let file = refused("--- 1\n".repeat(100_000).as_bytes(), Code::TooLarge);
    assert!(file.problems.len() < 2_000);
}

#[test]
fn very_long_lines_keys_and_many_anchors() {
    let long = "k".repeat(1 << 20);
    parse(format!("{A}? {long}\n: {long}\n").as_bytes());
    parse(format!("{A}spec: {long}: {long}\n").as_bytes());
    let anchors: String = (0..100_000).map(|i| format!("  a{i}: &a{i} x\n")).collect();
    assert_eq!(parse(format!("{A}spec:\n{anchors}").as_bytes()).resources.len(), 1);
}

#[test]
fn many_of_a_kind_are_read_whole() {
    const X: &str = "apiVersion: x.io/v1\nkind: A\nmetadata: {name: a}\nspec:\n";
    let count = 30_000;
    let numbered = |head: &str, line: &dyn Fn(usize) -> String| {
        let mut source = head.to_owned();
        (0..count).for_each(|i| source.push_str(&line(i)));
        source
    };
    let release = "apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata:\n  name: a\n  annotations:\n";
    let named = numbered(release, &|i| format!("    repository.fluxcd.io/c{i}: a.b{i}\n"));
    let sources = [
        // Marks of one policy, on whole images and on tags, on lines of their own and on one line.
        (count, numbered(X, &|_| "- a:1 # {\"$imagepolicy\": \"ns:p\"}\n".to_owned())),
        (count, numbered(X, &|_| "- name: a\n  tag: b # {\"$imagepolicy\": \"ns:p:tag\"}\n".to_owned())),
        (1, numbered(&format!("{X}  ["), &|_| "a:1,".to_owned()) + "b:1] # {\"$imagepolicy\": \"ns:p\"}\n"),
        // Annotations that name images in one mapping.
        (count, numbered(&format!("{named}spec:\n  values:\n    a:\n"), &|i| format!("      b{i}: x:1\n"))),
        // Documents, and places that are mended.
        (0, numbered("", &|_| format!("---\n{A}"))),
        (0, numbered(&format!("{A}spec: [\n"), &|_| "\t\"a\",\n".to_owned()) + "]\n"),
        (0, numbered(&format!("{A}spec: \""), &|_| "a\n".to_owned()) + "\"\n"),
        (
            0,
            numbered("", &|_| {
                "{\"apiVersion\":\"v1\",\"kind\":\"A\",\"metadata\":{\"name\":\"a\"}}\n".to_owned()
            }),
        ),
    ];
    for (containers, source) in sources {
        let file = parse(source.as_bytes());
        assert_eq!(file.problems, [], "{source:.200}");
        let found: usize = file.resources.iter().flat_map(|r| r.workload.iter()).map(Vec::len).sum();
        assert_eq!(found, containers, "{source:.200}");
    }
    // More places than are mended.
    refused(numbered(&format!("{A}spec:\n"), &|_| "- \"it\\'s\"\n".to_owned()).as_bytes(), Code::InvalidYaml);
}

#[test]
fn an_object_described_many_times_is_reported_with_some_of_its_places() {
    let file = Arc::new(parse(format!("---\n{A}").repeat(10_000).as_bytes()));
    let findings = Manifests::new([("a.yaml".parse().unwrap(), file)].into()).findings();
    assert_eq!(findings.len(), 1);
    assert!(findings[0].evidence.contains("a.yaml:78:1, 9979 more places"), "{:.2000}", findings[0].evidence);
}

/// The environment variable that makes this binary load the hostile repository, in a separate
/// process.
const CHILD: &str = "FLUX_TEST_HOSTILE_CHILD";

/// The memory that loading may take, files included, in KiB of address space.
const MEMORY: u32 = 768 << 10;

/// Returns one hostile file of each kind, with the code of its finding.
fn hostile() -> Vec<(&'static str, Option<Code>, Vec<u8>)> {
    let mut bombs = format!("{A}spec:\n  l0: &l0 {{image: x, b: [1, 2, 3]}}\n");
    for level in 1..64 {
        let of = level - 1;
        let _ =
            writeln!(bombs, "  l{level}: &l{level} [*l{of}, *l{of}, *l{of}, *l{of}, *l{of}, *l{of}, *l{of}]");
    }
    // As large as the limits allow, to show that the kept data is bounded too.
    let leaves = format!(
        "apiVersion: x.io/v1\nkind: A\nmetadata: {{name: many}}\nspec: [{}]\n",
        "a:1,".repeat(1_000_000)
    );
    let long = format!(
        "apiVersion: x.io/v1\nkind: A\nmetadata: {{name: long}}\nspec:\n  {}: [{}]\n",
        "k".repeat(1_000),
        "a:1,".repeat(100_000)
    );
    vec![
        ("b.yaml", Some(Code::TooLarge), bombs.into_bytes()),
        ("c.yaml", Some(Code::TooLarge), format!("{A}---\n{}", "[".repeat(1_000_000)).into_bytes()),
        ("d.yaml", Some(Code::TooLarge), vec![b'a'; 200 << 20]),
        ("e.yaml", Some(Code::InvalidYaml), [A.as_bytes(), b"data: \xff\n"].concat()),
        ("f.yaml", Some(Code::InvalidYaml), format!("{A}data: a\0b\n").into_bytes()),
        ("g.yaml", Some(Code::TooLarge), format!("{A}spec: [{}]\n", "1,".repeat(2_000_001)).into_bytes()),
        ("h.yaml", None, leaves.into_bytes()),
        ("i.yaml", None, long.into_bytes()),
    ]
}

/// Loads the hostile repository; the test below runs this in a process with limited memory.
#[test]
fn the_hostile_repository_in_a_process_of_its_own() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let good = |name: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec: {{template: {{spec: {{containers: [{{name: c, image: a:1}}]}}}}}}\n"
        )
    };
    let mut files = BTreeMap::new();
    files.insert("a.yaml".parse().unwrap(), Arc::new(parse(good("a").as_bytes())));
    let mut wanted = BTreeMap::new();
    for (path, code, source) in hostile() {
        files.insert(path.parse().unwrap(), Arc::new(parse(&source)));
        wanted.extend(code.map(|code| (path, code)));
    }
    files.insert("z.yaml".parse().unwrap(), Arc::new(parse(good("z").as_bytes())));
    let manifests = Manifests::new(files);
    let names: Vec<&str> = manifests.workloads().map(|w| w.path.as_str()).collect();
    assert_eq!(names, ["a.yaml", "z.yaml"]);
    let findings = manifests.findings();
    let reported: BTreeMap<&str, Code> =
        findings.iter().map(|f| (&*f.place.as_ref().unwrap().path, f.code)).collect();
    assert_eq!(reported, wanted);
    // Items below a long key, in files whose mistakes are reported at their lines.
    let below = format!("? {}\n:\n{}", "k".repeat(1 << 20), "- a\n".repeat(20_000));
    let repo = MemoryRepo::new([("kustomization.yaml", below.clone()), ("sub/.flux.yaml", below)]);
    let generation = Generation::off(vec!["sub".to_owned(), String::new()]);
    let (registry, cluster) = (Arc::new(MemoryRegistry::new()), Arc::new(MemoryCluster::new()));
    let deployer = Deployer::new(Arc::new(repo), registry, cluster).with_generation(generation);
    let findings = block_on(deployer.check()).unwrap().findings;
    let reported: Vec<String> =
        findings.iter().map(|f| format!("{} {}", f.code, f.place.as_ref().unwrap())).collect();
    let wanted = [
        "invalid-generation sub/.flux.yaml:1:1",
        "invalid-generation sub/.flux.yaml:1:3",
        "invalid-kustomization kustomization.yaml:1:3",
    ];
    assert_eq!(reported.into_iter().collect::<BTreeSet<_>>(), wanted.map(str::to_owned).into());
}

#[cfg(unix)]
#[test]
fn a_hostile_repository_loads_within_bounded_memory() {
    let binary = std::env::current_exe().unwrap();
    let test = "manifest::hostile::the_hostile_repository_in_a_process_of_its_own";
    let output = Command::new("sh")
        .args(["-c", &format!("ulimit -v {MEMORY} && exec \"$0\" --exact {test} --test-threads=1")])
        .arg(binary)
        .env(CHILD, "1")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.contains("1 passed"), "{}: {printed}", output.status);
}
