//! What a stream is like, so that those that wait for bytes do not share a socket with those that push them.

use std::fmt;

/// The class of a stream, and of the connections that prefer such streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Watches, small requests, exec: someone waits for each message.
    #[default]
    Interactive,
    /// Lists, logs, copies: the more bytes the better.
    Bulk,
}

impl Class {
    /// The number on the wire.
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Interactive => 0,
            Self::Bulk => 1,
        }
    }

    /// What an agent of this or a later version means by a number.
    pub(crate) fn from_number(number: u32) -> Self {
        if number == 0 {
            Self::Interactive
        } else {
            Self::Bulk
        }
    }

    /// The class of connection `index` of `count` between an agent and a hub: the first half is interactive.
    pub(crate) fn of_connection(index: usize, count: usize) -> Self {
        if index < count.div_ceil(2).min(count.saturating_sub(1)).max(1) {
            Self::Interactive
        } else {
            Self::Bulk
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interactive => "interactive",
            Self::Bulk => "bulk",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Class::{Bulk as B, Interactive as I};
    use super::*;

    #[test]
    fn both_classes_have_connections() {
        let classes = |count| {
            (0..count)
                .map(|i| Class::of_connection(i, count))
                .collect::<Vec<_>>()
        };
        assert_eq!(classes(1), [I]);
        assert_eq!(classes(2), [I, B]);
        assert_eq!(classes(3), [I, I, B]);
        assert_eq!(classes(4), [I, I, B, B]);
    }
}
