//! Rules on words: the names in a file, and flags in the strings of a library.

use proc_macro2::{TokenStream, TokenTree};

use crate::{
    module_tree::ModuleTree,
    problem::{Error, Problem, Rule},
    tokens::plain,
};

/// Names that nobody would search for, in the spelling of functions and of types.
const RIDDLES: [&str; 7] = ["told", "Told", "retold", "said", "Said", "meant", "Meant"];
/// Names that are refused for functions and types only; as a variable they read as English.
const RIDDLES_AS_ITEMS: [&str; 6] = ["made", "Made", "met", "Met", "held", "Held"];
/// Commands whose flags a remedy may name, in backticks and with the command.
const FOREIGN_COMMANDS: [(&str, &str); 3] = [
    ("git ", "a remedy for a repository is a command of git"),
    ("kubectl ", "a remedy for a cluster is a command of kubectl"),
    ("kustomize ", "a kustomization is built by a command of kustomize"),
];

/// Returns the names in `source` that are no words of the field.
pub(crate) fn names(file: &str, source: &str) -> Result<Vec<Problem>, Error> {
    let tokens: TokenStream = source.parse().map_err(|error: proc_macro2::LexError| Error::Syntax {
        file: file.to_owned(),
        line: error.span().start().line,
        message: error.to_string(),
    })?;
    let mut problems = Vec::new();
    add_names(file, tokens, &mut problems);
    Ok(problems)
}

fn add_names(file: &str, tokens: TokenStream, problems: &mut Vec<Problem>) {
    let mut defines = false;
    for tree in tokens {
        if let TokenTree::Group(group) = &tree {
            add_names(file, group.stream(), problems);
        }
        let TokenTree::Ident(ident) = tree else {
            defines = false;
            continue;
        };
        let name = plain(&ident);
        if RIDDLES.contains(&name.as_str()) || defines && RIDDLES_AS_ITEMS.contains(&name.as_str()) {
            let line = ident.span().start().line;
            let message = format!("nobody searches for the name `{name}`: use a term of the field");
            problems.push(Problem { rule: Rule::Name, file: file.to_owned(), line, message });
        }
        defines =
            ["fn", "struct", "enum", "trait", "type", "mod", "const", "static"].contains(&name.as_str());
    }
}

/// Returns the strings of a library that name a flag of a command line.
pub(crate) fn flags(tree: &ModuleTree) -> Vec<Problem> {
    let literals = tree
        .modules
        .iter()
        .flat_map(|module| module.body.literals.iter().map(|(literal, line)| (&module.file, literal, line)));
    let named = literals.filter_map(|(file, literal, line)| {
        let flag = own_flag(literal)?;
        let message = format!("a library has no command line, and this string names `{flag}`");
        Some(Problem { rule: Rule::Flag, file: file.clone(), line: *line, message })
    });
    named.collect()
}

/// Returns the first flag in a string literal that is no foreign command's.
fn own_flag(literal: &str) -> Option<&str> {
    if !literal.contains('"') {
        return None;
    }
    literal.match_indices("--").map(|(at, _)| at).find_map(|at| {
        let name = literal[at + 2..].find(|next: char| !next.is_ascii_lowercase() && next != '-');
        let end = name.map_or(literal.len(), |length| at + 2 + length);
        let is_flag = literal[at + 2..end].starts_with(|first: char| first.is_ascii_lowercase())
            && !literal[..at].ends_with(|before: char| before.is_alphanumeric() || before == '-');
        (is_flag && !is_foreign(&literal[..at])).then(|| &literal[at..end])
    })
}

/// Returns `true` when the text before a flag opens a quoted command of another program.
fn is_foreign(before: &str) -> bool {
    let quoted = before.rfind('`').map(|quote| &before[quote + 1..]);
    quoted.is_some_and(|quoted| FOREIGN_COMMANDS.iter().any(|(command, _)| quoted.starts_with(command)))
}
