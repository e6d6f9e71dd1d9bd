//! One script, played on both sides.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use super::answer::{Answer, Body};
use super::compare::{Finding, compare};
use super::normal::{Seen, normalise};
use super::script::{Script, Step, Until};
use super::side::{Opened, Side};
use super::variables::{Variables, apply};

/// How long a controller may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// One exchange with what was found different.
#[derive(Debug)]
pub struct Played {
    /// The script's name.
    pub script: String,
    /// The step's name, variables replaced.
    pub step: String,
    /// Method and path.
    pub request: String,
    /// Does it only prepare something?
    pub quiet: bool,
    /// What differs.
    pub findings: Vec<Finding>,
}

impl Played {
    /// `<script>: <step>`.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{}: {}", self.script, self.step)
    }
}

/// Plays a script on both sides, step by step at the same time, in the namespace `namespace`, which it makes.
///
/// # Errors
/// A server cannot be reached or does not finish an answer.
pub async fn play(
    script: &Script,
    namespace: &str,
    upstream: &Side,
    ours: &Side,
) -> anyhow::Result<Vec<Played>> {
    let mut stage = Stage {
        script,
        upstream: Player::new(script, namespace, upstream),
        ours: Player::new(script, namespace, ours),
        captured: Vec::new(),
        played: Vec::new(),
    };
    stage.step(&new_namespace(namespace), &Map::new()).await?;
    anyhow::ensure!(
        stage
            .played
            .iter()
            .all(|first| first.findings.iter().all(|finding| finding.at != "status")),
        "the script has no namespace: {:?}",
        stage.played
    );
    for step in &script.steps {
        stage.cases(step).await?;
    }
    Ok(stage.played)
}

fn new_namespace(name: &str) -> Step {
    Step {
        name: "a namespace for the script".to_owned(),
        request: "POST /api/v1/namespaces".to_owned(),
        body: Some(json!({"metadata": {"name": name}})),
        quiet: true,
        ..Step::default()
    }
}

struct Stage<'a> {
    script: &'a Script,
    upstream: Player,
    ours: Player,
    captured: Vec<String>,
    played: Vec<Played>,
}

impl Stage<'_> {
    async fn cases(&mut self, step: &Step) -> anyhow::Result<()> {
        if step.each.is_empty() {
            return self.step(step, &Map::new()).await;
        }
        for case in &step.each {
            self.step(step, case).await?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step, case: &Map<String, Value>) -> anyhow::Result<()> {
        let (upstream, ours) = if step.during.is_empty() {
            let (a, b) = (
                self.upstream.exchange(step, case),
                self.ours.exchange(step, case),
            );
            let (a, b) = tokio::join!(a, b);
            (
                a.unwrap_or_else(silence("upstream")),
                b.unwrap_or_else(silence("ours")),
            )
        } else {
            self.around(step, case).await.unwrap_or_else(|error| {
                let said = format!("{error:#}");
                let silent = |side| silence(side)(anyhow::anyhow!(said.clone()));
                (silent("upstream"), silent("ours"))
            })
        };
        self.captured.extend(step.capture.keys().cloned());
        self.captured
            .sort_by_key(|name| std::cmp::Reverse(name.len()));
        self.captured.dedup();
        let upstream = self.upstream.settle(step, &upstream, &self.captured);
        let ours = self.ours.settle(step, &ours, &self.captured);
        let variables = self.upstream.variables.with(case);
        self.played.push(Played {
            script: self.script.name.clone(),
            step: variables.text(&step.name),
            request: variables.text(&step.request),
            quiet: step.quiet,
            findings: compare(&upstream, &ours, &step.see),
        });
        Ok(())
    }

    /// A watch that is opened first and read last.
    async fn around(
        &mut self,
        step: &Step,
        case: &Map<String, Value>,
    ) -> anyhow::Result<(Answer, Answer)> {
        let (a, b) = tokio::try_join!(self.upstream.open(step, case), self.ours.open(step, case))?;
        for inner in &step.during {
            // Boxed because steps hold steps.
            let inner: Pin<Box<dyn Future<Output = _>>> = Box::pin(self.cases(inner));
            inner.await?;
        }
        let enough = step.watch.as_ref().and_then(|watch| watch.events);
        Ok(tokio::try_join!(a.events(enough), b.events(enough))?)
    }
}

/// What stands for an answer that did not come: it is unlike any other, so that it is always found.
fn silence(side: &str) -> impl Fn(anyhow::Error) -> Answer {
    move |error| Answer {
        status: 0,
        headers: BTreeMap::new(),
        body: Body::Text(format!("no answer from {side}: {error:#}")),
    }
}

/// One side of a script.
struct Player {
    side: Side,
    variables: Variables,
    seen: Seen,
}

impl Player {
    fn new(script: &Script, namespace: &str, side: &Side) -> Self {
        let mut variables = side.variables.clone();
        variables.set("ns", namespace.into());
        variables.set("id", namespace.into());
        for (name, value) in &script.variables {
            variables.set(name, value.clone());
        }
        Self {
            side: side.clone(),
            variables,
            seen: Seen::default(),
        }
    }

    async fn open(&self, step: &Step, case: &Map<String, Value>) -> anyhow::Result<Opened> {
        let variables = self.variables.with(case);
        let request = request(step, &variables)?;
        self.side.open(step.user.as_deref(), request).await
    }

    async fn exchange(&self, step: &Step, case: &Map<String, Value>) -> anyhow::Result<Answer> {
        if step.forget {
            self.side.forget().await?;
        }
        let start = Instant::now();
        loop {
            let opened = self.open(step, case).await?;
            let answer = match &step.watch {
                Some(watch) => opened.events(watch.events).await?,
                None => opened.whole().await?,
            };
            let content = step
                .until
                .as_ref()
                .is_none_or(|until| holds(&answer, until));
            if content || start.elapsed() > PATIENCE {
                return Ok(answer);
            }
            sleep(PAUSE).await;
        }
    }

    /// Captures what the step says and returns what can be compared.
    fn settle(&mut self, step: &Step, answer: &Answer, captured: &[String]) -> Answer {
        for (name, place) in &step.capture {
            if let Some(value) = answer.find(place) {
                self.variables.set(name, value);
            }
        }
        let mut captured = self.variables.captured(captured);
        captured.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        normalise(answer, &captured, &mut self.seen)
    }
}

fn holds(answer: &Answer, until: &Until) -> bool {
    until.iter().all(|(place, wanted)| {
        let found = match place.as_str() {
            "status" => Value::from(answer.status),
            place => answer.find(place).unwrap_or(Value::Null),
        };
        match wanted {
            Value::Object(any) if any.contains_key("$any") => !found.is_null(),
            wanted => found == *wanted,
        }
    })
}

fn request(step: &Step, variables: &Variables) -> anyhow::Result<http::Request<Vec<u8>>> {
    let line = variables.text(&step.request);
    let (method, path) = line
        .split_once(' ')
        .ok_or_else(|| anyhow::anyhow!("{line}: a method and a path"))?;
    let mut request = http::Request::builder()
        .method(method)
        .uri(full_path(path, &variables.text("${ns}")));
    let accept = variables.text(step.accept.as_deref().unwrap_or("application/json"));
    if accept != "none" {
        request = request.header("accept", accept);
    }
    for (name, value) in &step.headers {
        request = request.header(name, variables.text(value));
    }
    let body = body(step, variables)?;
    if let Some(body) = &body {
        let usual = match method {
            _ if step.fixture.is_some() => "application/vnd.kubernetes.protobuf",
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let kind = variables.text(step.content_type.as_deref().unwrap_or(usual));
        if kind != "none" {
            request = request.header("content-type", kind);
        }
        request = request.header("content-length", body.len());
    }
    Ok(request.body(body.unwrap_or_default())?)
}

fn body(step: &Step, variables: &Variables) -> anyhow::Result<Option<Vec<u8>>> {
    if let Some(bytes) = &step.bytes {
        return Ok(Some(STANDARD.decode(variables.text(bytes))?));
    }
    if let Some(kind) = &step.fixture {
        return Ok(Some(fixture(&variables.text(kind))?));
    }
    if let Some(text) = &step.text {
        let text = variables.text(text);
        return Ok(Some(text.repeat(step.times.unwrap_or(1)).into_bytes()));
    }
    let Some(body) = &step.body else {
        return Ok(None);
    };
    let mut body = variables.fill(body);
    if let Some(changes) = &step.set {
        apply(&mut body, &variables.fill(changes));
    }
    Ok(Some(serde_json::to_vec(&body)?))
}

/// The first object of a kind as Go's own types encode it.
fn fixture(kind: &str) -> anyhow::Result<Vec<u8>> {
    let path = crate::repository().join("apiserver/tests/fixtures/protobuf.tsv");
    let text = std::fs::read_to_string(path)?;
    let mut lines = text
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>());
    let line = lines.find(|fields| fields.first() == Some(&kind));
    let encoded = line.as_ref().and_then(|fields| fields.get(2));
    let encoded = encoded.ok_or_else(|| anyhow::anyhow!("no fixture of a {kind}"))?;
    Ok(STANDARD.decode(encoded)?)
}

/// A whole path, or one within the script's namespace.
fn full_path(path: &str, namespace: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    match path.split_once(':') {
        Some((group, rest))
            if !group.contains(['?', '/'])
                || group.matches('/').count() == 1 && !group.contains('?') =>
        {
            format!("/apis/{group}/namespaces/{namespace}/{rest}")
        }
        _ => format!("/api/v1/namespaces/{namespace}/{path}"),
    }
}
