//! Upstream's kube-apiserver judges ours: see `tests/oracle`.

use std::env;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Instant, SystemTime};

use federation_tests::oracle::{
    ConversionWebhook, Differences, Forgetful, Played, Script, Side, Sides, Tally, judged, play,
};
use federation_tests::repository;
use futures::StreamExt;

/// How many scripts are played at the same time.
const AT_ONCE: usize = 6;

#[test]
fn our_server_answers_as_upstream_does() {
    let folder = repository().join("tests/oracle");
    let differences = Differences::read(&folder.join("differences.yaml"));
    let asked = env::var("KOINON_ORACLE_ONLY").unwrap_or_default();
    let wanted = |folder: &Path| {
        let mut scripts = Script::all(folder);
        scripts
            .retain(|script| asked.is_empty() || asked.split(',').any(|name| name == script.name));
        scripts
    };
    let (scripts, forgetful) = (wanted(&folder), wanted(&folder.join("forgetful")));
    let start = Instant::now();
    let Some(sides) = Sides::start() else { return };
    println!("both servers are ready after {:.1?}", start.elapsed());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut played = runtime.block_on(play_all(&scripts, &sides));
    drop(sides);
    played.extend(runtime.block_on(play_forgetful(&forgetful)));
    let mut tally = Tally::default();
    for exchange in &played {
        tally.add(exchange, &differences);
    }
    for text in &tally.differ {
        println!("\n✗ {text}");
    }
    // Not `println!`, of which nothing is seen of a test that passes.
    let told = writeln!(
        std::io::stderr(),
        "oracle: of {}: {} exchanges agree, {} differ as listed ({} scripts, {:.1?})",
        judged(),
        tally.agree,
        tally.listed,
        scripts.len() + forgetful.len(),
        start.elapsed()
    );
    told.expect("standard error is open");
    assert!(
        tally.differ.is_empty(),
        "{} exchanges differ (-: upstream, +: ours)",
        tally.differ.len()
    );
    if asked.is_empty() {
        let stale = tally.stale(&differences);
        assert!(
            stale.is_empty(),
            "listed, but not found any more: {stale:#?}"
        );
    }
}

async fn play_all(scripts: &[Script], sides: &Sides) -> Vec<Played> {
    let webhook = ConversionWebhook::start();
    let upstream = Side::connect(&sides.upstream).await.expect("upstream");
    let ours = Side::connect(&sides.ours).await.expect("our server");
    let (upstream, ours) = (upstream.with(&webhook), ours.with(&webhook));
    let run = run_id();
    let all = scripts.iter().map(|script| {
        let namespace = format!("{}-{run}", script.name);
        let (upstream, ours) = (&upstream, &ours);
        async move {
            let start = Instant::now();
            let played = play(script, &namespace, upstream, ours)
                .await
                .unwrap_or_else(|error| panic!("{}: {error:#}", script.name));
            println!(
                "{}: {} exchanges, {:.1?}",
                script.name,
                played.len(),
                start.elapsed()
            );
            played
        }
    });
    let played: Vec<Vec<Played>> = futures::stream::iter(all)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    played.into_iter().flatten().collect()
}

async fn play_forgetful(scripts: &[Script]) -> Vec<Played> {
    let mut played = Vec::new();
    if scripts.is_empty() {
        return played;
    }
    let sides = Forgetful::start().await.expect("both servers");
    let sides = sides.expect("upstream's programs, which were there before");
    for script in scripts {
        let exchanges = play(script, &script.name, &sides.upstream, &sides.ours).await;
        played.extend(exchanges.unwrap_or_else(|error| panic!("{}: {error:#}", script.name)));
    }
    sides.stop().await;
    played
}

/// Part of every namespace's name, since the servers may have seen other runs. Letters: digits could look like a revision.
fn run_id() -> String {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("a time after 1970")
        .as_millis()
        .to_string()
        .bytes()
        .map(|digit| char::from(digit - b'0' + b'a'))
        .collect()
}

#[test]
fn the_page_of_differences_is_up_to_date() {
    let differences = Differences::read(&repository().join("tests/oracle/differences.yaml"));
    let path = repository().join("docs/differences.md");
    let page = differences.page();
    if env::var("KOINON_BLESS").as_deref() == Ok("1") {
        fs::write(&path, &page).expect("a writable page");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/differences.md is out of date: run this test with KOINON_BLESS=1"
    );
}
