//! The lock file: one server per data directory.
//!
//! SQLite itself would let two processes write in turn, and each would serve its own stale idea of the
//! history. The operating system drops the lock when the process ends, however it ends; what the file says
//! is only for people.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::SqliteOpenError;

/// Held as long as the backend lives.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the lock, or says who has it.
    pub(super) fn take(path: &Path) -> Result<Self, SqliteOpenError> {
        let trouble = |source| SqliteOpenError::Directory {
            path: path.to_owned(),
            source,
        };
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(path)
            .map_err(trouble)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(SqliteOpenError::InUse {
                    directory: path.parent().map(PathBuf::from).unwrap_or_default(),
                    holder: holder(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(trouble(source)),
        }
        sign(&mut file).map_err(trouble)?;
        Ok(Self { _file: file })
    }
}

/// Writes who we are.
fn sign(file: &mut File) -> io::Result<()> {
    let program = std::env::current_exe().ok();
    let program = program
        .as_deref()
        .and_then(Path::file_name)
        .unwrap_or_default();
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(
        file,
        "process {} ({})",
        std::process::id(),
        program.to_string_lossy()
    )
}

/// Reads who wrote it.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.take(512).read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "a process that has not said who it is".to_owned(),
    }
}
