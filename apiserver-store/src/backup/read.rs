//! Reading a backup: first to its end, to see that it is intact, then into the database.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
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

/// Restores a backup into an empty database, wholly or not at all: the file is checked before anything is
/// written. The store then begins a new epoch, far above the revision of the backup.
///
/// # Errors
/// [`RestoreError`].
pub async fn restore(backend: &dyn Backend, file: &Path) -> Result<BackupReport, RestoreError> {
    let report = check_backup(file)?;
    let start = Revision::new(report.revision.get().saturating_add(JUMP));
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
