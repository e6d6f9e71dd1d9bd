//! The file's text: read strictly, with kube-apiserver's complaints.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use apiserver_store::{KeyError, KeyRing, KmsOptions, KmsTimes, ResourcePattern, SealKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::resources::{GroupResource, list_complaints, masked_by, name_complaint, written};

/// What a valid file says, in its order.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) rules: Vec<Rule>,
}

/// Some resources and their providers.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) patterns: Vec<ResourcePattern>,
    pub(super) providers: Vec<Spec>,
}

/// One provider, not yet in use.
#[derive(Debug)]
pub(super) enum Spec {
    Identity,
    Keys(KeyRing),
    Kms(KmsOptions),
}

/// Makes a ring of keys.
type MakeRing = fn(&[SealKey]) -> Result<KeyRing, KeyError>;

/// kube-apiserver's default.
const KMS_TIMEOUT: Duration = Duration::from_secs(3);

/// Reads YAML or JSON.
///
/// # Errors
/// All complaints, each with its field path. They never show a value from below `secret`.
pub(super) fn parse(text: &str) -> Result<Document, Vec<String>> {
    let value: Value = serde_saphyr::from_str(text).map_err(|error| {
        // Its own words may quote the line, and so a key.
        let at = error.location().map_or_else(String::new, |location| {
            format!(" at line {} column {}", location.line(), location.column())
        });
        vec![format!("not valid YAML{at}")]
    })?;
    let mut reader = Reader::default();
    let rules = reader.document(&value);
    match reader.complaints.is_empty() {
        true => Ok(Document { rules }),
        false => Err(reader.complaints),
    }
}

/// Walks through a file and gathers what is wrong with it.
#[derive(Default)]
struct Reader {
    complaints: Vec<String>,
    plugins: BTreeSet<String>,
    named: Vec<GroupResource>,
}

impl Reader {
    fn invalid(&mut self, path: &str, value: &str, why: impl std::fmt::Display) {
        self.complaints
            .push(format!("{path}: Invalid value: {value:?}: {why}"));
    }

    fn required(&mut self, path: &str, why: impl std::fmt::Display) {
        self.complaints
            .push(format!("{path}: Required value: {why}"));
    }

    /// An object with no other fields than these; an empty one if it is something else.
    fn object<'a>(&mut self, path: &str, value: &'a Value, known: &[&str]) -> Fields<'a> {
        match value {
            Value::Object(fields) => {
                for name in fields.keys().filter(|name| !known.contains(&name.as_str())) {
                    let path = join(path, name);
                    self.complaints.push(format!("unknown field {path:?}"));
                }
                Fields(Some(fields))
            }
            Value::Null => Fields(None),
            _ => {
                self.complaints
                    .push(format!("{}: must be an object", shown(path)));
                Fields(None)
            }
        }
    }

    fn list<'a>(&mut self, path: &str, value: Option<&'a Value>) -> &'a [Value] {
        match value {
            Some(Value::Array(items)) => items,
            None | Some(Value::Null) => &[],
            Some(_) => {
                self.complaints.push(format!("{path}: must be a list"));
                &[]
            }
        }
    }

    /// A text; the empty one if it is missing or something else.
    fn text<'a>(&mut self, path: &str, value: Option<&'a Value>) -> &'a str {
        match value {
            Some(Value::String(text)) => text,
            None | Some(Value::Null) => "",
            Some(_) => {
                self.complaints.push(format!("{path}: must be a string"));
                ""
            }
        }
    }

    fn document(&mut self, value: &Value) -> Vec<Rule> {
        let fields = self.object("", value, &["apiVersion", "kind", "resources"]);
        for (field, expected) in [
            ("apiVersion", "apiserver.config.k8s.io/v1"),
            ("kind", "EncryptionConfiguration"),
        ] {
            let found = self.text(field, fields.get(field));
            if found != expected {
                self.complaints
                    .push(format!("{field}: must be {expected:?}"));
            }
        }
        let rules = self.list("resources", fields.get("resources"));
        if rules.is_empty() {
            self.required("resources", "at least one resources is required");
        }
        let rules = rules.iter().enumerate();
        rules
            .map(|(at, rule)| self.rule(&format!("resources[{at}]"), rule))
            .collect()
    }

    fn rule(&mut self, path: &str, value: &Value) -> Rule {
        let fields = self.object(path, value, &["resources", "providers"]);
        let names = join(path, "resources");
        let patterns = self.resources(&names, fields.get("resources"));
        let path = join(path, "providers");
        let providers = self.list(&path, fields.get("providers"));
        if providers.is_empty() {
            self.required(&path, format!("at least one {path} is required"));
        }
        let providers = providers.iter().enumerate();
        let providers = providers
            .filter_map(|(at, provider)| self.provider(&format!("{path}[{at}]"), provider))
            .collect();
        Rule {
            patterns,
            providers,
        }
    }

    fn resources(&mut self, path: &str, value: Option<&Value>) -> Vec<ResourcePattern> {
        let items = self.list(path, value);
        if items.is_empty() {
            self.required(path, format!("at least one {path} is required"));
        }
        let mut names = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let path = format!("{path}[{at}]");
            let name = self.text(&path, Some(item)).to_owned();
            if let Some(why) = name_complaint(&name) {
                self.invalid(&path, &name, why);
            }
            names.push(name);
        }
        for why in list_complaints(&names) {
            self.invalid(path, &names.join(" "), why);
        }
        let parsed: Vec<GroupResource> = names
            .iter()
            .map(|name| GroupResource::parse(name))
            .collect();
        for (name, wanted) in names.iter().zip(&parsed) {
            if let Some(earlier) = masked_by(&self.named, wanted).map(written) {
                self.complaints.push(format!(
                    "resource {name:?} is masked by earlier rule {earlier:?}"
                ));
            }
        }
        self.named.extend(parsed.iter().cloned());
        parsed.iter().map(GroupResource::pattern).collect()
    }

    fn provider(&mut self, path: &str, value: &Value) -> Option<Spec> {
        let kinds = ["aesgcm", "aescbc", "secretbox", "identity", "kms"];
        let fields = self.object(path, value, &kinds);
        let given: Vec<(&str, &Value)> = kinds
            .into_iter()
            .filter_map(|kind| Some((kind, fields.get(kind)?)))
            .collect();
        let [(kind, value)] = given[..] else {
            let why = match given.is_empty() {
                true => {
                    "provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity"
                }
                false => {
                    "more than one provider specified in a single element, should split into different list elements"
                }
            };
            let names: Vec<&str> = given.iter().map(|(kind, _)| *kind).collect();
            self.invalid(path, &names.join(" "), why);
            return None;
        };
        let path = join(path, kind);
        match kind {
            "aesgcm" => self.keys(&path, value, KeyRing::aes_gcm),
            "aescbc" => self.keys(&path, value, KeyRing::aes_cbc),
            "secretbox" => self.keys(&path, value, KeyRing::secretbox),
            "kms" => self.kms(&path, value),
            _ => {
                self.object(&path, value, &[]);
                Some(Spec::Identity)
            }
        }
    }

    fn keys(&mut self, path: &str, value: &Value, make: MakeRing) -> Option<Spec> {
        let fields = self.object(path, value, &["keys"]);
        let path = join(path, "keys");
        let items = self.list(&path, fields.get("keys"));
        if items.is_empty() {
            self.required(&path, "at least one keys is required");
            return None;
        }
        let before = self.complaints.len();
        let mut keys = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let path = format!("{path}[{at}]");
            let Some(key) = self.key(&path, item) else {
                continue;
            };
            // One by one, so that a complaint can say which.
            match make(std::slice::from_ref(&key)) {
                Ok(_) => keys.push(key),
                Err(KeyError::Length {
                    length, expected, ..
                }) => {
                    let expected: Vec<String> = expected.iter().map(usize::to_string).collect();
                    let why = format!(
                        "secret is not of the expected length, got {length}, expected one of [{}]",
                        expected.join(" ")
                    );
                    self.invalid(&join(&path, "secret"), "REDACTED", why);
                }
                Err(error @ (KeyError::None | KeyError::Name { .. })) => {
                    self.invalid(&join(&path, "name"), &key.name, error);
                }
            }
        }
        (self.complaints.len() == before).then_some(())?;
        make(&keys).ok().map(Spec::Keys)
    }

    fn key(&mut self, path: &str, value: &Value) -> Option<SealKey> {
        let fields = self.object(path, value, &["name", "secret"]);
        let name = self.text(&join(path, "name"), fields.get("name"));
        if name.is_empty() {
            self.required(&join(path, "name"), "name is a mandatory field for a key");
        }
        let path = join(path, "secret");
        let secret = self.text(&path, fields.get("secret"));
        if secret.is_empty() {
            self.required(&path, "secret is a mandatory field for a key");
            return None;
        }
        match STANDARD.decode(secret) {
            Ok(secret) if !name.is_empty() => Some(SealKey::new(name, secret)),
            Ok(_) => None,
            Err(_) => {
                self.invalid(&path, "REDACTED", "secrets must be base64 encoded");
                None
            }
        }
    }

    fn kms(&mut self, path: &str, value: &Value) -> Option<Spec> {
        let known = ["apiVersion", "name", "endpoint", "timeout", "cachesize"];
        let fields = self.object(path, value, &known);
        let before = self.complaints.len();
        let name = self.text(&join(path, "name"), fields.get("name"));
        self.plugin_name(&join(path, "name"), name);
        let timeout = join(path, "timeout");
        let timeout = self.timeout(&timeout, fields.get("timeout"));
        let endpoint = join(path, "endpoint");
        let socket = self.text(&endpoint, fields.get("endpoint"));
        let socket = self.socket(&endpoint, socket);
        if fields.get("cachesize").is_some() {
            let path = join(path, "cachesize");
            self.invalid(&path, "", "cachesize is not supported in v2");
        }
        let version = join(path, "apiVersion");
        // kube-apiserver's default is v1.
        let found = match self.text(&version, fields.get("apiVersion")) {
            "" => "v1",
            found => found,
        };
        if found != "v2" {
            self.invalid(
                &version,
                found,
                "unsupported apiVersion for KMS provider, only v2 is supported",
            );
        }
        (self.complaints.len() == before).then(|| {
            Spec::Kms(KmsOptions {
                name: name.to_owned(),
                socket: socket.unwrap_or_default(),
                timeout: timeout.unwrap_or(KMS_TIMEOUT),
                times: KmsTimes::default(),
            })
        })
    }

    fn plugin_name(&mut self, path: &str, name: &str) {
        if name.is_empty() {
            self.required(path, "name is a mandatory field for a provider");
        }
        if name.contains(':') {
            let why = format!("invalid KMS provider name {name}, must not contain ':'");
            self.invalid(path, name, why);
        }
        if !self.plugins.insert(name.to_owned()) {
            let why = format!("duplicate KMS provider name {name}, names must be unique");
            self.invalid(path, name, why);
        }
    }

    fn timeout(&mut self, path: &str, value: Option<&Value>) -> Option<Duration> {
        let text = self.text(path, value);
        if text.is_empty() {
            return None;
        }
        let parsed = text.parse::<jiff::SignedDuration>().ok();
        let parsed = parsed.and_then(|duration| Duration::try_from(duration).ok());
        match parsed {
            Some(timeout) if !timeout.is_zero() => Some(timeout),
            Some(_) | None => {
                self.invalid(path, text, "timeout should be a positive value");
                None
            }
        }
    }

    fn socket(&mut self, path: &str, endpoint: &str) -> Option<PathBuf> {
        if endpoint.is_empty() {
            self.invalid(path, "", "endpoint is a mandatory field for a kms");
            return None;
        }
        let (scheme, rest) = endpoint.split_once(':').unwrap_or(("", endpoint));
        if scheme != "unix" {
            let why =
                format!("unsupported scheme {scheme:?} for KMS provider, only unix is supported");
            self.invalid(path, endpoint, why);
            return None;
        }
        let socket = rest.strip_prefix("//").unwrap_or(rest);
        if !socket.starts_with('/') || socket.starts_with("/@") {
            self.invalid(
                path,
                endpoint,
                "the socket must be named by an absolute path",
            );
            return None;
        }
        Some(PathBuf::from(socket))
    }
}

/// The fields of an object, which may not be there.
struct Fields<'a>(Option<&'a Map<String, Value>>);

impl<'a> Fields<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.0?.get(name)
    }
}

fn join(path: &str, field: &str) -> String {
    match path {
        "" => field.to_owned(),
        path => format!("{path}.{field}"),
    }
}

fn shown(path: &str) -> &str {
    match path {
        "" => "the file",
        path => path,
    }
}
