//! What people type, against the playground, compared with checked-in transcripts; and `get -w`, which does not end by itself.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use federation_tests::{Playground, transcript};

/// Runs one transcript on a playground of its own.
fn runs(name: &str) {
    if let Some(playground) = Playground::start() {
        transcript::run(&playground, name);
    }
}

#[test]
fn every_example_does_what_the_walk_says() {
    runs("walk");
}

#[test]
fn every_verb_works() {
    runs("kubectl");
}

#[test]
fn an_object_has_two_faces() {
    runs("versions");
}

#[test]
fn a_watch_shows_changes_as_they_come() {
    let Some(playground) = Playground::start() else {
        return;
    };
    let hub = playground.hub();
    hub.run(&["apply", "-f", "examples/foo-02.yaml"]);
    hub.run(&[
        "wait",
        "--for=jsonpath={.status.counts.updated}=3",
        "federatedfoo/foo-02",
        "--timeout=20s",
    ]);
    let mut watch = hub
        .command(&["get", "federatedfoo", "foo-02", "-w", "--no-headers"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (sender, lines) = mpsc::channel();
    let output = BufReader::new(watch.stdout.take().unwrap());
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            let words: Vec<String> = line.split_whitespace().map(ToOwned::to_owned).collect();
            if sender.send(words).is_err() {
                break;
            }
        }
    });
    let expect = |counts: [&str; 4]| {
        let mut seen: Vec<Vec<String>> = Vec::new();
        while !matches!(seen.last(), Some(words) if ends(words, counts)) {
            match lines.recv_timeout(Duration::from_secs(20)) {
                Ok(words) => seen.push(words),
                Err(error) => panic!("{error}: no line with {counts:?} among {seen:?}"),
            }
        }
    };
    expect(["3", "3", "0", "0"]);
    hub.run(&["apply", "-f", "examples/grey-release/1-mask-rz00a.yaml"]);
    expect(["3", "1", "2", "0"]);
    hub.run(&["apply", "-f", "examples/grey-release/3-no-mask.yaml"]);
    expect(["3", "3", "0", "0"]);
    watch.kill().unwrap();
    watch.wait().unwrap();
}

/// Whether a line of `get` has these numbers of topologies, updated, masked and failing.
fn ends(words: &[String], counts: [&str; 4]) -> bool {
    words.get(1..5).is_some_and(|found| found == counts)
}
