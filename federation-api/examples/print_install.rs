//! Prints what the add-on form installs as a JSON array, or, with the argument `agent`, what a member gets; `cargo xtask codegen install`
//! writes both to `deploy/manifests`.

use federation_api::install::{AgentOptions, Options, agent_objects, objects};

fn main() -> serde_json::Result<()> {
    let objects = match std::env::args().nth(1).as_deref() {
        Some("agent") => agent_objects(&AgentOptions::default()),
        _ => objects(&Options::default()),
    };
    println!("{}", serde_json::to_string(&objects)?);
    Ok(())
}
