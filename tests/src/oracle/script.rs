//! Scripts as they are written: YAML, one theme a file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

/// A theme: exchanges in order, in a namespace of its own. Scripts do not see each other and are played at the same time.
///
/// Variables stand as `${name}` in paths, headers and bodies. There are `${ns}` (the script's namespace), `${id}` (a name that no
/// other script uses), those of `let`, those of the case, and those that earlier answers were captured into.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The file's name without its ending.
    #[serde(skip)]
    pub name: String,
    /// What the theme is, for readers.
    pub about: String,
    /// Variables that hold from the start, such as a whole object.
    #[serde(default, rename = "let")]
    pub variables: Map<String, Value>,
    /// The exchanges.
    pub steps: Vec<Step>,
}

/// One request, or one for each case of `each`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What is tried, in words; may hold variables.
    pub name: String,
    /// Method and path with its query. `GET configmaps/a` means the script's namespace in the core group,
    /// `GET apps/v1:deployments/a` the same in another group; a path that starts with `/` is taken as it is.
    #[serde(rename = "do")]
    pub request: String,
    /// `anonymous` sends no credential; otherwise it is the administrator's.
    #[serde(default, rename = "as")]
    pub user: Option<String>,
    /// Request headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// `Content-Type`; without it that of the method: JSON, for PATCH a merge patch.
    #[serde(default, rename = "type")]
    pub content_type: Option<String>,
    /// `Accept`; without it JSON.
    #[serde(default)]
    pub accept: Option<String>,
    /// The body, sent as JSON.
    #[serde(default)]
    pub body: Option<Value>,
    /// Changes of the body: a JSON pointer and what stands there; null takes it away.
    #[serde(default)]
    pub set: Option<Value>,
    /// The body as it is, instead of `body`.
    #[serde(default)]
    pub text: Option<String>,
    /// The body in base64, instead of `body`.
    #[serde(default)]
    pub bytes: Option<String>,
    /// The Protobuf body of the fixture of that kind instead of `body`: the first of `apiserver/tests/fixtures/protobuf.tsv`.
    #[serde(default)]
    pub fixture: Option<String>,
    /// Sends the `text` that many times over, for long bodies.
    #[serde(default)]
    pub times: Option<usize>,
    /// Variables to fill from the answer, each with a JSON pointer; `header <name>` takes a header.
    #[serde(default)]
    pub capture: BTreeMap<String, String>,
    /// Asks again until the answer is this one, for what controllers do in the background.
    #[serde(default)]
    pub until: Option<Until>,
    /// The answer is a stream of events.
    #[serde(default)]
    pub watch: Option<Watch>,
    /// What to play after a watch has been opened and before it is read.
    #[serde(default)]
    pub during: Vec<Step>,
    /// Parts of the body to compare, as JSON pointers in which `*` stands for every member; a list's member is found by its name
    /// in brackets. Without it, everything.
    #[serde(default)]
    pub see: Vec<String>,
    /// The cases: the step is played once with the variables of each.
    #[serde(default)]
    pub each: Vec<Map<String, Value>>,
    /// Both servers first forget every revision but the latest. Only in scripts that have servers of their own.
    #[serde(default)]
    pub forget: bool,
    /// Only prepares something: not counted, but compared.
    #[serde(default)]
    pub quiet: bool,
}

/// What to wait for: JSON pointers with the values to be found there (null: nothing), or the status code as `status`.
pub type Until = BTreeMap<String, Value>;

/// How to read a watch.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// Stops after so many events; without it, when the server ends the stream.
    #[serde(default)]
    pub events: Option<usize>,
}

impl Script {
    /// All scripts of a folder, by name.
    ///
    /// # Panics
    /// One is not a script.
    #[must_use]
    pub fn all(folder: &Path) -> Vec<Self> {
        let mut paths: Vec<PathBuf> = fs::read_dir(folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.expect("a readable folder").path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
            .filter(|path| path.file_stem().is_some_and(|name| name != "differences"))
            .collect();
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> Self {
        let text =
            fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut script: Self = serde_saphyr::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        script.name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        script
    }
}
