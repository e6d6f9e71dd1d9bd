//! fedctl against the playground, compared with checked-in transcripts.

use federation_tests::{Playground, transcript};

#[test]
fn every_command_does_what_it_says() {
    if let Some(playground) = Playground::start() {
        transcript::run(&playground, "fedctl");
    }
}
