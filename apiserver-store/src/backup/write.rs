//! Writing a backup.

use ring::digest::{Context, SHA256};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::{BackupError, BackupReport, END, MAGIC, RECORD};
use crate::{Backend, Record};

/// Writes a backup of one moment, while hubs go on. Give it the backend as it was opened, not through a store:
/// what is sealed then stays sealed.
///
/// # Errors
/// [`BackupError`].
pub async fn backup(
    backend: &dyn Backend,
    to: &mut (impl AsyncWrite + Unpin),
) -> Result<BackupReport, BackupError> {
    let epoch = backend.head().await?.epoch;
    let mut records = backend.load().await?;
    let mut report = BackupReport {
        revision: records.revision,
        epoch,
        objects: 0,
    };
    let mut sum = Context::new(&SHA256);
    let mut bytes = MAGIC.to_vec();
    bytes.extend(report.revision.get().to_be_bytes());
    bytes.extend(report.epoch.to_be_bytes());
    while let Some(record) = records.next().await {
        push_record(&mut bytes, &record?);
        report.objects += 1;
        if bytes.len() >= 1 << 20 {
            sum.update(&bytes);
            to.write_all(&bytes).await?;
            bytes.clear();
        }
    }
    bytes.push(END);
    bytes.extend(report.objects.to_be_bytes());
    sum.update(&bytes);
    to.write_all(&bytes).await?;
    to.write_all(sum.finish().as_ref()).await?;
    to.flush().await?;
    Ok(report)
}

fn push_record(bytes: &mut Vec<u8>, record: &Record) {
    bytes.push(RECORD);
    bytes.extend(record.revision.get().to_be_bytes());
    bytes.extend(record.create_revision.get().to_be_bytes());
    let key = &record.key;
    let parts = [&*key.resource, &*key.namespace, &*key.name].map(str::as_bytes);
    for part in parts.into_iter().chain([&*record.value]) {
        // No database holds values of four gigabytes.
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        bytes.extend(length.to_be_bytes());
        bytes.extend(part);
    }
}
