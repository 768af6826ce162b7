//! How large, deep and repetitive a file may be, so that reading it takes bounded memory.

/// A limit that a file has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// The file has too many bytes.
    Bytes,
    /// Its values are nested too deep.
    Depth,
    /// It has too many values, aliases replaced by what they stand for.
    Nodes,
    /// It has too much text, aliases replaced by what they stand for.
    Text,
    /// So much is wrong with it that the rest is not read.
    Problems,
}

impl Limit {
    /// The bytes that a file may have: 16 MiB. A list of 10,000 Deployments has about 7 MB; an object of more than about 1.5 MiB is
    /// refused by Kubernetes.
    pub(crate) const BYTES: usize = 16 << 20;
    /// How deep values may be nested: 120. JSON readers, those of parsed files and of the API server's answers among them, read no
    /// deeper than 128.
    pub(crate) const DEPTH: usize = 120;
    /// The values that a file may have, once aliases are replaced by what they stand for: 2 million.
    pub(crate) const NODES: usize = 2_000_000;
    /// The bytes of text that a file may have, once aliases are replaced by what they stand for: 64 MiB.
    pub(crate) const TEXT: usize = 64 << 20;

    /// The keys of a file that are told to stand twice in their mapping: 20.
    pub(crate) const DUPLICATES: usize = 20;

    /// What was seen, for people.
    pub(crate) fn evidence(self) -> String {
        match self {
            Self::Bytes => format!("the file has more than {} bytes", Self::BYTES),
            Self::Depth => format!("values are nested more than {} levels deep", Self::DEPTH),
            Self::Nodes => {
                format!("there are more than {} values, counting each use of an alias", Self::NODES)
            }
            Self::Problems => "there are more problems than are told; the rest was not read".to_owned(),
            Self::Text => {
                format!("there are more than {} bytes of text, counting each use of an alias", Self::TEXT)
            }
        }
    }
}

/// What is left of the limits for the rest of a file.
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
    /// Takes one value with so many bytes of text.
    ///
    /// # Errors
    /// The [`Limit`] passed.
    pub(crate) fn spend(&mut self, text: usize) -> Result<(), Limit> {
        self.nodes = self.nodes.checked_sub(1).ok_or(Limit::Nodes)?;
        self.text = self.text.checked_sub(text).ok_or(Limit::Text)?;
        Ok(())
    }

    /// How many values are left.
    pub(crate) fn nodes_left(&self) -> usize {
        self.nodes
    }
}
