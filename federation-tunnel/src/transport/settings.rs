//! The HTTP/2 settings of both ends.

use std::time::Duration;

/// Window of a new stream: 62 MB for 200 stalled readers, and still several Gbit/s on one stream within a data centre.
pub(crate) const STREAM_WINDOW: u32 = 256 * 1024;
/// The most that a stream's window grows to, on links with long round trips.
pub(crate) const STREAM_WINDOW_MOST: u32 = 4 * 1024 * 1024;
/// The least that it shrinks to when the byte budget is used up: one DATA frame of usual size.
pub(crate) const STREAM_WINDOW_LEAST: u32 = 16 * 1024;
/// The largest that HTTP/2 allows (RFC 9113, 6.9.1). It must never be what holds a stream back.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;
/// DATA frames of four TLS records: fewer turns of the loop than the default of 16 KiB.
const FRAME: u32 = 64 * 1024;
/// What a stream may queue for the socket, so that a slow link does not collect memory.
const SEND_BUFFER: usize = 128 * 1024;
/// Headers longer than this are refused with a reason that is counted.
pub(crate) const HEADERS: usize = 8 * 1024;
/// Headers longer than this are refused by the HTTP/2 library, before they are stored.
const HEADERS_HARD: u32 = 64 * 1024;
/// Streams at once on one connection.
const STREAMS: u32 = 10_000;
/// Cancelled dials that may wait to be noticed. The library's default of 20 would end the connection, and with it everybody else's streams, when
/// one caller cancels many at once.
const RESETS: usize = STREAMS as usize;
/// How long frames of a cancelled stream are tolerated.
const RESET_GRACE: Duration = Duration::from_secs(10);

/// Settings of the hub, the client.
pub(crate) fn client_builder() -> h2::client::Builder {
    let mut builder = h2::client::Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .max_header_list_size(HEADERS_HARD)
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_streams(0)
        .initial_max_send_streams(STREAMS as usize)
        .max_concurrent_reset_streams(RESETS)
        .max_local_error_reset_streams(None)
        .reset_stream_duration(RESET_GRACE)
        .enable_push(false);
    builder
}

/// Settings of the agent, the server.
pub(crate) fn server_builder() -> h2::server::Builder {
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .max_header_list_size(HEADERS_HARD)
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_streams(STREAMS)
        .max_concurrent_reset_streams(RESETS)
        .max_local_error_reset_streams(None)
        .max_pending_accept_reset_streams(RESETS)
        .reset_stream_duration(RESET_GRACE);
    builder
}
