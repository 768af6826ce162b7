//! Recognising files that only become YAML once a template engine has gone over them.

use crate::finding::{Code, Problem};

/// Whether a text that cannot be read as YAML is a template: `{{` stands where YAML has a value, a list item or a line of its own.
pub(crate) fn is_template(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start();
        !line.starts_with('#')
            && (line.starts_with("{{")
                || [": {{", "- {{", ":{{", "={{"].iter().any(|mark| line.contains(mark)))
    })
}

/// The problem of such a text.
pub(crate) fn problem(place: (u32, u32), parser: &str) -> Problem {
    let evidence = format!("it is a template (`{{{{ … }}}}`), not YAML: {parser}");
    let remedy = "keep templates outside of the synced paths, in a chart folder (one with Chart.yaml and values.yaml) for example";
    Problem::new(Code::Template, place, evidence, remedy)
}
