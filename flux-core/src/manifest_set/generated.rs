//! Objects that no file holds: they are from the output of commands.

use crate::{finding::Place, position::Position};

/// The origin of objects that no file holds, as commands printed them.
///
/// Exhaustive: whoever runs the commands makes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generated {
    /// The reason that their images cannot be changed, if they cannot.
    pub refuses_images: Option<String>,
    /// The reason that their policies cannot be changed, if they cannot.
    pub refuses_policies: Option<String>,
    /// The commands that printed them, in the order of their outputs.
    pub outputs: Vec<CommandOutput>,
}

/// A command and the place of its output among the outputs under one path.
///
/// Exhaustive: whoever runs the commands makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOutput {
    /// The line at which the output of the command starts, counted from 1 in all outputs together.
    pub first_line: u32,
    /// The command; of a script, its first part.
    pub command: String,
    /// The place where the command is written.
    pub place: Place,
}

impl Generated {
    /// Returns the place of a position in the output of the commands; `None` if no output has it.
    pub(super) fn place(&self, position: Position) -> Option<Place> {
        let output = self.outputs.iter().rev().find(|output| output.first_line <= position.line)?;
        let line = position.line - output.first_line + 1;
        Some(output.place.clone().in_output(&*output.command, Position { line, ..position }))
    }
}
