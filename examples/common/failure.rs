//! The error that ends a command.

use std::io;

/// How a command ends when it does not end well.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code: 1 what was asked for could not be done, 2 bad usage.
    pub(crate) code: u8,
    /// One paragraph: the thing, what is wrong with it, the next step.
    pub(crate) message: String,
}

impl Failure {
    /// Something asked for could not be done.
    pub(crate) fn failed(message: impl ToString) -> Self {
        Self { code: 1, message: message.to_string() }
    }

    /// The words of the call are off.
    pub(crate) fn usage(message: impl ToString) -> Self {
        Self { code: 2, message: message.to_string() }
    }
}

impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let any: &dyn std::error::Error = &error;
        if any.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) {
            // Whoever read the output has seen enough.
            return Self { code: 0, message: String::new() };
        }
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            source = cause.source();
        }
        Self { code: 1, message }
    }
}
