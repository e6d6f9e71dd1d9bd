//! A file system of its own, small, which can be full and read-only.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use federation_tests::skip;
use tempfile::TempDir;

/// A tmpfs, which goes with this process at the latest.
pub(super) struct Mount {
    directory: TempDir,
    /// Waits for the end of its standard input, then unmounts.
    cleaner: Child,
}

impl Mount {
    /// One of so many mebibytes. `None`: this process may not mount, and the test is to be skipped.
    pub(super) fn new(mebibytes: usize) -> Option<Self> {
        let directory = tempfile::Builder::new()
            .prefix("koinon-mount-")
            .tempdir()
            .expect("a temporary directory");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o"])
            .arg(format!("size={mebibytes}m,mode=0755"))
            .arg("koinon-test")
            .arg(directory.path())
            .stderr(Stdio::null())
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            skip("small file systems need root: mount -t tmpfs");
            return None;
        }
        let cleaner = Command::new("sh")
            .args(["-c", r#"read -r line; umount -l "$0"; rm -rf "$0""#])
            .arg(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        Some(Self { directory, cleaner })
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Takes all the space that is left.
    pub(super) fn fill(&self) {
        let mut ballast = File::create(self.ballast()).expect("a new file");
        let mut chunk = vec![0_u8; 1 << 20];
        while !chunk.is_empty() {
            if ballast.write_all(&chunk).is_err() {
                chunk.truncate(chunk.len() / 4);
            }
        }
    }

    /// Gives it back.
    pub(super) fn empty(&self) {
        fs::remove_file(self.ballast()).expect("our own file");
    }

    /// Lets nobody write, or lets them again. Nobody may have a file open for writing.
    pub(super) fn set_read_only(&self, read_only: bool) {
        let mode = if read_only {
            "remount,ro"
        } else {
            "remount,rw"
        };
        let status = Command::new("mount")
            .args(["-o", mode])
            .arg(self.path())
            .status();
        assert!(status.is_ok_and(|status| status.success()), "{mode}");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        drop(self.cleaner.stdin.take());
        let _ = self.cleaner.wait();
    }
}
