//! Reads what `go-to-protobuf` writes: flat messages, one field a line.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

/// How often a field may occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cardinality {
    /// At most once, or once.
    One,
    /// Any number of times.
    Repeated,
    /// Any number of times, as entries of a map with string keys.
    Map,
}

/// A field as the `.proto` file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProtoField {
    pub(super) number: u32,
    pub(super) cardinality: Cardinality,
    /// A scalar's name, or a message's with its package. Of a map, that of the values.
    pub(super) type_name: String,
}

/// Messages by their name with package.
pub(super) type Messages = BTreeMap<String, Vec<ProtoField>>;

/// The scalars that occur.
pub(super) const SCALARS: &[&str] = &["string", "bytes", "bool", "int32", "int64", "double"];

/// Reads a file.
pub(super) fn parse(text: &str) -> Result<Messages> {
    let mut messages = Messages::new();
    let (mut package, mut current) = (String::new(), None::<String>);
    for line in text.lines().map(str::trim) {
        if let Some(name) = line
            .strip_prefix("package ")
            .and_then(|l| l.strip_suffix(';'))
        {
            package = name.to_owned();
        } else if let Some(name) = line
            .strip_prefix("message ")
            .and_then(|l| l.strip_suffix(" {"))
        {
            let name = format!("{package}.{name}");
            messages.insert(name.clone(), Vec::new());
            current = Some(name);
        } else if line == "}" {
            current = None;
        } else if let Some(name) = &current
            && !line.is_empty()
            && !line.starts_with("//")
        {
            let made = field(line, &package).with_context(|| format!("{name}: {line}"))?;
            messages.entry(name.clone()).or_default().push(made);
        }
    }
    Ok(messages)
}

fn field(line: &str, package: &str) -> Result<ProtoField> {
    let (declaration, number) = line
        .strip_suffix(';')
        .and_then(|l| l.split_once(" = "))
        .context("not a field")?;
    let number = number.parse().context("not a field number")?;
    let (cardinality, type_name) = if let Some(rest) = declaration.strip_prefix("map<string, ") {
        let (values, _) = rest.split_once('>').context("not a map")?;
        (Cardinality::Map, values)
    } else {
        let words: Vec<&str> = declaration.split(' ').collect();
        match words[..] {
            ["optional" | "required", type_name, _] => (Cardinality::One, type_name),
            ["repeated", type_name, _] => (Cardinality::Repeated, type_name),
            _ => bail!("not a field that this reader knows"),
        }
    };
    let type_name = match type_name.strip_prefix('.') {
        Some(absolute) => absolute.to_owned(),
        None if SCALARS.contains(&type_name) => type_name.to_owned(),
        None => format!("{package}.{type_name}"),
    };
    Ok(ProtoField {
        number,
        cardinality,
        type_name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_every_form() {
        let text = "package a.v1;\n\nmessage M {\n  // map<x> = 3;\n  optional string name = 1;\n\n  repeated N items = 2;\n  \
                    map<string, .b.Q> more = 3;\n}\n";
        let messages = parse(text).unwrap();
        let fields: Vec<(u32, Cardinality, &str)> = messages["a.v1.M"]
            .iter()
            .map(|f| (f.number, f.cardinality, f.type_name.as_str()))
            .collect();
        assert_eq!(
            fields,
            [
                (1, Cardinality::One, "string"),
                (2, Cardinality::Repeated, "a.v1.N"),
                (3, Cardinality::Map, "b.Q"),
            ]
        );
        assert!(parse("message M {\n  oneof x = 1;\n}\n").is_err());
    }
}
