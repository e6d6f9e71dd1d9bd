//! The one place where values pass to and from SQL.
//!
//! A stored value is one byte that names its form, then the value in that form. There is only one form yet: as it
//! is, or as [`Seals`](crate::Seals) made it. Sealing is not done here but before the transaction, so that a backend never
//! has what it must not store.

use bytes::Bytes;

use super::{BackendError, Problem};
use crate::Key;

/// The value's own bytes follow.
const PLAIN: u8 = 0;

/// Turns values into what SQL stores and back. Every SQL backend passes every value through one of these.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ValueCodec;

impl ValueCodec {
    /// What to store for `value`. The key is there to choose a form by.
    pub(crate) fn encode(self, _key: &Key, value: &Bytes) -> Vec<u8> {
        let mut stored = Vec::with_capacity(value.len() + 1);
        stored.push(PLAIN);
        stored.extend_from_slice(value);
        stored
    }

    /// The value that was stored under `key`.
    pub(crate) fn decode(self, key: &Key, stored: Vec<u8>) -> Result<Bytes, BackendError> {
        match stored.first() {
            Some(&PLAIN) => Ok(Bytes::from(stored).slice(1..)),
            form => {
                let what = format!("the value of {key} has the unknown form {form:?}");
                Err(BackendError::new(Problem::Damaged, what))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_and_strange_ones_are_refused() {
        let key = Key::new("/secrets", "default", "a");
        for value in [&b""[..], b"{}", b"\0\x01\xff"] {
            let value = Bytes::copy_from_slice(value);
            let stored = ValueCodec.encode(&key, &value);
            assert_eq!(ValueCodec.decode(&key, stored).unwrap(), value);
        }
        for strange in [vec![], vec![9, 1, 2]] {
            let error = ValueCodec.decode(&key, strange).unwrap_err();
            assert_eq!(error.problem(), Problem::Damaged);
        }
    }
}
