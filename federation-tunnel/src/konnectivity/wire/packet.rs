//! A packet as the rest of the module sees it: one variant per meaning, and none that cannot be.

use std::num::NonZeroI64;

use bytes::Bytes;

use super::message::{
    CloseDial, CloseRequest, CloseResponse, Data, DialRequest, DialResponse, Drain, Message,
    PacketType, Payload,
};

/// One connection on a stream between an agent and a server, or a client and a server. Chosen by the side that was dialled.
pub(crate) type ConnectionId = NonZeroI64;
/// One dial until it is answered. Chosen by the side that dials.
pub(crate) type DialId = i64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    /// DIAL_REQ.
    Dial {
        dial: DialId,
        protocol: String,
        address: String,
    },
    /// DIAL_RSP without an error.
    Dialed { dial: DialId, id: ConnectionId },
    /// DIAL_RSP with an error, or without a connection.
    DialFailed { dial: DialId, error: String },
    /// DIAL_CLS.
    CancelDial { dial: DialId },
    /// DATA.
    Data { id: ConnectionId, bytes: Bytes },
    /// CLOSE_REQ.
    Close { id: ConnectionId },
    /// CLOSE_RSP, also one that nobody asked for.
    Closed { id: ConnectionId, error: String },
    /// DRAIN.
    Drain,
}

impl Packet {
    /// Reads a message. `None`: of a type that is not known, of a type that is not its payload's, or of the connection 0. Every role
    /// ignores those, so that newer peers can send more than we know.
    pub(crate) fn read(message: Message) -> Option<Self> {
        let kind = PacketType::try_from(message.r#type).ok()?;
        Some(match (kind, message.payload?) {
            (PacketType::DialReq, Payload::DialRequest(dial)) => Self::Dial {
                dial: dial.random,
                protocol: dial.protocol,
                address: dial.address,
            },
            (PacketType::DialRsp, Payload::DialResponse(answer)) => {
                match NonZeroI64::new(answer.connect_id) {
                    Some(id) if answer.error.is_empty() => Self::Dialed {
                        dial: answer.random,
                        id,
                    },
                    _ => Self::DialFailed {
                        dial: answer.random,
                        error: answer.error,
                    },
                }
            }
            (PacketType::CloseReq, Payload::CloseRequest(close)) => Self::Close {
                id: NonZeroI64::new(close.connect_id)?,
            },
            (PacketType::CloseRsp, Payload::CloseResponse(closed)) => Self::Closed {
                id: NonZeroI64::new(closed.connect_id)?,
                error: closed.error,
            },
            (PacketType::Data, Payload::Data(data)) => Self::Data {
                id: NonZeroI64::new(data.connect_id)?,
                bytes: data.data,
            },
            (PacketType::DialCls, Payload::CloseDial(cancel)) => Self::CancelDial {
                dial: cancel.random,
            },
            (PacketType::Drain, Payload::Drain(_)) => Self::Drain,
            _ => return None,
        })
    }
}

impl From<Packet> for Message {
    fn from(packet: Packet) -> Self {
        let (kind, payload) = match packet {
            Packet::Dial {
                dial,
                protocol,
                address,
            } => (
                PacketType::DialReq,
                Payload::DialRequest(DialRequest {
                    protocol,
                    address,
                    random: dial,
                }),
            ),
            Packet::Dialed { dial, id } => (
                PacketType::DialRsp,
                Payload::DialResponse(DialResponse {
                    error: String::new(),
                    connect_id: id.get(),
                    random: dial,
                }),
            ),
            Packet::DialFailed { dial, error } => (
                PacketType::DialRsp,
                Payload::DialResponse(DialResponse {
                    error,
                    connect_id: 0,
                    random: dial,
                }),
            ),
            Packet::CancelDial { dial } => (
                PacketType::DialCls,
                Payload::CloseDial(CloseDial { random: dial }),
            ),
            Packet::Data { id, bytes } => (
                PacketType::Data,
                Payload::Data(Data {
                    connect_id: id.get(),
                    error: String::new(),
                    data: bytes,
                }),
            ),
            Packet::Close { id } => (
                PacketType::CloseReq,
                Payload::CloseRequest(CloseRequest {
                    connect_id: id.get(),
                }),
            ),
            Packet::Closed { id, error } => (
                PacketType::CloseRsp,
                Payload::CloseResponse(CloseResponse {
                    error,
                    connect_id: id.get(),
                }),
            ),
            Packet::Drain => (PacketType::Drain, Payload::Drain(Drain {})),
        };
        Self {
            r#type: kind.into(),
            payload: Some(payload),
        }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    fn id(number: i64) -> ConnectionId {
        NonZeroI64::new(number).unwrap()
    }

    /// Bytes that upstream's Go program writes for these packets.
    #[test]
    fn packets_are_upstreams_bytes() {
        for (packet, bytes) in [
            (
                Packet::Dial {
                    dial: 7,
                    protocol: "tcp".into(),
                    address: "a:1".into(),
                },
                &b"\x12\x0c\x0a\x03tcp\x12\x03a:1\x18\x07"[..],
            ),
            (
                Packet::Dialed { dial: 7, id: id(1) },
                b"\x08\x01\x1a\x04\x10\x01\x18\x07",
            ),
            (
                Packet::Data {
                    id: id(1),
                    bytes: Bytes::from_static(b"hi"),
                },
                b"\x08\x04\x22\x06\x08\x01\x1a\x02hi",
            ),
            (Packet::Close { id: id(3) }, b"\x08\x02\x2a\x02\x08\x03"),
            (
                Packet::Closed {
                    id: id(3),
                    error: "x".into(),
                },
                b"\x08\x03\x32\x05\x0a\x01x\x10\x03",
            ),
            (Packet::CancelDial { dial: 9 }, b"\x08\x05\x3a\x02\x08\x09"),
            (Packet::Drain, b"\x08\x06\x42\x00"),
        ] {
            let message = Message::from(packet.clone());
            assert_eq!(message.encode_to_vec(), bytes, "{packet:?}");
            let read = Packet::read(Message::decode(bytes).unwrap());
            assert_eq!(read, Some(packet));
        }
    }

    #[test]
    fn what_makes_no_sense_is_no_packet() {
        let data = |connect_id| {
            Some(Payload::Data(Data {
                connect_id,
                error: String::new(),
                data: Bytes::new(),
            }))
        };
        for (kind, payload) in [(99, data(1)), (2, data(1)), (4, data(0)), (4, None)] {
            let message = Message {
                r#type: kind,
                payload,
            };
            assert_eq!(Packet::read(message), None);
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            if let Ok(message) = Message::decode(&bytes[..]) {
                let _ = Packet::read(message);
            }
        }
    }
}
