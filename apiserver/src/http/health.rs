//! `/healthz`, `/livez`, `/readyz`: named checks, in upstream's text form.

use std::sync::Arc;

use http::StatusCode;

use crate::request::Query;

/// A question with a name that decides about health. `Err` says why not; clients never see the reason.
#[derive(Clone)]
pub struct HealthCheck {
    name: Arc<str>,
    ready_only: bool,
    ask: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
}

impl HealthCheck {
    /// A check that all three endpoints ask. `ask` must not block.
    pub fn new(
        name: impl Into<Arc<str>>,
        ask: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            ready_only: false,
            ask: Arc::new(ask),
        }
    }

    /// A check for `/readyz` only: failing it must not get the process restarted.
    pub fn readiness(
        name: impl Into<Arc<str>>,
        ask: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            ready_only: true,
            ..Self::new(name, ask)
        }
    }
}

impl std::fmt::Debug for HealthCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HealthCheck({})", self.name)
    }
}

/// Is it one of the health paths? Gives the endpoint and the single check that is asked for, if any.
pub(crate) fn endpoint(path: &str) -> Option<(&'static str, Option<&str>)> {
    ["healthz", "livez", "readyz"]
        .into_iter()
        .find_map(|endpoint| {
            let rest = path.strip_prefix('/')?.strip_prefix(endpoint)?;
            match rest.strip_prefix('/') {
                Some(check) => Some((endpoint, Some(check))),
                None => rest.is_empty().then_some((endpoint, None)),
            }
        })
}

/// Answers a health path: code and text. 404 for an unknown check.
pub(crate) fn answer(
    checks: &[HealthCheck],
    endpoint: &str,
    single: Option<&str>,
    query: &Query,
) -> (StatusCode, String) {
    let mut asked: Vec<&HealthCheck> = checks
        .iter()
        .filter(|c| endpoint != "livez" || !c.ready_only)
        .filter(|c| endpoint != "healthz" || !c.ready_only)
        .collect();
    if let Some(single) = single {
        asked.retain(|c| &*c.name == single);
        if asked.is_empty() {
            return (StatusCode::NOT_FOUND, "404 page not found\n".to_owned());
        }
    }
    let excluded: Vec<&str> = query
        .0
        .iter()
        .filter(|(name, _)| name == "exclude")
        .map(|(_, value)| value.as_str())
        .collect();
    let mut lines = String::new();
    let mut healthy = true;
    for check in &asked {
        if excluded.contains(&&*check.name) {
            lines.push_str(&format!("[+]{} excluded: ok\n", check.name));
            continue;
        }
        match (check.ask)() {
            Ok(()) => lines.push_str(&format!("[+]{} ok\n", check.name)),
            Err(why) => {
                tracing::warn!(check = &*check.name, why, "a health check fails");
                healthy = false;
                lines.push_str(&format!("[-]{} failed: reason withheld\n", check.name));
            }
        }
    }
    let unmatched: Vec<String> = excluded
        .iter()
        .filter(|name| !asked.iter().any(|c| *c.name == ***name))
        .map(|name| format!("{name:?}"))
        .collect();
    if !unmatched.is_empty() {
        lines.push_str(&format!(
            "warn: some health checks cannot be excluded: no matches for {}\n",
            unmatched.join(",")
        ));
    }
    match (healthy, query.get("verbose").is_some()) {
        (true, false) => (StatusCode::OK, "ok".to_owned()),
        (true, true) => (StatusCode::OK, format!("{lines}{endpoint} check passed\n")),
        (false, _) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("{lines}{endpoint} check failed\n"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks() -> Vec<HealthCheck> {
        vec![
            HealthCheck::new("ping", || Ok(())),
            HealthCheck::readiness("kinds", || Err("not yet".to_owned())),
        ]
    }

    fn ask(endpoint: &str, single: Option<&str>, query: &str) -> (u16, String) {
        let query = crate::http::uri::parse_query(Some(query)).unwrap();
        let (code, text) = answer(&checks(), endpoint, single, &query);
        (code.as_u16(), text)
    }

    #[test]
    fn paths_name_an_endpoint_and_maybe_a_check() {
        assert_eq!(endpoint("/readyz"), Some(("readyz", None)));
        assert_eq!(endpoint("/readyz/ping"), Some(("readyz", Some("ping"))));
        assert_eq!(endpoint("/readyzz"), None);
        assert_eq!(endpoint("/api"), None);
    }

    #[test]
    fn answers_follow_upstream() {
        assert_eq!(ask("livez", None, ""), (200, "ok".to_owned()));
        assert_eq!(
            ask("livez", None, "verbose"),
            (200, "[+]ping ok\nlivez check passed\n".to_owned())
        );
        assert_eq!(
            ask("readyz", None, ""),
            (
                500,
                "[+]ping ok\n[-]kinds failed: reason withheld\nreadyz check failed\n".to_owned()
            )
        );
        assert_eq!(ask("readyz", None, "exclude=kinds"), (200, "ok".to_owned()));
        assert_eq!(ask("readyz", Some("ping"), ""), (200, "ok".to_owned()));
        assert_eq!(ask("readyz", Some("nope"), "").0, 404);
        let (_, text) = ask("livez", None, "verbose&exclude=x");
        assert!(text.contains("no matches for \"x\""), "{text}");
    }
}
