//! The floor of every acknowledged write: what the disk takes to keep one.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use bench::Samples;

/// A page, the least that a commit writes.
const PAGE: [u8; 4096] = [7; 4096];

/// Appends a page to a file and syncs it, `count` times. In milliseconds.
pub(crate) fn measure(folder: &Path, count: usize, samples: &mut Samples) -> Result<()> {
    let mut file = File::create(folder.join("floor")).context("make a file")?;
    for _ in 0..count {
        let before = Instant::now();
        file.write_all(&PAGE).context("write")?;
        file.sync_data().context("sync")?;
        samples.push(before.elapsed().as_secs_f64() * 1e3);
    }
    Ok(())
}
