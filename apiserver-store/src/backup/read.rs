//! Reading a backup: first to its end, to see that it is intact, then into the database.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use futures::{StreamExt, stream};
use ring::digest::{Context, SHA256};

use super::{BackupReport, END, MAGIC, RECORD, RestoreError};
use crate::{Backend, BackendError, Head, Key, Problem, Record, Records, Revision, backend::JUMP};

/// Reads a backup to its end and says what is in it.
///
/// # Errors
/// [`RestoreError::File`], [`RestoreError::Damaged`].
pub fn check_backup(file: &Path) -> Result<BackupReport, RestoreError> {
    let mut reader = Reader::open(file)?;
    while reader.next()?.is_some() {}
    Ok(reader.report)
}

/// More than any hub writes in a second, for long.
const PER_SECOND: u64 = 1 << 13;
/// Above this no number of a backup can be right, and half of what SQL's integers hold is left.
const HIGHEST: u64 = 1 << 62;

/// Restores a backup into an empty database, wholly or not at all: the file is checked before anything is
/// written. The store then begins a new epoch, far above the revision of the backup, and farther the later it is
/// `now`: who restores the same backup twice gets other numbers than those that the first life has given out.
///
/// # Errors
/// [`RestoreError`].
pub async fn restore(
    backend: &dyn Backend,
    file: &Path,
    now: SystemTime,
) -> Result<BackupReport, RestoreError> {
    let report = check_backup(file)?;
    let start = start(report.revision, now);
    let head = Head {
        revision: start,
        compacted: start,
        epoch: report.epoch + 1,
    };
    let broken = Arc::new(Mutex::new(None));
    let filled = backend.fill(head, records(Reader::open(file)?, broken.clone()));
    match (filled.await, take(&broken)) {
        (_, Some(error)) => Err(error),
        (Ok(true), None) => Ok(report),
        (Ok(false), None) => Err(RestoreError::NotEmpty),
        (Err(error), None) => Err(error.into()),
    }
}

/// The revision at which a store begins that is restored now.
fn start(backup: Revision, now: SystemTime) -> Revision {
    let age = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let passed = age.as_secs().saturating_mul(PER_SECOND);
    let start = backup.get().saturating_add(JUMP).saturating_add(passed);
    Revision::new(start.min(HIGHEST))
}

/// The reason why a file could not be read to its end.
type Broken = Arc<Mutex<Option<RestoreError>>>;

/// The objects as they are read. Ends well only at the end of an intact backup, however it was when it was checked.
fn records(reader: Reader, broken: Broken) -> Records {
    let next = |(mut reader, broken): (Reader, Broken)| async {
        let record = match reader.next() {
            Ok(record) => Ok(record?),
            Err(error) => {
                *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Err(BackendError::new(Problem::Other, "the backup breaks off"))
            }
        };
        Some((record, (reader, broken)))
    };
    stream::unfold((reader, broken), next).boxed()
}

fn take(broken: &Broken) -> Option<RestoreError> {
    let mut broken = broken.lock().unwrap_or_else(PoisonError::into_inner);
    broken.take()
}

struct Reader {
    file: BufReader<File>,
    sum: Context,
    report: BackupReport,
    last: Option<Key>,
}

impl Reader {
    fn open(path: &Path) -> Result<Self, RestoreError> {
        let file = File::open(path).map_err(RestoreError::File)?;
        let mut reader = Self {
            file: BufReader::new(file),
            sum: Context::new(&SHA256),
            report: BackupReport {
                revision: Revision::ZERO,
                epoch: 0,
                objects: 0,
            },
            last: None,
        };
        if reader.bytes(MAGIC.len())? != MAGIC {
            return Err(RestoreError::Damaged("it does not begin as one"));
        }
        reader.report.revision = Revision::new(reader.number()?);
        reader.report.epoch = reader.number()?;
        if reader.report.revision.get().max(reader.report.epoch) >= HIGHEST {
            return Err(RestoreError::Damaged("its numbers are too high"));
        }
        Ok(reader)
    }

    /// The next object; `None` after the last, once the end was found to be right.
    fn next(&mut self) -> Result<Option<Record>, RestoreError> {
        match self.bytes(1)?.as_slice() {
            [RECORD] => self.record().map(Some),
            [END] => self.end().map(|()| None),
            _ => Err(RestoreError::Damaged(
                "it holds what is neither object nor end",
            )),
        }
    }

    fn record(&mut self) -> Result<Record, RestoreError> {
        let (revision, create_revision) = (self.number()?, self.number()?);
        let (resource, namespace, name) = (self.text()?, self.text()?, self.text()?);
        let key = Key::new(resource, namespace, name);
        if self.last.as_ref().is_some_and(|last| *last >= key) {
            return Err(RestoreError::Damaged("its objects are out of order"));
        }
        if !key.is_storable() || revision.max(create_revision) > self.report.revision.get() {
            return Err(RestoreError::Damaged(
                "it holds an object that no hub stores",
            ));
        }
        self.last = Some(key.clone());
        self.report.objects += 1;
        Ok(Record {
            key,
            revision: Revision::new(revision),
            create_revision: Revision::new(create_revision),
            value: self.part()?.into(),
        })
    }

    fn end(&mut self) -> Result<(), RestoreError> {
        if self.number()? != self.report.objects {
            return Err(RestoreError::Damaged("objects are missing"));
        }
        let expected = self.sum.clone().finish();
        if self.bytes(32)? != expected.as_ref() {
            return Err(RestoreError::Damaged("its checksum is wrong"));
        }
        match self.file.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(RestoreError::Damaged("it goes on after its end")),
            Err(error) => Err(RestoreError::File(error)),
        }
    }

    fn text(&mut self) -> Result<String, RestoreError> {
        let text = String::from_utf8(self.part()?);
        text.map_err(|_| RestoreError::Damaged("a key is not text"))
    }

    fn part(&mut self) -> Result<Vec<u8>, RestoreError> {
        let length = self.bytes(4)?;
        let length = length
            .iter()
            .fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
        self.bytes(length)
    }

    fn number(&mut self) -> Result<u64, RestoreError> {
        let bytes = self.bytes(8)?;
        Ok(bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn bytes(&mut self, count: usize) -> Result<Vec<u8>, RestoreError> {
        // A wrong length must not make us take memory that the file does not fill.
        let mut bytes = Vec::with_capacity(count.min(1 << 16));
        let limit = u64::try_from(count).unwrap_or(u64::MAX);
        let read = io::Read::by_ref(&mut self.file)
            .take(limit)
            .read_to_end(&mut bytes)
            .map_err(RestoreError::File)?;
        if read != count {
            return Err(RestoreError::Damaged("it ends too early"));
        }
        self.sum.update(&bytes);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_second_restore_of_one_backup_begins_above_all_that_the_first_gave_out() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let backup = Revision::new(100);
        let first = start(backup, at(1_800_000_000)).get();
        let second = start(backup, at(1_800_000_060)).get();
        assert!(first > backup.get() + JUMP);
        assert!(second - first >= 60 * 8000);
        // A clock that was never set is no worse than none.
        assert_eq!(start(backup, at(0)).get(), backup.get() + JUMP);
        assert_eq!(
            start(Revision::new(HIGHEST), at(u64::from(u32::MAX))).get(),
            HIGHEST
        );
    }

    /// With a checksum that is right, as of somebody who makes one up.
    fn made_up(revision: u64, epoch: u64, of_object: u64, name: &str) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(revision.to_be_bytes());
        bytes.extend(epoch.to_be_bytes());
        bytes.push(RECORD);
        bytes.extend([of_object.to_be_bytes(); 2].concat());
        for part in ["/x", "", name, "{}"] {
            bytes.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
            bytes.extend(part.as_bytes());
        }
        bytes.push(END);
        bytes.extend(1_u64.to_be_bytes());
        let sum = ring::digest::digest(&SHA256, &bytes);
        bytes.extend(sum.as_ref());
        bytes
    }

    #[test]
    fn what_no_hub_writes_is_refused_however_right_its_checksum() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("backup");
        let check = |bytes| {
            std::fs::write(&path, bytes).unwrap();
            check_backup(&path)
        };
        assert_eq!(check(made_up(7, 1, 7, "a")).unwrap().objects, 1);
        for bytes in [
            made_up(u64::MAX, 1, 7, "a"),
            made_up(7, u64::MAX, 7, "a"),
            made_up(7, 1, 8, "a"),
            made_up(7, 1, 7, ""),
            made_up(7, 1, 7, "a\0b"),
            made_up(7, 1, 7, &"a".repeat(513)),
        ] {
            assert!(matches!(check(bytes), Err(RestoreError::Damaged(_))));
        }
    }
}
