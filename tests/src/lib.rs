//! End-to-end tests of Koinon, with the built binaries and real kubectl.
