//! Which of the published restrictions a server holds to, tried in dry runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::{Value, json};

use super::{
    document::{Document, Kind},
    server::Server,
};

/// A field, by the type that has it and by its name.
type Field = (String, String);

/// The restrictions that a server holds to.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// The fields without which an object is refused, wherever they were left out.
    pub(super) required: BTreeSet<Field>,
    /// The fields that take none but the published values, wherever another was tried.
    pub(super) chosen: BTreeSet<Field>,
    /// The whole numbers that cannot be negative, wherever that was tried.
    pub(super) counted: BTreeSet<Field>,
    /// The most that any object of a kind may be called.
    pub(super) names: BTreeMap<Kind, Names>,
}

/// The form of names, and the number of characters that they may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names {
    form: Form,
    longest: usize,
}

/// The forms of names, each within the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    Dns1035,
    Label,
    Subdomain,
    Path,
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.form {
            Form::Dns1035 => "dns-1035",
            Form::Label => "label",
            Form::Subdomain => "subdomain",
            Form::Path => "path",
        })?;
        if self.longest < LONGEST { write!(f, ":{}", self.longest) } else { Ok(()) }
    }
}

/// A place in a sample where the document restricts the value.
struct Trial {
    field: Field,
    pointer: String,
    required: bool,
    /// `true` for a whole number.
    number: bool,
    /// The text that is one of several, if the field has one.
    choice: Option<String>,
}

impl Measured {
    pub(super) async fn by(server: &Server, document: &Document, samples: &[Value]) -> Self {
        let mut measured = Self::default();
        let (mut optional, mut open, mut signed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for sample in samples {
            let kind = document.kinds.iter().find(|kind| {
                sample["apiVersion"] == kind.api_version.as_str() && sample["kind"] == kind.kind.as_str()
            });
            let kind = kind.unwrap_or_else(|| panic!("the kind is served: {sample}"));
            if let Some(names) = names(server, sample).await {
                let most = measured.names.entry(kind.clone()).or_insert(names);
                most.form = most.form.max(names.form);
                most.longest = most.longest.max(names.longest);
            }
            for Trial { field, pointer, required, number, choice } in trials(document, &kind.of, sample) {
                if required {
                    // Of some objects each field is required, and they may be empty all the same.
                    let (parent, _) = pointer.rsplit_once('/').unwrap();
                    let refused = server.refuses(&without(sample, &pointer)).await.is_some()
                        && (parent.is_empty()
                            || server.refuses(&with(sample, parent, json!({}))).await.is_some());
                    if refused { &mut measured.required } else { &mut optional }.insert(field.clone());
                }
                if number {
                    let refused = server.refuses(&with(sample, &pointer, json!(-1))).await.is_some();
                    if refused { &mut measured.counted } else { &mut signed }.insert(field.clone());
                }
                if let Some(choice) = choice {
                    let changed = with(sample, &choice, json!("of-no-choice"));
                    let refused = server.refuses(&changed).await.is_some();
                    if refused { &mut measured.chosen } else { &mut open }.insert(field);
                }
            }
        }
        measured.required.retain(|field| !optional.contains(field));
        measured.chosen.retain(|field| !open.contains(field));
        measured.counted.retain(|field| !signed.contains(field));
        measured
    }
}

/// Returns the places of a sample where the document restricts a value.
fn trials(document: &Document, of: &str, sample: &Value) -> Vec<Trial> {
    let mut trials = Vec::new();
    within(document, of, sample, String::new(), &mut trials);
    trials
}

fn within(document: &Document, of: &str, object: &Value, pointer: String, trials: &mut Vec<Trial>) {
    for (key, value) in object.as_object().unwrap() {
        let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
        let schema = document.field(of, key).unwrap_or_else(|| panic!("{of} has a field {key}"));
        let restrictions = document.restrictions(of, key);
        let choice = match value {
            _ if restrictions.choices.is_empty() => None,
            Value::String(_) => Some(pointer.clone()),
            Value::Array(items) if !items.is_empty() => Some(format!("{pointer}/0")),
            _ => None,
        };
        // No document says so, and most objects need their `spec`.
        let is_kind = || document.kinds.iter().any(|kind| kind.of == of);
        let required = restrictions.required || key == "spec" && is_kind();
        let number = schema["type"] == "integer" && value.is_number();
        if required || number || choice.is_some() {
            let field = (of.to_owned(), key.clone());
            trials.push(Trial { field, pointer: pointer.clone(), required, number, choice });
        }
        deeper(document, schema, value, pointer, trials);
    }
}

fn deeper(document: &Document, schema: &Value, value: &Value, pointer: String, trials: &mut Vec<Trial>) {
    match value {
        Value::Object(_) if document.type_of(schema).is_some() => {
            within(document, document.type_of(schema).unwrap(), value, pointer, trials);
        }
        Value::Object(entries) if schema["additionalProperties"].is_object() => {
            for (key, value) in entries {
                let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                deeper(document, &schema["additionalProperties"], value, pointer, trials);
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                deeper(document, &schema["items"], item, format!("{pointer}/{n}"), trials);
            }
        }
        _ => {}
    }
}

/// Returns an object without the field at a pointer.
fn without(object: &Value, pointer: &str) -> Value {
    let mut object = object.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/").replace("~0", "~");
    object.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(&key);
    object
}

/// Returns an object with another value at a pointer.
fn with(object: &Value, pointer: &str, value: Value) -> Value {
    let mut object = object.clone();
    *object.pointer_mut(pointer).unwrap() = value;
    object
}

/// The longest name that is tried.
const LONGEST: usize = 300;

/// Returns the names that an object takes; `None` if the name follows from the rest of it.
async fn names(server: &Server, sample: &Value) -> Option<Names> {
    let takes = async |name: &str| {
        let mut named = sample.clone();
        named["metadata"]["name"] = json!(name);
        server.refuses(&named).await.is_none()
    };
    let forms = [("A:b", Form::Path), ("a.b", Form::Subdomain), ("1a", Form::Label), ("b", Form::Dns1035)];
    let mut taken = None;
    for (name, form) in forms {
        if taken.is_none() && takes(name).await {
            taken = Some(form);
        }
    }
    let form = taken?;
    let (mut longest, mut too_long) = (1, LONGEST + 1);
    while longest + 1 < too_long {
        let middle = usize::midpoint(longest, too_long);
        if takes(&"a".repeat(middle)).await {
            longest = middle;
        } else {
            too_long = middle;
        }
    }
    Some(Names { form, longest })
}
