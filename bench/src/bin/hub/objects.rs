//! The objects of the load: ConfigMaps, whose JSON is put together from ready-made pieces.

use bytes::Bytes;

/// The namespace of the objects that are written, listed and kept.
pub(crate) const LOAD: &str = "load";
/// The namespace that is watched.
pub(crate) const WATCHED: &str = "watched";

/// The size of an object as it is sent, in bytes.
pub(crate) const SIZE: usize = 2048;
/// Texts start at so many different places of the same noise: neighbours in a list have nothing in common that a compressor could find.
const NOISE: usize = 4 << 20;
/// Digits of a time.
const DIGITS: usize = 16;
/// Stands before a time, and nowhere else in the JSON of an object.
const MARK: u8 = b'~';

/// Makes objects of [`SIZE`] bytes.
pub(crate) struct Bodies {
    /// Hexadecimal digits without a pattern: half of it is what a good compressor cannot take away.
    noise: Vec<u8>,
}

impl Bodies {
    pub(crate) fn new() -> Self {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let digit = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            b"0123456789abcdef"[(state >> 40) as usize % 16]
        };
        Self {
            noise: (0..NOISE + SIZE).map(digit).collect(),
        }
    }

    /// A ConfigMap; another `version` makes another content.
    pub(crate) fn object(&self, name: &str, version: usize) -> Bytes {
        let mut body = head(LOAD, name);
        body.extend_from_slice(b"\"text\":\"");
        let end = b"\"}}";
        let room = SIZE.saturating_sub(body.len() + end.len());
        let hash = name.bytes().fold(version as u64, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        // Names are alike, and so are their sums: spread them.
        let start = (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % NOISE;
        body.extend_from_slice(&self.noise[start..start + room]);
        body.extend_from_slice(end);
        body.into()
    }
}

/// A small ConfigMap that says when it was sent, in microseconds since any moment.
pub(crate) fn timed(name: &str, micros: u64) -> Bytes {
    let mut body = head(WATCHED, name);
    body.extend_from_slice(b"\"sent\":\"");
    body.push(MARK);
    body.extend_from_slice(format!("{micros:0DIGITS$}").as_bytes());
    body.extend_from_slice(b"\"}}");
    body.into()
}

fn head(namespace: &str, name: &str) -> Vec<u8> {
    let head = format!(
        r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}","namespace":"{namespace}","labels":{{"app":"load"}}}},"data":{{"#
    );
    let mut body = Vec::with_capacity(SIZE);
    body.extend_from_slice(head.as_bytes());
    body
}

/// The path of the ConfigMaps of a namespace.
pub(crate) fn collection(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/configmaps")
}

/// The path of one ConfigMap.
pub(crate) fn path(namespace: &str, name: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/configmaps/{name}")
}

/// The JSON of a namespace.
pub(crate) fn namespace(name: &str) -> Bytes {
    format!(r#"{{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"{name}"}}}}"#).into()
}

/// Finds times in a stream of events as it comes, in pieces.
#[derive(Default)]
pub(crate) struct Times {
    /// The beginning of a time whose end is still to come, with its mark.
    begun: Vec<u8>,
}

impl Times {
    /// The times that end in this piece.
    pub(crate) fn find(&mut self, piece: &[u8], mut found: impl FnMut(u64)) {
        let mut rest = piece;
        if !self.begun.is_empty() {
            let missing = (DIGITS + 1 - self.begun.len()).min(rest.len());
            self.begun.extend_from_slice(&rest[..missing]);
            rest = &rest[missing..];
            if self.begun.len() <= DIGITS {
                return;
            }
            found(number(&self.begun[1..]));
            self.begun.clear();
        }
        while let Some(at) = memchr::memchr(MARK, rest) {
            match rest.get(at + 1..at + 1 + DIGITS) {
                Some(digits) => {
                    found(number(digits));
                    rest = &rest[at + 1 + DIGITS..];
                }
                None => {
                    self.begun.extend_from_slice(&rest[at..]);
                    return;
                }
            }
        }
    }
}

fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number, digit| {
        number * 10 + u64::from(digit.wrapping_sub(b'0') % 10)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn objects_are_json_of_the_size() {
        let bodies = Bodies::new();
        let object = bodies.object("some-name", 3);
        assert_eq!(object.len(), SIZE);
        let value: Value = serde_json::from_slice(&object).unwrap();
        assert_eq!(value["metadata"]["name"], "some-name");
        assert_ne!(object, bodies.object("some-name", 4));
    }

    #[test]
    fn neighbours_have_nothing_in_common() {
        let bodies = Bodies::new();
        let texts: Vec<Bytes> = (0..100)
            .map(|number| bodies.object(&format!("kept-{number:06}"), 0))
            .collect();
        for pair in texts.windows(2) {
            let part = &pair[0][500..540];
            assert!(memchr::memmem::find(&pair[1], part).is_none());
        }
    }

    #[test]
    fn times_are_found_however_they_are_cut() {
        let mut stream = timed("a", 42).to_vec();
        stream.extend_from_slice(&timed("b", 1_234_567_890_123));
        for size in 1..stream.len() {
            let (mut times, mut found) = (Times::default(), Vec::new());
            for piece in stream.chunks(size) {
                times.find(piece, |time| found.push(time));
            }
            assert_eq!(found, [42, 1_234_567_890_123], "{size}");
        }
    }
}
