//! Recognising templates: files that become YAML only when a template engine renders them.

use crate::{
    finding::{Code, Problem},
    position::Position,
};

/// Returns `true` if a text that cannot be read as YAML is a template.
///
/// It is one if `{{` stands where YAML has a value, a list item or a line of its own.
pub(crate) fn is_template(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start();
        !line.starts_with('#')
            && (line.starts_with("{{")
                || [": {{", "- {{", ":{{", "={{"].iter().any(|mark| line.contains(mark)))
    })
}

/// Returns the problem of a template.
pub(crate) fn problem(position: Position, parser: &str) -> Problem {
    let evidence = format!("it is a template (`{{{{ … }}}}`), not YAML: {parser}");
    let remedy = "keep templates outside of the synced paths, in a chart folder (one with Chart.yaml and values.yaml) for example";
    Problem::new(Code::Template, position, evidence, remedy)
}
