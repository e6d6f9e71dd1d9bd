//! Reads the struct tags of Go types: what a field is called in JSON, and when it is left out.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

/// What the tags of a field say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GoField {
    /// The name in JSON; empty for an embedded field, `-` for one that JSON does not have.
    pub(super) json: String,
    /// Its own fields belong to the message around it.
    pub(super) inline: bool,
    /// JSON leaves out the zero value.
    pub(super) omit_empty: bool,
    /// JSON leaves out a struct that is zero.
    pub(super) omit_zero: bool,
    /// Absent and zero are different things.
    pub(super) pointer: bool,
}

/// The fields of structs, by struct and field number.
pub(super) type Structs = BTreeMap<String, BTreeMap<u32, GoField>>;

/// Adds the structs of a Go file.
pub(super) fn parse(text: &str, structs: &mut Structs) -> Result<()> {
    let mut current = None::<String>;
    for line in text.lines() {
        if let Some(name) = line
            .strip_prefix("type ")
            .and_then(|l| l.strip_suffix(" struct {"))
        {
            structs.entry(name.to_owned()).or_default();
            current = Some(name.to_owned());
        } else if line == "}" {
            current = None;
        } else if let Some(name) = &current
            && let Some((declaration, tags)) = line.split_once('`')
            && !line.trim_start().starts_with("//")
            && let Some((number, field)) =
                field(declaration, tags).with_context(|| format!("{name}: {line}"))?
        {
            structs
                .entry(name.clone())
                .or_default()
                .insert(number, field);
        }
    }
    Ok(())
}

/// A field with its number; `None` for one that is not on the wire.
fn field(declaration: &str, tags: &str) -> Result<Option<(u32, GoField)>> {
    let Some(wire) = tag(tags, "protobuf").filter(|wire| *wire != "-") else {
        return Ok(None);
    };
    let number = wire.split(',').nth(1).context("no field number")?;
    let number = number.parse().context("not a field number")?;
    let mut json = tag(tags, "json").unwrap_or("-").split(',');
    let name = json.next().unwrap_or_default().to_owned();
    let options: Vec<&str> = json.collect();
    let type_name = declaration.split_whitespace().last().unwrap_or_default();
    let field = GoField {
        inline: name.is_empty(),
        json: name,
        omit_empty: options.contains(&"omitempty"),
        omit_zero: options.contains(&"omitzero"),
        pointer: type_name.starts_with('*'),
    };
    Ok(Some((number, field)))
}

fn tag<'a>(tags: &'a str, name: &str) -> Option<&'a str> {
    let start = tags.find(&format!("{name}:\""))? + name.len() + 2;
    let rest = &tags[start..];
    Some(&rest[..rest.find('"')?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read() {
        let text = "type M struct {\n\tTypeMeta `json:\",inline\"`\n\tmeta.Source `json:\",inline\" protobuf:\"bytes,2,opt,name=source\"`\n\
                    \t// `json:\"x\" protobuf:\"bytes,9\"`\n\tN *int32 `json:\"n,omitempty\" patchStrategy:\"merge\" protobuf:\"varint,3,opt,name=n\"`\n}\n";
        let mut structs = Structs::new();
        parse(text, &mut structs).unwrap();
        let fields = &structs["M"];
        assert_eq!(fields.keys().collect::<Vec<_>>(), [&2, &3]);
        assert!(fields[&2].inline && !fields[&2].pointer);
        assert!(fields[&3].pointer && fields[&3].omit_empty && fields[&3].json == "n");
    }
}
