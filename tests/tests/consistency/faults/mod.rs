//! One thing goes wrong at a time, for longer than the hub waits: it must say so, keep what it promised, and come back by itself.

mod away;
mod clock;
mod full;
mod mount;
mod read_only;
mod secrets;
mod site;
mod tls;
