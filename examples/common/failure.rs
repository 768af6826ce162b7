//! The error that ends a command.

use std::io;

/// The exit code and the message of a command that fails.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code: 1 when a request could not be carried out, 2 for bad usage.
    pub(crate) code: u8,
    /// One paragraph: the subject, the problem and the next step.
    pub(crate) message: String,
}

impl Failure {
    /// Returns the failure of a request that could not be carried out.
    pub(crate) fn failed(message: impl ToString) -> Self {
        Self { code: 1, message: message.to_string() }
    }

    /// Returns the failure of a command line that is not valid.
    pub(crate) fn usage(message: impl ToString) -> Self {
        Self { code: 2, message: message.to_string() }
    }
}

impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let any: &dyn std::error::Error = &error;
        if any.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) {
            // The reader of the output has closed it.
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
