//! What several test programs share.

use std::process::Command;

/// Whether there is a kubectl; if not, the test is to be skipped, and this says so.
pub(crate) fn kubectl_is_there() -> bool {
    let there = Command::new("kubectl")
        .args(["version", "--client"])
        .output()
        .is_ok_and(|output| output.status.success());
    let required = std::env::var("KOINON_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    assert!(there || !required, "kubectl is not on PATH");
    if !there {
        eprintln!("SKIPPED, NOT PASSED: kubectl is not on PATH");
    }
    there
}
