//! Ports that can be chosen before the server that will listen on them is started.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the range from which systems take ports for outgoing connections, so that none of those takes one between choice and use.
const FIRST: u32 = 10_000;
const COUNT: u32 = 20_000;

/// A loopback port that nobody listens on and that this process has not been given before; each process starts to look elsewhere.
///
/// # Panics
/// Thousands of ports are taken.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // An odd factor far from a power of two spreads processes that were started one after another.
    let start = std::process::id().wrapping_mul(7_919) % COUNT;
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let candidate = FIRST + (start + step) % COUNT;
        let port = u16::try_from(candidate).expect("the range ends below 65536");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port");
}
