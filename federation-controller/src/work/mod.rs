//! How work is ordered: keyed queues with priorities, backoff, rate limits, and the seams for time and chance.
//!
//! Nothing here knows Kubernetes. A trigger carries a key, never data; whoever takes the key observes again.

mod backoff;
mod drive;
mod env;
mod limiter;
mod queue;
mod task;

pub use backoff::Backoff;
pub use drive::{Next, drive};
pub use env::{Clock, Entropy, Env, SystemClock, SystemEntropy};
pub use limiter::{Limiter, RateLimit};
pub use queue::{Priority, Queue};
pub use task::OwnedTask;
