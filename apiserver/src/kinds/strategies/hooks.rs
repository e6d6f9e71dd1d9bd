//! The configurations of admission webhooks.

use serde_json::Value;

use super::at::{At, Findings, Taken};
use super::default;
use super::pod::members;
use crate::kinds::{NameRule, Strategy, StrategyContext};
use crate::status::FieldError;
use crate::verbs::name_problems;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hooks {
    Mutating,
    Validating,
}

impl Strategy for Hooks {
    fn prepare_create(&self, object: &mut Value, _context: &StrategyContext<'_>) {
        self.fill(object);
    }

    fn prepare_update(&self, object: &mut Value, _old: &Value, _context: &StrategyContext<'_>) {
        self.fill(object);
    }

    fn validate(
        &self,
        object: &Value,
        _old: Option<&Value>,
        _context: &StrategyContext<'_>,
    ) -> Vec<FieldError> {
        let mut out = Vec::new();
        let mut names = Taken::default();
        for hook in At::top(object, "webhooks").items() {
            self.hook(&hook, &mut out);
            let name = hook.field("name");
            if !name.text().is_empty() {
                names.take(&name, &mut out);
            }
        }
        out
    }

    fn judges_alone(&self) -> bool {
        true
    }
}

impl Hooks {
    fn fill(self, object: &mut Value) {
        let Some(fields) = object.as_object_mut() else {
            return;
        };
        for hook in members(fields, "webhooks") {
            default(hook, "failurePolicy", "Fail");
            default(hook, "matchPolicy", "Equivalent");
            default(hook, "namespaceSelector", serde_json::json!({}));
            default(hook, "objectSelector", serde_json::json!({}));
            default(hook, "timeoutSeconds", 10);
            if self == Self::Mutating {
                default(hook, "reinvocationPolicy", "Never");
            }
            for rule in members(hook, "rules") {
                default(rule, "scope", "*");
            }
            let service = hook
                .get_mut("clientConfig")
                .map(|config| &mut config["service"]);
            if let Some(service) = service.and_then(Value::as_object_mut) {
                default(service, "port", 443);
            }
            if let Some(config) = hook.get_mut("clientConfig").and_then(Value::as_object_mut) {
                config.retain(|_, value| !value.is_null());
            }
        }
    }

    fn hook(self, hook: &At<'_>, out: &mut Findings) {
        fully_qualified(&hook.field("name"), out);
        for rule in hook.field("rules").items() {
            self::rule(&rule, out);
        }
        hook.field("failurePolicy").one_of(&["Fail", "Ignore"], out);
        hook.field("matchPolicy")
            .one_of(&["Equivalent", "Exact"], out);
        let effects = hook.field("sideEffects");
        if effects.text().is_empty() {
            out.push(effects.required("must specify one of None, NoneOnDryRun"));
        } else {
            effects.one_of(&["None", "NoneOnDryRun"], out);
        }
        let time = hook.field("timeoutSeconds");
        if time
            .number()
            .is_some_and(|seconds| !(1..=30).contains(&seconds))
        {
            out.push(time.invalid("the timeout value must be between 1 and 30 seconds"));
        }
        hook.field("namespaceSelector").label_selector(out);
        hook.field("objectSelector").label_selector(out);
        if self == Self::Mutating {
            hook.field("reinvocationPolicy")
                .one_of(&["IfNeeded", "Never"], out);
        }
        client(&hook.field("clientConfig"), out);
        versions(&hook.field("admissionReviewVersions"), out);
    }
}

/// A name of a domain, of three parts at least.
fn fully_qualified(name: &At<'_>, out: &mut Findings) {
    if name.text().is_empty() {
        out.push(name.required(""));
        return;
    }
    let before = out.len();
    let problems = name_problems(NameRule::Subdomain, name.text(), false);
    out.extend(problems.into_iter().map(|problem| name.invalid(problem)));
    if out.len() == before && name.text().split('.').count() < 3 {
        out.push(name.invalid("should be a domain with at least three segments separated by dots"));
    }
}

fn rule(rule: &At<'_>, out: &mut Findings) {
    let known = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
    for field in ["operations", "apiGroups", "apiVersions", "resources"] {
        let list = rule.field(field);
        if list.is_empty() {
            out.push(list.required(""));
        }
        if field == "operations" {
            list.items().for_each(|word| word.one_of(&known, out));
        }
        let all = list.items().any(|word| word.text() == "*");
        if all && list.items().count() > 1 && field != "resources" {
            let what = match field {
                "operations" => "if '*' is present, must not specify other operations",
                "apiGroups" => "if '*' is present, must not specify other API groups",
                _ => "if '*' is present, must not specify other API versions",
            };
            out.push(list.invalid(what));
        }
    }
    rule.field("scope")
        .one_of(&["*", "Cluster", "Namespaced"], out);
}

fn client(config: &At<'_>, out: &mut Findings) {
    let (url, service) = (config.field("url"), config.field("service"));
    if url.is_set() == service.is_set() {
        out.push(config.required("exactly one of url or service is required"));
        return;
    }
    if service.is_set() {
        for field in ["name", "namespace"] {
            if service.field(field).text().is_empty() {
                out.push(
                    service
                        .field(field)
                        .required(&*format!("service {field} is required")),
                );
            }
        }
        return;
    }
    let form = "; desired format: https://host[/path]";
    match url.text().parse::<http::Uri>() {
        Ok(uri) if uri.scheme_str() == Some("https") => {}
        Ok(uri) => {
            let scheme = uri.scheme_str().unwrap_or_default();
            let detail = format!("'https' is the only allowed URL scheme{form}");
            out.push(url.invalid_value(&scheme.into(), detail));
        }
        Err(error) => out.push(url.required(format!("url must be a valid URL: {error}{form}"))),
    }
}

fn versions(versions: &At<'_>, out: &mut Findings) {
    let known = ["v1", "v1beta1"];
    if versions.is_empty() {
        let words = known.join(", ");
        out.push(versions.required(format!("must specify one of {words}")));
    } else if !versions
        .items()
        .any(|version| known.contains(&version.text()))
    {
        let words = known.join(", ");
        let detail = format!("must include at least one of {words}");
        out.push(versions.invalid(detail));
    }
}
