//! The messages as they are on the wire (proto3, no package).
//!
//! The numbers of the oneof do not follow the enum: DATA is type 4 and field 4, CLOSE_REQ is type 2 and field 5.

use bytes::Bytes;

/// What `type` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum PacketType {
    DialReq = 0,
    DialRsp = 1,
    CloseReq = 2,
    CloseRsp = 3,
    Data = 4,
    DialCls = 5,
    Drain = 6,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Message {
    #[prost(enumeration = "PacketType", tag = "1")]
    pub(crate) r#type: i32,
    #[prost(oneof = "Payload", tags = "2, 3, 4, 5, 6, 7, 8")]
    pub(crate) payload: Option<Payload>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Payload {
    #[prost(message, tag = "2")]
    DialRequest(DialRequest),
    #[prost(message, tag = "3")]
    DialResponse(DialResponse),
    #[prost(message, tag = "4")]
    Data(Data),
    #[prost(message, tag = "5")]
    CloseRequest(CloseRequest),
    #[prost(message, tag = "6")]
    CloseResponse(CloseResponse),
    #[prost(message, tag = "7")]
    CloseDial(CloseDial),
    #[prost(message, tag = "8")]
    Drain(Drain),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct DialRequest {
    #[prost(string, tag = "1")]
    pub(crate) protocol: String,
    #[prost(string, tag = "2")]
    pub(crate) address: String,
    #[prost(int64, tag = "3")]
    pub(crate) random: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct DialResponse {
    #[prost(string, tag = "1")]
    pub(crate) error: String,
    #[prost(int64, tag = "2")]
    pub(crate) connect_id: i64,
    #[prost(int64, tag = "3")]
    pub(crate) random: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct CloseRequest {
    #[prost(int64, tag = "1")]
    pub(crate) connect_id: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct CloseResponse {
    #[prost(string, tag = "1")]
    pub(crate) error: String,
    #[prost(int64, tag = "2")]
    pub(crate) connect_id: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct CloseDial {
    #[prost(int64, tag = "1")]
    pub(crate) random: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Drain {}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Data {
    #[prost(int64, tag = "1")]
    pub(crate) connect_id: i64,
    #[prost(string, tag = "2")]
    pub(crate) error: String,
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) data: Bytes,
}
