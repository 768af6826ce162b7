//! The rules hold in this workspace. With `FLUX_HOUSE=report` the problems are only counted.

use std::{collections::BTreeMap, env, path::Path};

use flux_house::{check, crate_roots};

#[test]
fn the_workspace_keeps_its_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace").to_path_buf();
    let crates = crate_roots(&root).unwrap_or_else(|error| panic!("{error}"));
    let problems = check(&root, &crates).unwrap_or_else(|error| panic!("{error}"));
    if env::var("FLUX_HOUSE").is_ok_and(|mode| mode == "report") {
        let mut counts = BTreeMap::new();
        for problem in &problems {
            *counts.entry(problem.rule).or_insert(0) += 1;
        }
        for (rule, count) in counts {
            println!("{rule}: {count}");
        }
        return;
    }
    let lines: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
    assert!(problems.is_empty(), "{} problems\n{lines}", problems.len());
}
