//! `/version`: the level of the API that clients switch features on.

use serde_json::{Value, json};

/// The machine, as Go names it.
fn go_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The level of the API, as releases of upstream are named.
pub(crate) const LEVEL: &str = "v1.35.0+koinon";

/// `version.Info`. `major` and `minor` must be plain integers: conformance and helm parse them.
pub(crate) fn document() -> Value {
    json!({
        "major": "1",
        "minor": "35",
        "gitVersion": LEVEL,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, go_architecture()),
    })
}
