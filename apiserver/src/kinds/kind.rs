//! One row of the table of kinds.

use std::sync::Arc;

use serde_json::Value;

use crate::request::Verb;
use crate::schema::Schema;
use crate::status::FieldError;

/// Do objects of the kind live in namespaces?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// They live in a namespace.
    Namespaced,
    /// They belong to the whole cluster.
    Cluster,
}

/// Where the row comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// Compiled in.
    Builtin,
    /// Defined by a CustomResourceDefinition.
    Custom {
        /// Uid of the CRD: a re-created CRD of the same name is another kind.
        crd_uid: String,
        /// `spec.conversion` of the CRD.
        conversion: Value,
    },
}

/// A printer column, as in a CRD's `additionalPrinterColumns` and in `metav1.TableColumnDefinition`.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Heading.
    pub name: String,
    /// `string`, `integer`, `number`, `boolean` or `date`.
    pub column_type: String,
    /// OpenAPI format; empty if none.
    pub format: String,
    /// What the column means.
    pub description: String,
    /// 0 is always shown, more only with `-o wide`.
    pub priority: i32,
    /// How a cell is got from the object.
    pub cell: Cell,
}

/// How a printer column's cell is got.
#[derive(Clone)]
pub enum Cell {
    /// A simple JSONPath such as `.status.conditions[?(@.type=='Ready')].status`.
    Path(String),
    /// A function of the object and the current time: what upstream's printers compute for built-in kinds.
    Computed(fn(&Value, jiff::Timestamp) -> Value),
}

impl std::fmt::Debug for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => write!(f, "Path({path})"),
            Self::Computed(_) => f.write_str("Computed"),
        }
    }
}

impl PartialEq for Cell {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Path(a), Self::Path(b)) => a == b,
            (Self::Computed(a), Self::Computed(b)) => std::ptr::fn_addr_eq(*a, *b),
            _ => false,
        }
    }
}

/// Where `/scale` finds its numbers: JSON paths such as `.spec.replicas`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScalePaths {
    /// The wanted replicas.
    pub spec_replicas: String,
    /// The observed replicas.
    pub status_replicas: String,
    /// The selector in string form; empty if none.
    pub label_selector: String,
}

/// A field that field selectors may name besides `metadata.name` and `metadata.namespace`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectableField {
    /// The label in the selector, such as `spec.nodeName`.
    pub label: String,
    /// Path of the value in the object, such as `.spec.nodeName`.
    pub path: String,
}

/// One version of a kind.
#[derive(Clone, Debug)]
pub struct KindVersion {
    /// Version name, such as `v1`.
    pub name: Arc<str>,
    /// Is it served?
    pub served: bool,
    /// Text of the warning that every use of this version draws; `None` if it is not deprecated.
    pub deprecation: Option<String>,
    /// Its schema: validation, pruning, defaulting, list semantics and OpenAPI come from it.
    pub schema: Arc<Schema>,
    /// Printer columns, `NAME` first. Empty means `NAME` and `AGE`.
    pub columns: Vec<Column>,
    /// Has it a `/status` subresource?
    pub status: bool,
    /// Its `/scale` subresource, if any.
    pub scale: Option<ScalePaths>,
    /// What field selectors may name.
    pub selectable: Vec<SelectableField>,
}

/// What a [`Strategy`] may know besides the object.
pub struct StrategyContext<'a> {
    /// Clock and randomness.
    pub seams: &'a crate::seams::Seams,
    /// The subresource that is written; empty for the object itself.
    pub subresource: &'a str,
}

/// The few things that a built-in kind does differently. Pure functions of the object; everything else is data.
pub trait Strategy: Send + Sync {
    /// Fills and clears fields of a new object, after schema defaults.
    fn prepare_create(&self, object: &mut Value, context: &StrategyContext<'_>) {
        let _ = (object, context);
    }

    /// Fills and clears fields of a changed object, after schema defaults.
    fn prepare_update(&self, object: &mut Value, old: &Value, context: &StrategyContext<'_>) {
        let _ = (object, old, context);
    }

    /// Findings beyond the schema's; `old` is given on update.
    fn validate(
        &self,
        object: &Value,
        old: Option<&Value>,
        context: &StrategyContext<'_>,
    ) -> Vec<FieldError> {
        let _ = (object, old, context);
        Vec::new()
    }

    /// Does [`Strategy::validate`] find by itself what the schema requires, in upstream's words and order? Then the schema's
    /// own findings about missing fields are not told.
    fn judges_alone(&self) -> bool {
        false
    }

    /// May an update come without `metadata.resourceVersion`? Upstream says yes for most built-in kinds and no for custom ones.
    fn allows_unconditional_update(&self) -> bool {
        true
    }

    /// Finalizers that every new object gets.
    fn initial_finalizers(&self) -> &'static [&'static str] {
        &[]
    }

    /// The syntax of `metadata.name`.
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    /// Does `metadata.generation` count the changes of the object's intent?
    fn tracks_generation(&self) -> bool {
        true
    }

    /// Does `metadata.generation` count changes of annotations too?
    fn annotations_are_intent(&self) -> bool {
        false
    }

    /// Is the deleted object itself the answer to DELETE, instead of a `Status`?
    fn returns_deleted(&self) -> bool {
        false
    }

    /// Must a deleted object stay although it has no finalizers (namespaces: `spec.finalizers`)?
    fn holds_deletion(&self, object: &Value) -> bool {
        let _ = object;
        false
    }

    /// Changes an object that has just got its `deletionTimestamp`.
    fn prepare_delete(&self, object: &mut Value) {
        let _ = object;
    }
}

/// The rules for names (`k8s.io/apimachinery/pkg/api/validation`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRule {
    /// RFC 1123 subdomain: most kinds, all custom ones.
    Subdomain,
    /// RFC 1123 label: namespaces.
    Label,
    /// RFC 1035 label: services.
    Label1035,
    /// Anything that can stand between two slashes of a path: RBAC kinds.
    PathSegment,
}

/// The strategy of a built-in kind that does nothing differently.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl Strategy for Plain {}

/// The strategy of custom kinds.
#[derive(Clone, Copy, Debug)]
pub struct CustomResource;

impl Strategy for CustomResource {
    fn allows_unconditional_update(&self) -> bool {
        false
    }
}

/// One row: everything that the server knows about a kind.
#[derive(Clone)]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: Arc<str>,
    /// Kind name, such as `Deployment`.
    pub kind: Arc<str>,
    /// Kind of lists, such as `DeploymentList`.
    pub list_kind: Arc<str>,
    /// Plural resource name: what paths name.
    pub plural: Arc<str>,
    /// Singular resource name.
    pub singular: Arc<str>,
    /// Short names that kubectl accepts.
    pub short_names: Vec<String>,
    /// Categories such as `all`.
    pub categories: Vec<String>,
    /// Namespaced or cluster-scoped.
    pub scope: Scope,
    /// Verbs on the resource itself.
    pub verbs: Vec<Verb>,
    /// All versions, best first (Kubernetes' version order).
    pub versions: Vec<KindVersion>,
    /// Index in `versions` of the one that is stored.
    pub storage: usize,
    /// Built-in or custom.
    pub origin: Origin,
    /// Hooks.
    pub strategy: Arc<dyn Strategy>,
    /// The store's resource name: `<group>/<plural>`.
    pub resource: Arc<str>,
    /// Changes whenever the row does; together with a version name it keys derived forms of an object.
    pub epoch: u64,
}

impl Kind {
    /// The version that is stored.
    pub fn storage_version(&self) -> &KindVersion {
        &self.versions[self.storage]
    }

    /// A served version by name.
    pub fn version(&self, name: &str) -> Option<&KindVersion> {
        self.versions.iter().find(|v| v.served && &*v.name == name)
    }

    /// `apiVersion` of objects of this kind at a version: `group/version`, or `version` in the core group.
    pub fn api_version(&self, version: &str) -> String {
        if self.group.is_empty() {
            version.to_owned()
        } else {
            format!("{}/{version}", self.group)
        }
    }

    /// Is it defined by a CRD?
    pub fn is_custom(&self) -> bool {
        matches!(self.origin, Origin::Custom { .. })
    }

    /// Does it live in namespaces?
    pub fn namespaced(&self) -> bool {
        self.scope == Scope::Namespaced
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Kind({})",
            crate::status::qualified(&self.group, &self.plural)
        )
    }
}
