//! Circles of files and of folders among the imports of a crate.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::Path,
};

use crate::{
    imports::{Imports, Site},
    module_tree::ModuleTree,
    problem::{Problem, Rule},
};

/// The imports between files or folders: from, to, and the file and place of the first import.
type Graph = BTreeMap<String, BTreeMap<String, (String, Site)>>;

/// Returns a problem for every circle of files.
pub(crate) fn file_circles(imports: &Imports) -> Vec<Problem> {
    let graph = graph(imports, |file| Some(file.to_owned()));
    circles(&graph).into_iter().map(|circle| problem(Rule::FileCircle, &graph, &circle)).collect()
}

/// Returns a problem for every two folders that import each other.
///
/// Folders are looked at twice: each with the files directly in it, and the modules at the top of a
/// crate with all that is below them. A file `name.rs` beside a folder `name` belongs to the
/// folder, as `name/mod.rs` would. The root file of a crate belongs to no folder.
pub(crate) fn folder_circles(tree: &ModuleTree, imports: &Imports) -> Vec<Problem> {
    let files: BTreeSet<&str> = tree.modules.iter().map(|module| module.file.as_str()).collect();
    let folders: BTreeSet<String> = files.iter().map(|file| parent(file)).collect();
    let root = tree.modules.first().map(|module| module.file.clone()).unwrap_or_default();
    let direct = graph(imports, |file| {
        let stem = file.trim_end_matches(".rs");
        let own = if folders.contains(stem) { stem.to_owned() } else { parent(file) };
        (own != tree.folder).then_some(own)
    });
    let top = graph(imports, |file| {
        if file == root {
            return None;
        }
        let below = match tree.folder.is_empty() {
            true => Some(file),
            false => file.strip_prefix(&tree.folder).and_then(|rest| rest.strip_prefix('/')),
        };
        let Some(below) = below else { return Some(parent(file)) };
        let first = below.split('/').next().unwrap_or(below).trim_end_matches(".rs");
        Some(if tree.folder.is_empty() { first.to_owned() } else { format!("{}/{first}", tree.folder) })
    });
    let is_folder = |name: &String| folders.contains(name);
    let mut found = BTreeMap::new();
    for pair in circles(&top).into_iter().filter(|circle| circle.len() == 2) {
        if pair.iter().any(is_folder) {
            found.insert(pair.clone(), problem(Rule::FolderCircle, &top, &pair));
        }
    }
    for pair in circles(&direct).into_iter().filter(|circle| circle.len() == 2) {
        found.insert(pair.clone(), problem(Rule::FolderCircle, &direct, &pair));
    }
    found.into_values().collect()
}

fn parent(file: &str) -> String {
    Path::new(file).parent().map(|folder| folder.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Returns the imports between the nodes that `node` puts files into.
fn graph(imports: &Imports, node: impl Fn(&str) -> Option<String>) -> Graph {
    let mut graph = Graph::new();
    for ((from, to), site) in imports {
        let (Some(a), Some(b)) = (node(from), node(to)) else { continue };
        if a != b {
            graph.entry(a).or_default().entry(b).or_insert_with(|| (from.clone(), site.clone()));
        }
    }
    graph
}

/// Returns circles that have every edge that is in one, short circles first.
///
/// Each edge's shortest circle is a candidate; one whose edges are all in shorter circles says
/// nothing new and is left out.
fn circles(graph: &Graph) -> Vec<Vec<String>> {
    let mut candidates = BTreeSet::new();
    for (from, targets) in graph {
        for to in targets.keys() {
            let Some(mut circle) = way(graph, to, from) else { continue };
            let first = circle.iter().enumerate().min_by_key(|(_, name)| *name).map_or(0, |(index, _)| index);
            circle.rotate_left(first);
            candidates.insert((circle.len(), circle));
        }
    }
    let mut covered = BTreeSet::new();
    let mut found = Vec::new();
    for (_, circle) in candidates {
        let edges: Vec<_> = edges(&circle).map(|(from, to)| (from.clone(), to.clone())).collect();
        if !edges.iter().all(|edge| covered.contains(edge)) {
            covered.extend(edges);
            found.push(circle);
        }
    }
    found
}

/// Returns the edges of a circle, the one from its end to its start included.
fn edges(circle: &[String]) -> impl Iterator<Item = (&String, &String)> {
    circle.iter().zip(circle.iter().cycle().skip(1))
}

/// Returns the nodes of a shortest way, both ends included.
fn way(graph: &Graph, from: &str, to: &str) -> Option<Vec<String>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(node) = queue.pop_front() {
        if node == to {
            let mut nodes = vec![node.to_owned()];
            let mut at = node;
            while let Some(previous) = before.get(at).filter(|_| at != from) {
                nodes.push((*previous).to_owned());
                at = previous;
            }
            nodes.reverse();
            return Some(nodes);
        }
        for next in graph.get(node).into_iter().flat_map(BTreeMap::keys) {
            if next != from && !before.contains_key(next.as_str()) {
                before.insert(next, node);
                queue.push_back(next);
            }
        }
    }
    None
}

fn problem(rule: Rule, graph: &Graph, circle: &[String]) -> Problem {
    let mut message = match circle.len() {
        2 => "two import each other:".to_owned(),
        count => format!("{count} import each other in a circle:"),
    };
    let mut first = None;
    for (from, to) in edges(circle) {
        let Some((file, site)) = graph.get(from).and_then(|targets| targets.get(to)) else { continue };
        message.push_str(&format!("\n    {from} -> {to}, at {file}:{} ({})", site.line, site.path));
        first.get_or_insert_with(|| (file.clone(), site.line));
    }
    let (file, line) = first.unwrap_or_default();
    Problem { rule, file, line, message }
}
