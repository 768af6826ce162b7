//! YAML text: documents as trees of nodes with byte positions, scalars as kubectl reads them, and
//! the writing of values.
//!
//! Nothing here depends on Kubernetes objects. Reading and editing share one parse, so they cannot
//! disagree.
//!
//! A document is read as `kubectl` would send it: YAML 1.1 scalars as Go's library types them (`on`
//! is true, `0644` is 420, `1.20` is 1.2), of equal keys the last (duplicates are reported),
//! aliases and merge keys resolved. [Where kubectl reads otherwise](#where-kubectl-reads-otherwise)
//! lists what is refused and what is read beyond it.
//!
//! # Where kubectl reads otherwise
//!
//! kubectl cuts a file at the lines that start with `---` and gives each piece to a reader of YAML
//! 1.1 that is lenient in some places and strict in others. Any text that it reads is read here
//! too, to the same value: `"it\'s"`, `"a"#comment`, a text between quotes that goes on at the
//! indentation of its key, tabs before lines between braces, `---# comment`, a byte order mark
//! behind a separator, JSON objects behind one another.
//!
//! | in the file | kubectl | here |
//! |---|---|---|
//! | `{a:}`, `[?a]`, `[!x, b]`, `&a:b` | silently reads a value that was not intended: the key `a:`, the key `a`, the tag `!x,`, the text `:b` | refused |
//! | U+0085, U+2028 and U+2029 in a text | ends a line there | refused, unless the text is the same either way or the file is JSON |
//! | a line indented less than the first, or text behind a whole value: `{a: b} c` | dropped silently | refused, and the value before it used |
//! | `.inf`, a number past 64 bits as a key, a value that contains itself, all under a key that is written again | used or not as the later key says | refused |
//! | `[-]`, `{a: b:}` | reads `-` and `b:` | refused |
//! | a directive (`%YAML 1.1`) in a document, without `---` before it | refuses or drops it | refused |
//! | a document behind `...` without a `---` | dropped silently | read |
//! | `--- text` on one line, `%YAML`, other directives | refused | read |
//! | `"\/"`, `"\ud83d\ude00"`, tabs in blank lines, a key over several lines between braces | refused | read |
//! | UTF-16 | read | refused: save the file as UTF-8 |
//! | keys that are equal only as text (`1` and `'1'`) | one of them, by chance | the last |

pub(crate) mod cursor;
pub(crate) mod dialect;
mod document;
mod emit;
mod key_positions;
pub(crate) mod kubectl_compat;
pub(crate) mod layout;
pub(crate) mod limits;
pub(crate) mod merge;
pub(crate) mod quote;
pub(crate) mod scalar;
pub(crate) mod text;
pub(crate) mod tree;
pub(crate) mod uses;
pub(crate) mod value;

pub(crate) use document::document;
#[cfg(feature = "deployer")]
pub(crate) use document::first_document;
pub use emit::emit;
pub(crate) use key_positions::Places;
pub use layout::NewKey;
