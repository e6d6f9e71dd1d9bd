//! Prints the definitions of Koinon's own kinds as a JSON array; `cargo xtask codegen crds` writes them to `deploy/crds`.

fn main() -> serde_json::Result<()> {
    println!(
        "{}",
        serde_json::to_string(&federation_api::crd::all_crds())?
    );
    Ok(())
}
