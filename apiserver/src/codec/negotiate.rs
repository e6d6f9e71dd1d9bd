//! What form of an answer a client wants: `Accept`, `includeObject`, `pretty`.
//!
//! Follows `k8s.io/apiserver/pkg/endpoints/handlers/negotiation`: clauses in order of quality; parameters `as`, `g` and `v`
//! ask for another shape of the same data. Protobuf is understood in requests but never produced; every client that asks
//! for it also lists JSON.

use crate::request::Request;
use crate::status::ApiError;

/// How the answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `application/json`
    Json,
    /// `application/yaml`
    Yaml,
}

/// How much of an object goes with its row in a Table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Include {
    /// Nothing.
    None,
    /// Its metadata.
    Metadata,
    /// All of it.
    Object,
}

/// What shape the data takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As it is.
    Whole,
    /// `meta.k8s.io` Table of the given version.
    Table(&'static str, Include),
    /// `meta.k8s.io` PartialObjectMetadata of the given version.
    Metadata(&'static str),
    /// `meta.k8s.io` PartialObjectMetadataList of the given version.
    MetadataList(&'static str),
}

/// The form of one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// How it is written.
    pub encoding: Encoding,
    /// What it shows.
    pub shape: Shape,
    /// With line breaks and indentation?
    pub pretty: bool,
}

impl Format {
    /// Plain JSON.
    pub const JSON: Self = Self {
        encoding: Encoding::Json,
        shape: Shape::Whole,
        pretty: false,
    };
}

/// What a request can be answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Objects of a kind: every form.
    Objects,
    /// A watch: every shape, but only as JSON.
    Stream,
    /// Something that is no object of a kind, such as an access review: no other shapes.
    Plain,
}

struct Clause<'a> {
    main: &'a str,
    sub: &'a str,
    params: Vec<(&'a str, &'a str)>,
    quality: f32,
}

/// Chooses the form of an answer before the request is carried out.
///
/// # Errors
/// 406 if nothing that the client accepts is on offer; 400 for an unknown `includeObject` with a Table.
pub fn negotiate(request: &Request, offer: Offer) -> Result<Format, ApiError> {
    let pretty = pretty(request);
    let header = request.accept.trim();
    if header.is_empty() {
        return Ok(Format {
            pretty,
            ..Format::JSON
        });
    }
    let mut clauses: Vec<Clause<'_>> = header.split(',').filter_map(clause).collect();
    let rank = |c: &Clause<'_>| (c.main == "*", c.sub == "*");
    clauses.sort_by(|a, b| {
        b.quality
            .total_cmp(&a.quality)
            .then_with(|| rank(a).cmp(&rank(b)))
    });
    for clause in &clauses {
        let Some(encoding) = encoding(clause, offer) else {
            continue;
        };
        let Some(shape) = shape(clause, offer) else {
            continue;
        };
        let shape = match shape {
            Shape::Table(version, _) => Shape::Table(version, include(request)?),
            other => other,
        };
        return Ok(Format {
            encoding,
            shape,
            pretty,
        });
    }
    Err(match offer {
        Offer::Stream => ApiError::not_acceptable(&["application/json"]),
        Offer::Objects | Offer::Plain => {
            ApiError::not_acceptable(&["application/json", "application/yaml"])
        }
    })
}

fn clause(text: &str) -> Option<Clause<'_>> {
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next()?;
    let (main, sub) = match media.split_once('/') {
        Some((main, sub)) => (main.trim(), sub.trim()),
        None if media == "*" => ("*", "*"),
        None => return None,
    };
    let mut params = Vec::new();
    let mut quality = 1.0;
    for part in parts {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let value = value.trim().trim_matches('"');
        if name.trim() == "q" {
            quality = value.parse().unwrap_or(1.0);
        } else {
            params.push((name.trim(), value));
        }
    }
    Some(Clause {
        main,
        sub,
        params,
        quality,
    })
}

fn encoding(clause: &Clause<'_>, offer: Offer) -> Option<Encoding> {
    match (clause.main, clause.sub) {
        ("application", "json" | "*") | ("*", "*") => Some(Encoding::Json),
        ("application", "yaml") if offer != Offer::Stream => Some(Encoding::Yaml),
        _ => None,
    }
}

/// The shape that the parameters ask for; `None` if the clause cannot be met.
fn shape(clause: &Clause<'_>, offer: Offer) -> Option<Shape> {
    let param = |name: &str| {
        let mut params = clause.params.iter();
        params.find(|(n, _)| *n == name).map(|(_, value)| *value)
    };
    if param("charset").is_some_and(|set| !set.eq_ignore_ascii_case("utf-8")) {
        return None;
    }
    let Some(target) = param("as") else {
        return Some(Shape::Whole);
    };
    if offer == Offer::Plain || param("g") != Some("meta.k8s.io") {
        return None;
    }
    let version = match param("v")? {
        "v1" => "meta.k8s.io/v1",
        "v1beta1" => "meta.k8s.io/v1beta1",
        _ => return None,
    };
    match target {
        "Table" => Some(Shape::Table(version, Include::Metadata)),
        "PartialObjectMetadata" => Some(Shape::Metadata(version)),
        "PartialObjectMetadataList" => Some(Shape::MetadataList(version)),
        _ => None,
    }
}

fn include(request: &Request) -> Result<Include, ApiError> {
    match request.query.get("includeObject").unwrap_or_default() {
        "" | "Metadata" => Ok(Include::Metadata),
        "None" => Ok(Include::None),
        "Object" => Ok(Include::Object),
        other => Err(ApiError::bad_request(format!(
            "Unable to convert to Table as requested: includeObject: Invalid value: {other:?}: must be 'Metadata', 'Object', 'None', or empty"
        ))),
    }
}

/// As upstream: by the parameter, else for clients with a person before them.
fn pretty(request: &Request) -> bool {
    if request.query.get("pretty").is_some() {
        return request.query.flag("pretty");
    }
    let people = ["curl", "Wget", "Mozilla/5.0"];
    people.iter().any(|p| request.user_agent.starts_with(p))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Query, ResourcePath, UserInfo, Verb, Warnings};

    fn ask(accept: &str, query: &[(&str, &str)], offer: Offer) -> Result<Format, ApiError> {
        let pairs = query.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        let request = Request {
            path: ResourcePath {
                verb: Verb::Get,
                group: String::new(),
                version: "v1".into(),
                resource: "pods".into(),
                namespace: String::new(),
                name: String::new(),
                subresource: String::new(),
                rest: String::new(),
            },
            user: UserInfo::anonymous(),
            query: Query(pairs.collect()),
            accept: accept.into(),
            content_type: String::new(),
            user_agent: String::new(),
            body: bytes::Bytes::new(),
            warnings: Warnings::default(),
        };
        negotiate(&request, offer)
    }

    #[test]
    fn clauses_are_tried_in_order() {
        const KUBECTL: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        const METADATA: &str = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
        let shape = |accept, offer| ask(accept, &[], offer).map(|f| (f.encoding, f.shape));
        let table = Shape::Table("meta.k8s.io/v1", Include::Metadata);
        let json = (Encoding::Json, Shape::Whole);
        let cases = [
            ("", Offer::Objects, json),
            ("*/*", Offer::Objects, json),
            (KUBECTL, Offer::Objects, (Encoding::Json, table)),
            (KUBECTL, Offer::Stream, (Encoding::Json, table)),
            (KUBECTL, Offer::Plain, json),
            (
                METADATA,
                Offer::Objects,
                (Encoding::Json, Shape::MetadataList("meta.k8s.io/v1")),
            ),
            (
                "application/yaml",
                Offer::Plain,
                (Encoding::Yaml, Shape::Whole),
            ),
            (
                "application/vnd.kubernetes.protobuf,application/json",
                Offer::Objects,
                json,
            ),
            (
                "application/yaml;q=0.1, application/json",
                Offer::Objects,
                json,
            ),
            (
                "application/*, application/yaml",
                Offer::Objects,
                (Encoding::Yaml, Shape::Whole),
            ),
            ("text/html,*/*;q=0.8", Offer::Stream, json),
            ("application/json;charset=utf-8", Offer::Objects, json),
        ];
        for (accept, offer, expected) in cases {
            assert_eq!(shape(accept, offer), Ok(expected), "{accept}");
        }
        for (accept, offer) in [
            ("application/vnd.kubernetes.protobuf", Offer::Objects),
            ("application/json;as=Table;v=v1;g=meta.k8s.io", Offer::Plain),
            (
                "application/json;as=Table;v=v2;g=meta.k8s.io",
                Offer::Objects,
            ),
            ("application/yaml", Offer::Stream),
            ("text/plain", Offer::Objects),
        ] {
            let error = shape(accept, offer).unwrap_err();
            assert_eq!(error.code, http::StatusCode::NOT_ACCEPTABLE, "{accept}");
        }
    }

    #[test]
    fn table_rows_include_what_is_asked_for() {
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
        let shape = |include| ask(table, &[("includeObject", include)], Offer::Objects);
        for (text, include) in [("None", Include::None), ("Object", Include::Object)] {
            assert_eq!(
                shape(text).unwrap().shape,
                Shape::Table("meta.k8s.io/v1", include)
            );
        }
        assert_eq!(
            shape("All").unwrap_err().code,
            http::StatusCode::BAD_REQUEST
        );
    }
}
