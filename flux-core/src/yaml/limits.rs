//! Limits on the size, the depth and the repetition in a file, so that reading it takes bounded
//! memory.

/// A limit that a file has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// The file has too many bytes.
    Bytes,
    /// The values of the file are nested too deep.
    Depth,
    /// The file has too many values, aliases replaced by their values.
    Nodes,
    /// The file has too much text, aliases replaced by their values.
    Text,
    /// The file has so many problems that the rest of it is not read.
    Problems,
}

impl Limit {
    /// The bytes that a file may have: 16 MiB.
    ///
    /// A list of 10,000 Deployments has about 7 MB; Kubernetes refuses an object of more than about
    /// 1.5 MiB.
    pub(crate) const BYTES: usize = 16 << 20;
    /// The depth to which values may be nested: 120.
    ///
    /// JSON readers, those of parsed files and of the API server's answers among them, read no
    /// deeper than 128.
    pub(crate) const DEPTH: usize = 120;
    /// The values that a file may have, once aliases are replaced by their values: 2 million.
    pub(crate) const NODES: usize = 2_000_000;
    /// The bytes of text that a file may have, once aliases are replaced by their values: 64 MiB.
    pub(crate) const TEXT: usize = 64 << 20;

    /// The duplicate keys of a file that are reported: 20.
    pub(crate) const DUPLICATES: usize = 20;

    /// Returns the evidence of the limit, for people.
    pub(crate) fn evidence(self) -> String {
        match self {
            Self::Bytes => format!("the file has more than {} bytes", Self::BYTES),
            Self::Depth => format!("values are nested more than {} levels deep", Self::DEPTH),
            Self::Nodes => {
                format!("there are more than {} values, counting each use of an alias", Self::NODES)
            }
            Self::Problems => "there are more problems than are reported; the rest was not read".to_owned(),
            Self::Text => {
                format!("there are more than {} bytes of text, counting each use of an alias", Self::TEXT)
            }
        }
    }
}

/// The part of the limits that is left for the rest of a file.
#[derive(Debug)]
pub(crate) struct Budget {
    nodes: usize,
    text: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { nodes: Limit::NODES, text: Limit::TEXT }
    }
}

impl Budget {
    /// Takes one value with so many bytes of text off the budget.
    ///
    /// # Errors
    /// The [`Limit`] passed.
    pub(crate) fn spend(&mut self, text: usize) -> Result<(), Limit> {
        self.nodes = self.nodes.checked_sub(1).ok_or(Limit::Nodes)?;
        self.text = self.text.checked_sub(text).ok_or(Limit::Text)?;
        Ok(())
    }

    /// Returns how many values are left.
    pub(crate) fn nodes_left(&self) -> usize {
        self.nodes
    }
}
