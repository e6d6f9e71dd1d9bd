//! Rules of KubeFedCluster.

use federation_api::conditions;
use serde_json::Value;

use super::{Verdict, name, text};
use crate::field::{FieldError, Path, text as rules};

/// Validates a KubeFedCluster's metadata and spec. `derived` says that the writer is the cell controller, which alone may
/// use a name with a dot.
#[must_use]
pub fn kubefed_cluster(object: &Value, derived: bool) -> Verdict {
    let mut verdict = Verdict::default();
    if !derived && name(object).contains('.') {
        let field = Path::new("metadata").child("name");
        let detail = "a cluster's name must not contain a dot: names with dots stand for cells";
        verdict.error(FieldError::invalid(&field, name(object), detail));
    }
    let path = Path::new("spec");
    let spec = &object["spec"];
    endpoint(
        text(spec, "apiEndpoint"),
        &path.child("apiEndpoint"),
        &mut verdict,
    );
    verdict.name(
        &spec["secretRef"],
        &path.child("secretRef"),
        "name",
        rules::dns1123_subdomain,
    );
    let checks_path = path.child("disabledTLSValidations");
    let checks: Vec<&str> = spec["disabledTLSValidations"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for check in &checks {
        verdict.word(check, &checks_path, &["*", "SubjectName", "ValidityPeriod"]);
    }
    if checks.len() > 1 && checks.contains(&"*") {
        let detail = "when * is specified, it is expected to be the only option in list";
        verdict.error(FieldError::invalid(&checks_path, checks, detail));
    }
    let proxy = text(spec, "proxyURL");
    if !proxy.is_empty() {
        let scheme = proxy
            .split_once("://")
            .map(|(scheme, _)| scheme)
            .unwrap_or_default();
        verdict.word(
            scheme,
            &path.child("proxyURL"),
            &["http", "https", "socks5"],
        );
    }
    verdict
}

/// Host, host:port, IP, IP:port or URL; https unless it says otherwise.
fn endpoint(endpoint: &str, path: &Path, verdict: &mut Verdict) {
    if endpoint.is_empty() {
        return verdict.error(FieldError::required(path));
    }
    let (scheme, rest) = endpoint.split_once("://").unwrap_or(("https", endpoint));
    verdict.word(scheme, path, &["http", "https"]);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = match authority
        .strip_prefix('[')
        .and_then(|inner| inner.split_once(']'))
    {
        Some((host, after)) => (host, after.strip_prefix(':')),
        None => match authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty() || host.contains(char::is_whitespace) {
        verdict.error(FieldError::invalid(
            path,
            endpoint,
            "must be a host, host:port or URL",
        ));
    }
    match port.map(str::parse::<i64>) {
        None | Some(Ok(1..=65535)) => {}
        Some(Ok(port)) => verdict.error(FieldError::invalid(
            path,
            port,
            "must be between 1 and 65535, inclusive",
        )),
        Some(Err(_)) => verdict.error(FieldError::invalid(
            path,
            port.unwrap_or_default(),
            "error converting port to integer",
        )),
    }
}

/// Validates a KubeFedCluster's status.
#[must_use]
pub fn kubefed_cluster_status(object: &Value) -> Verdict {
    let mut verdict = Verdict::default();
    let path = Path::new("status").child("conditions");
    for (index, condition) in object["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        let path = path.index(index);
        let types = [
            conditions::READY,
            conditions::OFFLINE,
            conditions::CONFIG_MALFORMED,
        ];
        verdict.word(text(condition, "type"), &path.child("type"), &types);
        let states = [conditions::TRUE, conditions::FALSE, conditions::UNKNOWN];
        verdict.word(text(condition, "status"), &path.child("status"), &states);
        if text(condition, "lastProbeTime").is_empty() {
            verdict.error(FieldError::required(&path.child("lastProbeTime")));
        }
    }
    verdict
}
