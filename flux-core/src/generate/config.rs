//! Reading `.flux.yaml`, strictly.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{
    finding::{Code, Finding, Place},
    pointer::escape,
    policy::parse_duration,
    position::Position,
    yaml::{self, Places},
};

/// The shortest time limit that a command can have; less is taken for none.
const SHORTEST: Duration = Duration::from_secs(1);

/// The contents of a `.flux.yaml`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Config {
    /// `commandUpdated`.
    CommandUpdated {
        /// The commands that make the manifests.
        generators: Generators,
        /// The commands that change the files that they are made from, all of them in their order.
        updaters: Vec<Updater>,
    },
    /// `patchUpdated`.
    PatchUpdated {
        /// The commands that make the manifests.
        generators: Generators,
        /// The file of patches, from the git path.
        patch_file: String,
        /// Where it is named.
        patch_place: Place,
    },
    /// `scanForFiles`.
    ScanForFiles,
}

/// The commands that make manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Generators {
    /// The commands; what they print is put together.
    pub commands: Vec<Command>,
    /// Set if it is no mistake that they print no object at all.
    pub allow_empty: bool,
    /// Where they are listed.
    pub place: Place,
}

/// A command as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Command {
    /// The text, for `/bin/sh -c`.
    pub text: String,
    /// How long it may run; `None` for the default.
    pub timeout: Option<Duration>,
    /// Where it is written.
    pub place: Place,
}

/// Commands that change files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Updater {
    /// Sets the image of a container.
    pub container_image: Option<Command>,
    /// Sets or removes a policy.
    pub policy: Option<Command>,
}

/// The mistakes of a `.flux.yaml`, which is not used.
///
/// Exhaustive: it is its findings and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is not valid", .0.first().map_or("the file", |finding| &finding.subject))]
pub struct InvalidConfig(pub Vec<Finding>);

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`InvalidConfig`] with every mistake at its line.
    pub fn parse(path: &str, source: &[u8]) -> Result<Self, InvalidConfig> {
        let document = yaml::document(source).map_err(|problem| InvalidConfig(vec![problem.at(path)]))?;
        let mut reader = Reader { path, places: document.places, findings: Vec::new() };
        let config = reader.config(&document.value);
        match config {
            Some(config) if reader.findings.is_empty() => Ok(config),
            _ => Err(InvalidConfig(reader.findings)),
        }
    }
}

struct Reader<'a> {
    path: &'a str,
    places: Places,
    findings: Vec<Finding>,
}

const WAYS: [&str; 3] = ["commandUpdated", "patchUpdated", "scanForFiles"];

impl Reader<'_> {
    fn config(&mut self, value: &Value) -> Option<Config> {
        let map = self.map("", value, &["version", WAYS[0], WAYS[1], WAYS[2]])?;
        if map.get("version").and_then(Value::as_u64) != Some(1) {
            let evidence = map
                .get("version")
                .map_or("there is no `version`".to_owned(), |v| format!("`version` is {v}"));
            self.problem("/version", evidence, "write `version: 1`");
        }
        let ways: Vec<&str> = WAYS.into_iter().filter(|way| map.contains_key(*way)).collect();
        let [way] = ways[..] else {
            let evidence = match ways[..] {
                [] => "it says none of commandUpdated, patchUpdated and scanForFiles".to_owned(),
                _ => format!("it says {}", ways.join(" and ")),
            };
            let at = ways.last().map(|way| format!("/{way}")).unwrap_or_default();
            self.problem(&at, evidence, "say exactly one of commandUpdated, patchUpdated and scanForFiles");
            return None;
        };
        let (at, value) = (format!("/{way}"), map.get(way)?);
        match way {
            "commandUpdated" => {
                let map = self.map(&at, value, &["generators", "updaters", "allowEmpty"])?;
                let generators = self.generators(&at, map);
                let updaters = self.updaters(&format!("{at}/updaters"), map.get("updaters"));
                Some(Config::CommandUpdated { generators, updaters })
            }
            "patchUpdated" => {
                let map = self.map(&at, value, &["generators", "patchFile", "allowEmpty"])?;
                let generators = self.generators(&at, map);
                let patch_file = self.text(&format!("{at}/patchFile"), map.get("patchFile"))?;
                let patch_place = self.place(&format!("{at}/patchFile"));
                Some(Config::PatchUpdated { generators, patch_file, patch_place })
            }
            _ => {
                if !value.is_null() {
                    self.map(&at, value, &[])?;
                }
                Some(Config::ScanForFiles)
            }
        }
    }

    fn generators(&mut self, at: &str, map: &Map<String, Value>) -> Generators {
        let allow_empty = match map.get("allowEmpty") {
            None => false,
            Some(Value::Bool(allowed)) => *allowed,
            Some(other) => {
                let evidence = format!("`allowEmpty` is {other}");
                self.problem(&format!("{at}/allowEmpty"), evidence, "write `true` or `false`");
                false
            }
        };
        let at = format!("{at}/generators");
        let commands: Vec<Command> = self
            .list(&at, map.get("generators"))
            .iter()
            .enumerate()
            .filter_map(|(i, value)| self.command(&format!("{at}/{i}"), value))
            .collect();
        if commands.is_empty() {
            self.problem(&at, "there are no generators".to_owned(), "write `generators: [{command: …}]`");
        }
        Generators { commands, allow_empty, place: self.place(&at) }
    }

    fn updaters(&mut self, at: &str, value: Option<&Value>) -> Vec<Updater> {
        let list = self.list(at, value);
        let updater = |(i, value): (usize, &Value)| {
            let at = format!("{at}/{i}");
            let map = self.map(&at, value, &["containerImage", "policy"])?;
            let mut command = |key: &str| {
                let value = map.get(key)?;
                self.command(&format!("{at}/{key}"), value)
            };
            Some(Updater { container_image: command("containerImage"), policy: command("policy") })
        };
        list.iter().enumerate().filter_map(updater).collect()
    }

    fn command(&mut self, at: &str, value: &Value) -> Option<Command> {
        let map = self.map(at, value, &["command", "timeout"])?;
        let text = self.text(&format!("{at}/command"), map.get("command"));
        let timeout = match map.get("timeout") {
            None | Some(Value::Null) => None,
            Some(value) => match value.as_str().and_then(parse_duration) {
                Some(timeout) => Duration::try_from(timeout).ok().filter(|timeout| *timeout >= SHORTEST),
                None => {
                    let evidence = format!("`timeout` is {value}");
                    self.problem(&format!("{at}/timeout"), evidence, "write a duration such as 90s or 5m");
                    None
                }
            },
        };
        Some(Command { text: text?, timeout, place: self.place(&format!("{at}/command")) })
    }

    fn map<'v>(&mut self, at: &str, value: &'v Value, known: &[&str]) -> Option<&'v Map<String, Value>> {
        let Some(map) = value.as_object() else {
            let evidence =
                if value.is_null() { "it is empty".to_owned() } else { "it is no mapping".to_owned() };
            self.problem(at, evidence, &one_of(known));
            return None;
        };
        for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
            let evidence = format!("there is no key `{key}` here");
            self.problem(&format!("{at}/{}", escape(key)), evidence, &one_of(known));
        }
        Some(map)
    }

    fn list<'v>(&mut self, at: &str, value: Option<&'v Value>) -> &'v [Value] {
        match value {
            None | Some(Value::Null) => &[],
            Some(Value::Array(list)) => list,
            Some(_) => {
                self.problem(at, "it is no list".to_owned(), "write a list, each item after a dash");
                &[]
            }
        }
    }

    fn text(&mut self, at: &str, value: Option<&Value>) -> Option<String> {
        match value {
            Some(Value::String(text)) if !text.trim().is_empty() => Some(text.clone()),
            _ => {
                let name = at.rsplit('/').next().unwrap_or_default();
                self.problem(at, format!("`{name}` is missing, or no text"), &format!("write `{name}: …`"));
                None
            }
        }
    }

    /// Adds a mistake at the place of a pointer.
    fn problem(&mut self, at: &str, evidence: String, remedy: &str) {
        self.findings.push(invalid(self.place(at), evidence, remedy));
    }

    /// Returns the place of a pointer, or of the nearest thing around it that has one.
    fn place(&self, at: &str) -> Place {
        Place::in_file(self.path, self.places.nearest(at).unwrap_or(Position::START))
    }
}

/// Returns the finding about something in a `.flux.yaml`.
pub(crate) fn invalid(place: Place, evidence: String, remedy: &str) -> Finding {
    Finding {
        code: Code::InvalidGeneration,
        subject: place.path.to_string(),
        place: Some(place),
        evidence,
        remedy: remedy.to_owned(),
    }
}

fn one_of(known: &[&str]) -> String {
    if known.is_empty() { "write `{}`".to_owned() } else { format!("there may be {}", known.join(", ")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(line: u32, column: u32) -> Place {
        Place::in_file(".flux.yaml", Position { line, column })
    }

    fn command(text: &str, place: Place) -> Command {
        Command { text: text.to_owned(), timeout: None, place }
    }

    #[test]
    fn the_three_ways_are_read() {
        let text = "version: 1\ncommandUpdated:\n  generators:\n  - command: a\n    timeout: 1m30s\n  - {command: b, timeout: 500ms}\n  updaters:\n  - containerImage: {command: c}\n    policy: {command: d}\n  - policy: {command: e}\n";
        let generators = Generators {
            commands: vec![
                Command { timeout: Some(Duration::from_secs(90)), ..command("a", at(4, 5)) },
                command("b", at(6, 6)),
            ],
            allow_empty: false,
            place: at(3, 3),
        };
        let updaters = vec![
            Updater { container_image: Some(command("c", at(8, 22))), policy: Some(command("d", at(9, 14))) },
            Updater { container_image: None, policy: Some(command("e", at(10, 14))) },
        ];
        assert_eq!(
            Config::parse(".flux.yaml", text.as_bytes()),
            Ok(Config::CommandUpdated { generators, updaters })
        );
        let text =
            "version: 1\npatchUpdated: {generators: [{command: a}], patchFile: p.yaml, allowEmpty: true}\n";
        let commands = vec![command("a", at(2, 30))];
        let generators = Generators { commands, allow_empty: true, place: at(2, 16) };
        let (patch_file, patch_place) = ("p.yaml".to_owned(), at(2, 44));
        assert_eq!(
            Config::parse(".flux.yaml", text.as_bytes()),
            Ok(Config::PatchUpdated { generators, patch_file, patch_place })
        );
        for text in ["version: 1\nscanForFiles: {}\n", "---\n\"version\": 1\nscanForFiles:\n"] {
            assert_eq!(Config::parse(".flux.yaml", text.as_bytes()), Ok(Config::ScanForFiles));
        }
    }

    #[test]
    fn mistakes_are_reported_at_their_line() {
        let table = [
            ("", (1, 1)),
            ("a: [", (1, 4)),
            ("version: 1\n", (1, 1)),
            ("version: 2\nscanForFiles: {}\n", (1, 1)),
            ("scanForFiles: {}\n", (1, 1)),
            ("version: 1\nscanForFiles: {}\nextra: 1\n", (3, 1)),
            ("version: 1\nscanForFiles: {a: 1}\n", (2, 16)),
            ("version: 1\npatchUpdated: {}\nscanForFiles: {}\n", (3, 1)),
            ("version: 1\npatchUpdated:\n  generators: [{command: a}]\n", (2, 1)),
            ("version: 1\ncommandUpdated:\n  generators: []\n", (3, 3)),
            ("version: 1\ncommandUpdated:\n  generators:\n  - comand: a\n", (4, 5)),
            ("version: 1\ncommandUpdated:\n  generators:\n  - {command: a, timeout: soon}\n", (4, 18)),
            ("version: 1\ncommandUpdated:\n  generators: [{command: a}]\n  updaters: yes\n", (4, 3)),
            ("version: 1\nscanForFiles: {}\n---\na: 1\n", (3, 1)),
        ];
        for (text, (line, column)) in table {
            let InvalidConfig(findings) = Config::parse("x/.flux.yaml", text.as_bytes()).unwrap_err();
            let position = findings[0].place.as_ref().map(|place| place.position);
            assert_eq!(position, Some(Position { line, column }), "{text:?}: {findings:?}");
            assert!(findings.iter().all(|f| !f.remedy.is_empty() && f.subject == "x/.flux.yaml"), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(version: 1\n)?\\PC{0,30}|[-a:?&*\\[\\]{}, \n]{0,30}") {
            let _ = Config::parse(".flux.yaml", text.as_bytes());
        }
    }
}
