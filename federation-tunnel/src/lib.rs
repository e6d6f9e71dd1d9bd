//! Both ends of the reverse tunnel: wire protocol and sessions.
