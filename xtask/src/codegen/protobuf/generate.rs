//! Joins the sources into the table.
//!
//! One message a line, sorted: type name, tab, the kinds that it is (`apps/v1/Deployment`, separated by commas), tab, its
//! fields separated by blanks. A field is `number:name:type`; the type is a letter (`s` string, `b` bytes, `t` bool,
//! `i` int32, `l` int64, `d` double) or a message's name, `.Name` meaning one of the same package. Before it stands `*`
//! for a list, `%` for a map with string keys, `+` for an embedded message (which has no name), `?` for a field whose
//! zero value counts when it is there, `!` for one that Go writes even if zero. A type with a form of its own has
//! `=form` in place of fields.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::check::differences;
use super::proto::{Cardinality, SCALARS};
use super::sources::{Source, Sources};
use crate::codegen::builtin;
use crate::codegen::{GeneratedFile, Generator};
use crate::workspace::Workspace;

const FOLDER: &str = "apiserver/data/protobuf";

/// The kinds that are no stored objects, with their type.
const OTHER_KINDS: &[(&str, &str)] = &[
    (
        "authentication.k8s.io/v1/SelfSubjectReview",
        "io.k8s.api.authentication.v1.SelfSubjectReview",
    ),
    (
        "authentication.k8s.io/v1/TokenRequest",
        "io.k8s.api.authentication.v1.TokenRequest",
    ),
    (
        "authentication.k8s.io/v1/TokenReview",
        "io.k8s.api.authentication.v1.TokenReview",
    ),
    (
        "authorization.k8s.io/v1/LocalSubjectAccessReview",
        "io.k8s.api.authorization.v1.LocalSubjectAccessReview",
    ),
    (
        "authorization.k8s.io/v1/SelfSubjectAccessReview",
        "io.k8s.api.authorization.v1.SelfSubjectAccessReview",
    ),
    (
        "authorization.k8s.io/v1/SelfSubjectRulesReview",
        "io.k8s.api.authorization.v1.SelfSubjectRulesReview",
    ),
    (
        "authorization.k8s.io/v1/SubjectAccessReview",
        "io.k8s.api.authorization.v1.SubjectAccessReview",
    ),
    ("autoscaling/v1/Scale", "io.k8s.api.autoscaling.v1.Scale"),
    (
        "v1/DeleteOptions",
        "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
    ),
    ("v1/Status", "io.k8s.apimachinery.pkg.apis.meta.v1.Status"),
];

/// The documents that have the types which the table of built-in types lacks.
const DOCUMENTS: &[&str] = &[
    "api__v1",
    "apis__authentication.k8s.io__v1",
    "apis__authorization.k8s.io__v1",
];

/// Types whose JSON is not that of their fields, by the end of their names.
const FORMS: &[(&str, &str)] = &[
    (".apiextensions.v1.JSON", "json"),
    (".apiextensions.v1.JSONSchemaPropsOrArray", "schemaOrArray"),
    (".apiextensions.v1.JSONSchemaPropsOrBool", "schemaOrBool"),
    (
        ".apiextensions.v1.JSONSchemaPropsOrStringArray",
        "schemaOrStrings",
    ),
    (".meta.v1.FieldsV1", "json"),
    (".meta.v1.MicroTime", "microTime"),
    (".meta.v1.Time", "time"),
    (".api.resource.Quantity", "quantity"),
    (".pkg.runtime.RawExtension", "json"),
    (".util.intstr.IntOrString", "intOrString"),
];

/// The generator of the table of messages.
pub const GENERATOR: Generator = Generator {
    name: "protobuf",
    about: "apiserver/data/protobuf, from upstream's generated.proto files and Go types",
    folders: &[FOLDER],
    generate,
};

/// A type as the table has it.
#[derive(Debug)]
pub(super) struct Entry {
    /// The kinds that it is, as `group/version/Kind`.
    pub(super) kinds: Vec<String>,
    pub(super) form: Form,
}

/// How a type is written.
#[derive(Debug)]
pub(super) enum Form {
    Message(Vec<Field>),
    Special(&'static str),
    /// A list of strings that is a message of its own so that it can be told from an absent one.
    Strings,
}

/// A field as the table has it.
#[derive(Debug)]
pub(super) struct Field {
    number: u32,
    pub(super) json: String,
    pub(super) cardinality: Cardinality,
    /// A scalar, or the name of a type in the table.
    pub(super) type_name: String,
    pub(super) inline: bool,
    pointer: bool,
    always: bool,
}

fn generate(workspace: &Workspace) -> Result<Vec<GeneratedFile>> {
    let data = workspace.root.join("apiserver/data/builtin");
    let mut roots: Vec<(String, String)> = OTHER_KINDS
        .iter()
        .map(|(kind, name)| ((*kind).to_owned(), (*name).to_owned()))
        .collect();
    for line in fs::read_to_string(data.join("kinds.jsonl"))?.lines() {
        roots.push(served(&serde_json::from_str(line)?)?);
    }
    let mut sources = Sources::default();
    let mut entries = BTreeMap::new();
    for (kind, name) in roots {
        collect(&mut sources, &name, &mut entries)?;
        if let Some(entry) = entries.get_mut(&name) {
            entry.kinds.push(kind);
            entry.kinds.sort();
        }
    }
    let schemas = schemas(&fs::read_to_string(data.join("types.tsv"))?, &entries)?;
    let wrong: Vec<String> = entries
        .iter()
        .filter(|(_, entry)| matches!(entry.form, Form::Message(_)))
        .flat_map(|(name, _)| match schemas.get(name) {
            Some(schema) => differences(name, &entries, schema),
            // Part of the schemas of the messages around it.
            None if only_embedded(name, &entries) => Vec::new(),
            None => vec![format!("{name}: no schema")],
        })
        .collect();
    if !wrong.is_empty() {
        bail!("messages and schemas differ:\n{}", wrong.join("\n"));
    }
    let lines = entries.iter().map(|(name, entry)| line(name, entry));
    Ok(vec![GeneratedFile {
        path: PathBuf::from(FOLDER).join("messages.tsv"),
        content: lines.collect(),
    }])
}

fn only_embedded(name: &str, entries: &BTreeMap<String, Entry>) -> bool {
    let fields = entries.values().flat_map(|entry| match &entry.form {
        Form::Message(fields) => fields.as_slice(),
        Form::Special(_) | Form::Strings => &[],
    });
    let mut uses = fields.filter(|field| field.type_name == name);
    entries[name].kinds.is_empty() && uses.all(|field| field.inline)
}

/// A served kind and its type.
fn served(row: &Value) -> Result<(String, String)> {
    let text = |field: &str| {
        row[field]
            .as_str()
            .with_context(|| format!("a kind without {field}"))
    };
    let (group, version, kind) = (text("group")?, text("version")?, text("kind")?);
    let name = match group {
        "" => format!("{version}/{kind}"),
        _ => format!("{group}/{version}/{kind}"),
    };
    Ok((name, text("type")?.to_owned()))
}

/// The schemas of the table of built-in types, and from upstream's documents what it lacks.
fn schemas(table: &str, entries: &BTreeMap<String, Entry>) -> Result<BTreeMap<String, Value>> {
    let mut schemas = BTreeMap::new();
    for (name, text) in table.lines().filter_map(|line| line.split_once('\t')) {
        schemas.insert(name.to_owned(), serde_json::from_str(text)?);
    }
    let api = builtin::module_folder(builtin::MODULE)?.join("api");
    for document in DOCUMENTS {
        let path = api.join(format!("openapi-spec/v3/{document}_openapi.json"));
        let document = builtin::read(&path)?;
        let found = builtin::schemas(&document)?;
        for name in entries.keys().filter(|name| found.contains_key(*name)) {
            builtin::collect(found, name, &mut schemas)?;
        }
    }
    Ok(schemas)
}

/// `io.k8s.apiextensions-apiserver.x.Y` for `k8s.io.apiextensions_apiserver.x.Y`.
fn schema_name(message: &str) -> String {
    let rest = message.strip_prefix("k8s.io.").unwrap_or(message);
    format!("io.k8s.{}", rest.replace('_', "-"))
}

fn message_name(schema: &str) -> String {
    let rest = schema.strip_prefix("io.k8s.").unwrap_or(schema);
    format!("k8s.io.{}", rest.replace('-', "_"))
}

/// Takes a type and all that it refers to.
fn collect(sources: &mut Sources, name: &str, entries: &mut BTreeMap<String, Entry>) -> Result<()> {
    let mut waiting = vec![name.to_owned()];
    while let Some(name) = waiting.pop() {
        if entries.contains_key(&name) {
            continue;
        }
        let source = sources.message(&message_name(&name))?;
        let special = FORMS.iter().find(|(end, _)| name.ends_with(end));
        let form = match special {
            Some((_, form)) => Form::Special(form),
            None => message(&name, &source).with_context(|| name.clone())?,
        };
        if special.is_some_and(|(_, form)| form.starts_with("schema")) {
            let (package, _) = name.rsplit_once('.').unwrap_or_default();
            waiting.push(format!("{package}.JSONSchemaProps"));
        }
        if let Form::Message(fields) = &form {
            let messages = fields.iter().map(|field| &field.type_name);
            waiting.extend(messages.filter(|name| !is_scalar(name)).cloned());
        }
        let kinds = Vec::new();
        entries.insert(name, Entry { kinds, form });
    }
    Ok(())
}

fn is_scalar(name: &str) -> bool {
    SCALARS.contains(&name)
}

fn message(name: &str, source: &Source<'_>) -> Result<Form> {
    let Some(tags) = source.tags else {
        return match source.fields {
            [] => Ok(Form::Message(Vec::new())),
            [only] if only.number == 1 && only.type_name == "string" => Ok(Form::Strings),
            _ => bail!("Go has no struct {name}"),
        };
    };
    let mut fields = Vec::new();
    for field in source.fields {
        let tag = tags
            .get(&field.number)
            .with_context(|| format!("Go has no field {}", field.number))?;
        let type_name = match is_scalar(&field.type_name) {
            true => field.type_name.clone(),
            false => schema_name(&field.type_name),
        };
        if tag.json == "-" {
            continue;
        }
        if tag.omit_zero && !type_name.ends_with(".Time") {
            bail!("{}: omitzero is known of times only", tag.json);
        }
        fields.push(Field {
            number: field.number,
            json: tag.json.clone(),
            cardinality: field.cardinality,
            inline: tag.inline,
            pointer: tag.pointer,
            always: !tag.omit_empty && !tag.pointer,
            type_name,
        });
    }
    fields.sort_by_key(|field| field.number);
    Ok(Form::Message(fields))
}

fn line(name: &str, entry: &Entry) -> String {
    let body = match &entry.form {
        Form::Special(form) => format!("={form}"),
        Form::Strings => "=strings".to_owned(),
        Form::Message(fields) => {
            let (package, _) = name.rsplit_once('.').unwrap_or_default();
            let fields: Vec<String> = fields.iter().map(|field| token(field, package)).collect();
            fields.join(" ")
        }
    };
    format!("{name}\t{}\t{body}\n", entry.kinds.join(","))
}

fn token(field: &Field, package: &str) -> String {
    let scalar = is_scalar(&field.type_name);
    let mark = match field.cardinality {
        Cardinality::Repeated => "*",
        Cardinality::Map => "%",
        Cardinality::One if field.inline => "+",
        Cardinality::One if scalar && field.pointer => "?",
        Cardinality::One if scalar && field.always => "!",
        Cardinality::One => "",
    };
    let type_name = match field.type_name.as_str() {
        "string" => "s",
        "bytes" => "b",
        "bool" => "t",
        "int32" => "i",
        "int64" => "l",
        "double" => "d",
        other => match other.rsplit_once('.') {
            Some((of, _)) if of == package => &other[package.len()..],
            _ => other,
        },
    };
    format!("{}:{}:{mark}{type_name}", field.number, field.json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_messages_and_schemas() {
        let message = "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.JSON";
        let schema = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON";
        assert_eq!(schema_name(message), schema);
        assert_eq!(message_name(schema), message);
    }

    #[test]
    fn tokens_say_when_a_zero_counts() {
        let field = |cardinality, pointer, always| Field {
            number: 7,
            json: "x".to_owned(),
            cardinality,
            type_name: "int32".to_owned(),
            inline: false,
            pointer,
            always,
        };
        assert_eq!(token(&field(Cardinality::One, true, false), "p"), "7:x:?i");
        assert_eq!(token(&field(Cardinality::One, false, true), "p"), "7:x:!i");
        assert_eq!(token(&field(Cardinality::One, false, false), "p"), "7:x:i");
        assert_eq!(token(&field(Cardinality::Map, false, true), "p"), "7:x:%i");
        let ours = Field {
            type_name: "p.Q".to_owned(),
            ..field(Cardinality::Repeated, false, false)
        };
        assert_eq!(token(&ours, "p"), "7:x:*.Q");
        assert_eq!(token(&ours, "r"), "7:x:*p.Q");
    }
}
