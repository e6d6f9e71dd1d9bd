//! What exactly must stand in a member.
//!
//! A member object is made in this order: the template; identity (name, namespace, kind); the cell's pod placement;
//! the annotation policy; on update, what the member keeps; the member's overrides; the managed label. Overrides come
//! after retention, as in KubeFed, so they can set what is otherwise left to the member.

mod metadata;
mod pods;
#[cfg(test)]
mod tests;

use federation_api::federated::southbound::FederatedObject;
use federation_api::kinds::{PodPlacement, UpdateStrategy};
use federation_api::reasons::MemberReason;
use federation_api::{annotations, events, names};
use serde_json::{Map, Value, json};

use crate::event::Event;
use crate::field::Path;
use crate::member::Member;
use crate::overrides::{self, DoesNotApply, InvalidOverrides, SOUTHBOUND_WORDS};
use crate::retention::{SERVER_FIELDS, retain};
use crate::target::Target;
use crate::version::SpecVersion;

/// Why there is no desired object.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DesiredError {
    /// The object has no template, or one that is no JSON object.
    #[error("spec.template must be an object")]
    NoTemplate,
    /// Part of the template's metadata has the wrong shape. KubeFed drops such labels silently.
    #[error("{0} of the template must map text to text")]
    Metadata(&'static str),
    /// The overrides are wrong as a whole, so no member can be written.
    #[error(transparent)]
    Overrides(#[from] InvalidOverrides),
    /// This member's overrides do not apply to its object.
    #[error(transparent)]
    DoesNotApply(#[from] DoesNotApply),
    /// An override left metadata that is no metadata any more.
    #[error("the overrides leave metadata that is not well-formed")]
    Spoilt,
}

impl DesiredError {
    /// The word for status.
    #[must_use]
    pub fn reason(&self) -> MemberReason {
        match self {
            Self::NoTemplate | Self::Metadata(_) => MemberReason::ComputeResourceFailed,
            Self::Overrides(_) | Self::DoesNotApply(_) | Self::Spoilt => {
                MemberReason::ApplyOverridesFailed
            }
        }
    }
}

/// A federated object, prepared to say what must stand in each member.
#[derive(Clone, Debug)]
pub struct Blueprint<'a> {
    object: &'a FederatedObject,
    target: &'a Target,
    version: SpecVersion,
    overrides: Result<(), InvalidOverrides>,
}

impl<'a> Blueprint<'a> {
    /// Prepares `object`. Hashes template and overrides once.
    #[must_use]
    pub fn new(object: &'a FederatedObject, target: &'a Target) -> Self {
        let all = object.spec.overrides.as_deref().unwrap_or_default();
        Self {
            object,
            target,
            version: SpecVersion::of(&object.spec),
            overrides: overrides::check(
                all,
                &Path::new("spec").child("overrides"),
                SOUTHBOUND_WORDS,
            ),
        }
    }

    /// Versions of template and overrides.
    #[must_use]
    pub fn version(&self) -> &SpecVersion {
        &self.version
    }

    /// What a member is to run, as recorded beside the version of its object: hashes of the template and of its own
    /// overrides, and after a `+` of what else shapes its object (pod placement, `retainReplicas`), if there is any.
    #[must_use]
    pub fn applied(&self, member: &Member) -> String {
        let applied = self.version.applied(&self.object.spec, &member.name);
        let retain_replicas = self.object.spec.retain_replicas.unwrap_or_default();
        let pods = self.pod_placement(member);
        if !retain_replicas && pods.is_none() {
            return applied;
        }
        let circumstances = json!({"retainReplicas": retain_replicas, "podPlacement": pods});
        format!(
            "{applied}+{}",
            crate::version::template_version(Some(&circumstances))
        )
    }

    fn pod_placement<'m>(&self, member: &'m Member) -> Option<&'m PodPlacement> {
        let placement = &member.cell.as_ref()?.pod_placement;
        let matters =
            *placement != PodPlacement::default() && pods::pod_spec_path(self.target).is_some();
        matters.then_some(placement)
    }

    /// Namespace of the object in `member`; `None` if the target is cluster-scoped.
    #[must_use]
    pub fn namespace_in<'m>(&'m self, member: &'m Member) -> Option<&'m str> {
        self.target.namespaced.then(|| match &member.cell {
            Some(cell) => cell.member_namespace.as_str(),
            None => self.object.namespace(),
        })
    }

    /// Warnings about parts of the template that are not sent, for events: KubeFed's reasons.
    #[must_use]
    pub fn warnings(&self) -> Vec<Event> {
        let Some(template) = &self.object.spec.template else {
            return Vec::new();
        };
        let mut events = Vec::new();
        let ignored = self.ignored_annotations();
        if !ignored.is_empty() {
            let keys = ignored.join(", ");
            events.push(Event::warning(
                events::ANNOTATIONS_NOT_SUPPORTED,
                format!("annotations of the template that the type does not propagate are not sent: {keys}"),
            ));
        }
        let finalizers = template
            .pointer("/metadata/finalizers")
            .and_then(Value::as_array);
        if finalizers.is_some_and(|all| !all.is_empty()) {
            events.push(Event::warning(
                events::FINALIZERS_NOT_SUPPORTED,
                "finalizers of the template are not sent: they belong to the members; set them by an override",
            ));
        }
        events
    }

    /// Annotation keys of the template that are not sent, sorted.
    #[must_use]
    pub fn ignored_annotations(&self) -> Vec<String> {
        let Some(template) = &self.object.spec.template else {
            return Vec::new();
        };
        let all = metadata::texts(template, "annotations");
        let ignored = self.target.annotations.ignored(&all);
        ignored.into_iter().map(str::to_owned).collect()
    }

    /// The object that must stand in `member`, given what stands there. With server-side apply it holds only what is
    /// ours; otherwise it is a whole replacement of `observed`, with its resource version.
    ///
    /// # Errors
    /// If the template or the overrides cannot be used.
    pub fn desired(
        &self,
        member: &Member,
        observed: Option<&Value>,
    ) -> Result<Value, DesiredError> {
        let mut object = self.identified(member)?;
        if let Some(placement) = self.pod_placement(member) {
            pods::merge(&mut object, self.target, placement);
        }
        let replaced = observed.filter(|_| self.target.strategy != UpdateStrategy::ServerSideApply);
        self.put_metadata(&mut object, replaced)?;
        if let Some(observed) = replaced {
            let replicas = self.object.spec.retain_replicas.unwrap_or_default();
            retain(&self.target.kind, &mut object, observed, replicas);
        }
        self.overrides.clone()?;
        let all = self.object.spec.overrides.as_deref().unwrap_or_default();
        overrides::apply(overrides::of_member(all, &member.name), &mut object)?;
        if !metadata::seal(&mut object, replaced) {
            return Err(DesiredError::Spoilt);
        }
        Ok(object)
    }

    /// The template with the identity of the member object, and without metadata that only a member's API server sets.
    fn identified(&self, member: &Member) -> Result<Value, DesiredError> {
        let Some(Value::Object(template)) = &self.object.spec.template else {
            return Err(DesiredError::NoTemplate);
        };
        let mut object = template.clone();
        let has_version = object.get("apiVersion").is_some_and(Value::is_string);
        if !has_version {
            object.insert("apiVersion".into(), json!(self.target.api_version));
        }
        object.insert("kind".into(), json!(self.target.kind));
        let metadata = object
            .entry("metadata")
            .or_insert_with(|| Value::Object(Map::new()));
        if metadata.is_null() {
            *metadata = Value::Object(Map::new());
        }
        let metadata = metadata
            .as_object_mut()
            .ok_or(DesiredError::Metadata("metadata"))?;
        for field in SERVER_FIELDS {
            metadata.remove(field);
        }
        metadata.remove("finalizers");
        metadata.insert("name".into(), json!(self.object.name()));
        match self.namespace_in(member) {
            Some(namespace) => metadata.insert("namespace".into(), json!(namespace)),
            None => metadata.remove("namespace"),
        };
        Ok(Value::Object(object))
    }

    /// Labels: the template's over the member's own. Annotations: as the policy says.
    fn put_metadata(
        &self,
        object: &mut Value,
        observed: Option<&Value>,
    ) -> Result<(), DesiredError> {
        let only_text = |field: &str| match object.pointer(&format!("/metadata/{field}")) {
            None | Some(Value::Null) => true,
            Some(Value::Object(all)) => all.iter().all(|(key, value)| {
                value.is_string()
                    || (field == "annotations" && !self.target.annotations.propagates(key))
            }),
            Some(_) => false,
        };
        if !only_text("labels") {
            return Err(DesiredError::Metadata("metadata.labels"));
        }
        if !only_text("annotations") {
            return Err(DesiredError::Metadata("metadata.annotations"));
        }
        let mut labels = observed.map(metadata::own_labels).unwrap_or_default();
        labels.extend(metadata::texts(object, "labels"));
        let theirs = observed
            .map(|observed| metadata::texts(observed, "annotations"))
            .unwrap_or_default();
        let merged = self
            .target
            .annotations
            .merge(&metadata::texts(object, "annotations"), &theirs);
        metadata::set_texts(object, "labels", labels);
        metadata::set_texts(object, "annotations", merged);
        Ok(())
    }
}

/// True if writing `desired` over `observed` would change nothing, as far as can be told without knowing the defaults
/// that the member fills in: equal but for what the API server alone sets and for our note of labels, which an object that
/// KubeFed wrote lacks. With server-side apply (`partial`), `observed` may hold more.
#[must_use]
pub fn is_same(desired: &Value, observed: &Value, partial: bool) -> bool {
    let (desired, observed) = (
        comparable(desired, observed),
        comparable(observed, observed),
    );
    if partial {
        contains(&observed, &desired)
    } else {
        observed == desired
    }
}

/// True if labels and annotations of `observed` are as `desired` wants them. For kinds whose generation does not count
/// metadata.
#[must_use]
pub fn has_same_metadata(desired: &Value, observed: &Value, partial: bool) -> bool {
    let part =
        |object: &Value, field: &str| json!(metadata::texts(&comparable(object, observed), field));
    ["labels", "annotations"].into_iter().all(|field| {
        let (wanted, there) = (part(desired, field), part(observed, field));
        if partial {
            contains(&there, &wanted)
        } else {
            there == wanted
        }
    })
}

fn comparable(object: &Value, observed: &Value) -> Value {
    let mut object = object.clone();
    let noted =
        metadata::texts(observed, "annotations").contains_key(annotations::PROPAGATED_LABELS);
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in SERVER_FIELDS {
            metadata.remove(field);
        }
        if let (false, Some(all)) = (
            noted,
            metadata
                .get_mut("annotations")
                .and_then(Value::as_object_mut),
        ) {
            all.remove(annotations::PROPAGATED_LABELS);
        }
        metadata.retain(|_, value| !value.as_object().is_some_and(Map::is_empty));
    }
    object
}

fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(key, value)| whole.get(key).is_some_and(|there| contains(there, value))),
        _ => whole == part,
    }
}

/// `apiVersion` and kind agree with the type: a template may name another version of the kind, not another group.
#[must_use]
pub fn is_of_target(template: &Value, target: &Target) -> bool {
    let text = |field: &str| template.get(field).and_then(Value::as_str);
    text("kind").is_none_or(|kind| kind == target.kind)
        && text("apiVersion")
            .is_none_or(|version| names::split_api_version(version).0 == target.group)
}
