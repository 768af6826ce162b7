//! Types of objects: their fields, what these hold, and how lists of them merge.

use std::collections::{BTreeMap, HashMap};

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type<'a> {
    /// Anything.
    Any,
    /// A mapping of anything.
    AnyMap,
    Text,
    /// One of these texts, or none.
    Choice(Vec<&'a str>),
    Bool,
    Int32,
    Int64,
    /// A whole number of 32 bits that is not negative.
    Count32,
    /// A whole number of 64 bits that is not negative.
    Count64,
    Number,
    /// A whole number of 32 bits, or a text.
    IntOrText,
    /// `100m`, `1.5Gi`, or a number.
    Quantity,
    /// Base64.
    Bytes,
    /// A time as in RFC 3339.
    Time,
    Map(Box<Type<'a>>),
    List(Box<Type<'a>>, Items<'a>),
    /// The type with fields at this index.
    Object(usize),
}

/// How the items of a list belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Items<'a> {
    /// The list is one value.
    Atomic,
    /// Each value stands once.
    Set,
    /// Items are told apart by these fields.
    Map(Vec<&'a str>),
}

/// A field of a type.
#[derive(Clone, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) of: Type<'a>,
    /// `true` if an object without it is refused.
    pub(crate) is_required: bool,
    /// `true` if null is another value than none at all, and refused.
    pub(crate) refuses_null: bool,
}

/// A type with fields.
#[derive(Clone, Debug, Default)]
pub(crate) struct ObjectType<'a> {
    pub(crate) name: &'a str,
    pub(crate) fields: BTreeMap<&'a str, Field<'a>>,
    /// `true` if it takes fields of any other name as well.
    pub(crate) is_open: bool,
}

/// The form of the names of objects of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameForm {
    /// A label of DNS (RFC 1123).
    Label,
    /// Labels of DNS with dots between them.
    Subdomain,
    /// A segment of a path of a URL.
    Path,
}

/// The names of objects of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) form: NameForm,
    /// The characters that a name may have.
    pub(crate) longest: Option<usize>,
}

/// A kind in one of its versions.
#[derive(Clone, Debug)]
pub(crate) struct KindType<'a> {
    /// `true` if its objects are in namespaces.
    pub(crate) is_namespaced: bool,
    /// The names of its objects; `None` if that is not known.
    pub(crate) names: Option<Names>,
    /// The type of its objects.
    pub(crate) of: Type<'a>,
}

/// Kinds and their types.
#[derive(Clone, Debug, Default)]
pub(crate) struct Types<'a> {
    pub(crate) objects: Vec<ObjectType<'a>>,
    /// The kinds by `apiVersion` and `kind`, with a space between them.
    pub(crate) kinds: HashMap<String, KindType<'a>>,
}

impl<'a> Types<'a> {
    /// Returns a kind.
    pub(crate) fn kind(&self, api_version: &str, kind: &str) -> Option<&KindType<'a>> {
        self.kinds.get(&format!("{api_version} {kind}"))
    }

    /// Returns the type with fields at an index.
    pub(crate) fn object(&self, index: usize) -> Option<&ObjectType<'a>> {
        self.objects.get(index)
    }
}
