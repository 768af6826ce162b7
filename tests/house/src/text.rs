//! Rules on the text of a file: its doc comments and its length.

use crate::problem::{Problem, Rule};

/// The most columns of a line in a doc comment.
const COLUMNS: usize = 100;
/// The most lines of a file.
const LINES: usize = 450;
/// Words that a doc comment does not begin with: it says what a thing is or does.
const QUESTIONS: [&str; 3] = ["What", "Whether", "Who"];

/// Returns the lines of doc comments that are too wide or begin with a question word.
pub(crate) fn doc_comments(file: &str, source: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut in_code = false;
    for (index, line) in source.lines().enumerate() {
        let Some(text) = doc_text(line) else {
            in_code = false;
            continue;
        };
        let problem = |rule, message| Problem { rule, file: file.to_owned(), line: index + 1, message };
        let columns = line.chars().count();
        if columns > COLUMNS && can_be_wrapped(text) {
            problems.push(problem(Rule::DocWidth, format!("{columns} columns, {COLUMNS} are allowed")));
        }
        if text.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code
            && let Some(word) = QUESTIONS.iter().find(|word| begins_with_word(text.trim_start(), word))
        {
            problems
                .push(problem(Rule::DocQuestion, format!("a line of a doc comment begins with \"{word}\"")));
        }
    }
    problems
}

/// Returns a problem for a file that is too long.
pub(crate) fn length(file: &str, source: &str) -> Option<Problem> {
    let lines = source.lines().count();
    let message = format!("{lines} lines, {LINES} are allowed");
    (lines > LINES).then(|| Problem {
        rule: Rule::FileLength,
        file: file.to_owned(),
        line: LINES + 1,
        message,
    })
}

/// Returns the text of a line of a doc comment.
fn doc_text(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let text = line.strip_prefix("//!").or_else(|| line.strip_prefix("///"))?;
    (!text.starts_with('/')).then_some(text)
}

/// Returns `false` for rows of tables, for definitions of links and for a single word.
fn can_be_wrapped(text: &str) -> bool {
    let text = text.trim();
    let target = text.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
    let is_link = target.is_some_and(|(_, target)| !target.contains(' '));
    !text.starts_with('|') && !is_link && text.contains(' ')
}

fn begins_with_word(text: &str, word: &str) -> bool {
    let rest = text.strip_prefix(word);
    rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
}
