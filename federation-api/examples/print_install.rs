//! Prints what the add-on form installs as a JSON array; `cargo xtask codegen install` writes it to `deploy/manifests`.

use federation_api::install::{Options, objects};

fn main() -> serde_json::Result<()> {
    println!("{}", serde_json::to_string(&objects(&Options::default()))?);
    Ok(())
}
