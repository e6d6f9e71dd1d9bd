//! `/version`: the level of the API that clients switch features on.

use serde_json::{Value, json};

/// `version.Info`. `major` and `minor` must be plain integers: conformance and helm parse them.
pub(crate) fn document() -> Value {
    json!({
        "major": "1",
        "minor": "35",
        "gitVersion": "v1.35.0+koinon",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}
