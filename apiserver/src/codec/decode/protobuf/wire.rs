//! Protobuf's wire format: fields out of bytes.

/// Why bytes are not the message that they should be; in the words of upstream's generated code where it has some.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WireError {
    /// The bytes end inside a field.
    #[error("unexpected EOF")]
    Truncated,
    /// A number of more than 64 bits.
    #[error("proto: integer overflow")]
    Overflow,
    /// A length beyond what Go's `int` holds.
    #[error("proto: negative length found during unmarshaling")]
    NegativeLength,
    /// A field number that is zero or negative.
    #[error("proto: illegal tag {number} (wire type {wire})")]
    IllegalTag { number: i32, wire: u8 },
    /// A wire type that does not exist.
    #[error("proto: illegal wireType {0}")]
    IllegalWireType(u8),
    /// A group ends that never began.
    #[error("proto: wiretype end group for non-group")]
    EndGroup,
    /// A known field of another type.
    #[error("proto: wrong wireType = {wire} for field {field}")]
    WrongWireType { field: &'static str, wire: u8 },
    /// Text that is no text.
    #[error("proto: field {0} contains invalid UTF-8")]
    InvalidUtf8(&'static str),
    /// Embedded JSON that is none.
    #[error("{0}")]
    InvalidJson(String),
    /// A number or a time that JSON cannot write.
    #[error("proto: field {0} has a value that JSON cannot hold")]
    Unwritable(&'static str),
    /// Deeper nesting than any object needs.
    #[error("exceeded max depth")]
    TooDeep,
    /// More values than any object needs.
    #[error("too many values")]
    TooLarge,
}

/// The content of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    /// Nothing that Kubernetes uses; read over.
    Group,
    Fixed32,
}

impl<'a> Wire<'a> {
    /// The bytes of a string or message. `field` is what errors name.
    pub(super) fn bytes(self, field: &'static str) -> Result<&'a [u8], WireError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Varint(_) | Self::Fixed64(_) | Self::Group | Self::Fixed32 => {
                Err(self.wrong(field))
            }
        }
    }

    /// A string.
    pub(super) fn text(self, field: &'static str) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.bytes(field)?).map_err(|_| WireError::InvalidUtf8(field))
    }

    /// A number or truth value.
    pub(super) fn varint(self, field: &'static str) -> Result<u64, WireError> {
        match self {
            Self::Varint(number) => Ok(number),
            Self::Bytes(_) | Self::Fixed64(_) | Self::Group | Self::Fixed32 => {
                Err(self.wrong(field))
            }
        }
    }

    /// A floating-point number.
    pub(super) fn double(self, field: &'static str) -> Result<f64, WireError> {
        match self {
            Self::Fixed64(bits) => Ok(f64::from_bits(bits)),
            Self::Bytes(_) | Self::Varint(_) | Self::Group | Self::Fixed32 => {
                Err(self.wrong(field))
            }
        }
    }

    fn wrong(self, field: &'static str) -> WireError {
        let wire = match self {
            Self::Varint(_) => 0,
            Self::Fixed64(_) => 1,
            Self::Bytes(_) => 2,
            Self::Group => 3,
            Self::Fixed32 => 5,
        };
        WireError::WrongWireType { field, wire }
    }
}

/// Reads fields one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next field; `None` at the end.
    pub(super) fn field(&mut self) -> Result<Option<(u32, Wire<'a>)>, WireError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (number, wire) = self.tag()?;
        let value = match wire {
            3 => {
                self.skip_group()?;
                Wire::Group
            }
            4 => return Err(WireError::EndGroup),
            _ => self.value(wire)?,
        };
        Ok(Some((number, value)))
    }

    /// The next number of a packed list; `None` at the end.
    pub(super) fn packed(&mut self) -> Result<Option<u64>, WireError> {
        match self.rest.is_empty() {
            true => Ok(None),
            false => self.varint().map(Some),
        }
    }

    fn tag(&mut self) -> Result<(u32, u8), WireError> {
        let tag = self.varint()?;
        let wire = (tag & 7) as u8;
        // Go keeps 32 bits of the number, too.
        let number = (tag >> 3) as i32;
        match u32::try_from(number) {
            Ok(known) if known > 0 => Ok((known, wire)),
            _ => Err(WireError::IllegalTag { number, wire }),
        }
    }

    fn value(&mut self, wire: u8) -> Result<Wire<'a>, WireError> {
        match wire {
            0 => self.varint().map(Wire::Varint),
            1 => {
                let bytes = self.take(8)?;
                let bytes = bytes.try_into().map_err(|_| WireError::Truncated)?;
                Ok(Wire::Fixed64(u64::from_le_bytes(bytes)))
            }
            2 => {
                let length = self.varint()?;
                if i64::try_from(length).is_err() {
                    return Err(WireError::NegativeLength);
                }
                let length = usize::try_from(length).map_err(|_| WireError::Truncated)?;
                self.take(length).map(Wire::Bytes)
            }
            5 => self.take(4).map(|_| Wire::Fixed32),
            _ => Err(WireError::IllegalWireType(wire)),
        }
    }

    /// Reads to the end of a group, however deep groups are nested in it.
    fn skip_group(&mut self) -> Result<(), WireError> {
        let mut open = 1_usize;
        while open > 0 {
            match self.tag()?.1 {
                3 => open += 1,
                4 => open -= 1,
                wire => {
                    self.value(wire)?;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0;
        for (index, byte) in self.rest.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        match self.rest.len() {
            0..10 => Err(WireError::Truncated),
            _ => Err(WireError::Overflow),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_every_wire_type() {
        let bytes = [
            0x08, 0x96, 0x01, // 1: 150
            0x12, 0x02, b'h', b'i', // 2: "hi"
            0x19, 1, 0, 0, 0, 0, 0, 0, 0, // 3: fixed 64
            0x23, 0x2b, 0x08, 0x01, 0x2c, 0x24, // 4: a group with group 5 in it
            0x35, 0, 0, 0, 0, // 6: fixed 32
        ];
        let mut reader = Reader::new(&bytes);
        let mut fields = Vec::new();
        while let Some(field) = reader.field().unwrap() {
            fields.push(field);
        }
        assert_eq!(
            fields,
            [
                (1, Wire::Varint(150)),
                (2, Wire::Bytes(b"hi")),
                (3, Wire::Fixed64(1)),
                (4, Wire::Group),
                (6, Wire::Fixed32),
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (bytes, expected) in [
            (&[0x0a][..], "unexpected EOF"),
            (&[0x0a, 5, 1], "unexpected EOF"),
            (&[0x09, 5, 1], "unexpected EOF"),
            (&[0x0b, 0x08, 1], "unexpected EOF"),
            (&[0xff; 11], "proto: integer overflow"),
            (&[0x00, 0], "proto: illegal tag 0 (wire type 0)"),
            (&[0x0c], "proto: wiretype end group for non-group"),
            (&[0x0f, 1], "proto: illegal wireType 7"),
            (
                &[
                    0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
                ],
                "proto: negative length found during unmarshaling",
            ),
        ] {
            let error = Reader::new(bytes).field().unwrap_err();
            assert_eq!(error.to_string(), expected, "{bytes:?}");
        }
    }
}
