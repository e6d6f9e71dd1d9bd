//! The live view: clusters, cells and federated objects as they change.
//!
//! It reads the hub once a second through its API; it decides nothing and keeps nothing.

use std::time::Duration;

use anyhow::Context;
use crossterm::event::{Event, EventStream, KeyCode, KeyModifiers};
use federation_api::kinds::{Cell, FederatedTypeConfig, KubeFedCluster};
use federation_api::names;
use futures::StreamExt;
use kube::Client;
use kube::api::{Api, DynamicObject, ListParams};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Cell as TableCell, Paragraph, Row, Table};
use tokio_util::sync::CancellationToken;

use crate::{print, resolve};

/// How often the hub is read.
const REFRESH: Duration = Duration::from_secs(1);

/// Shows the view until `stop`, or until the user presses q or Ctrl-C.
pub(crate) async fn run(
    hub_client: &Client,
    commands: &[String],
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut terminal = ratatui::try_init().context("cannot take the screen (try --no-tui)")?;
    let ended = draw(&mut terminal, hub_client, commands, stop).await;
    ratatui::restore();
    ended
}

async fn draw(
    terminal: &mut ratatui::DefaultTerminal,
    hub_client: &Client,
    commands: &[String],
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut keys = EventStream::new();
    let mut tick = tokio::time::interval(REFRESH);
    let mut scene = Scene::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            key = keys.next() => match key {
                Some(Ok(event)) if ends(&event) => return Ok(()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error).context("cannot read the keyboard"),
                None => return Ok(()),
            },
            _ = tick.tick() => match Scene::read(hub_client).await {
                Ok(next) => scene = next,
                Err(error) => scene.trouble = Some(print::chain(&error)),
            },
        }
        terminal
            .draw(|frame| render(frame, &scene, commands))
            .context("cannot draw")?;
    }
}

fn ends(event: &Event) -> bool {
    match event {
        Event::Key(key) => {
            key.code == KeyCode::Char('q')
                || (key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL))
        }
        _ => false,
    }
}

/// What the screen shows: cells of text, ready to be laid out.
#[derive(Default)]
struct Scene {
    clusters: Vec<[String; 4]>,
    cells: Vec<[String; 5]>,
    objects: Vec<[String; 6]>,
    trouble: Option<String>,
}

impl Scene {
    async fn read(hub_client: &Client) -> anyhow::Result<Self> {
        let all = ListParams::default();
        let clusters: Api<KubeFedCluster> =
            Api::namespaced(hub_client.clone(), names::SYSTEM_NAMESPACE);
        let cells: Api<Cell> = Api::all(hub_client.clone());
        let types: Api<FederatedTypeConfig> =
            Api::namespaced(hub_client.clone(), names::SYSTEM_NAMESPACE);
        let (clusters, cells, types) =
            tokio::try_join!(clusters.list(&all), cells.list(&all), types.list(&all))
                .context("cannot read the hub")?;
        let mut scene = Self {
            clusters: clusters
                .items
                .iter()
                .filter(|c| c.derived_from().is_none())
                .map(cluster_row)
                .collect(),
            cells: cells.items.iter().map(cell_row).collect(),
            ..Self::default()
        };
        for mut config in types.items {
            config.apply_defaults();
            let api: Api<DynamicObject> =
                Api::all_with(hub_client.clone(), &resolve::northbound(&config));
            // A type whose definition is not served yet has no objects.
            if let Ok(objects) = api.list(&all).await {
                for object in &objects.items {
                    object_rows(&config.spec.federated_type.kind, object, &mut scene.objects);
                }
            }
        }
        Ok(scene)
    }
}

fn cluster_row(cluster: &KubeFedCluster) -> [String; 4] {
    let condition = cluster.status.as_ref().and_then(|s| s.conditions.first());
    [
        cluster.metadata.name.clone().unwrap_or_default(),
        if cluster.is_ready() {
            "Ready"
        } else {
            "NotReady"
        }
        .to_owned(),
        cluster
            .status
            .as_ref()
            .and_then(|s| s.kubernetes_version.clone())
            .unwrap_or_default(),
        condition
            .and_then(|c| c.message.clone())
            .unwrap_or_default(),
    ]
}

fn cell_row(cell: &Cell) -> [String; 5] {
    let ready = cell.status.as_ref().and_then(|s| {
        s.conditions
            .iter()
            .find(|c| c.type_ == federation_api::conditions::READY)
    });
    [
        cell.metadata.namespace.clone().unwrap_or_default(),
        cell.metadata.name.clone().unwrap_or_default(),
        cell.spec.cluster_ref.name.clone(),
        cell.member_namespace(),
        match ready {
            Some(c) if c.status == federation_api::conditions::TRUE => "Ready".to_owned(),
            Some(c) => c.reason.clone().unwrap_or_else(|| "NotReady".to_owned()),
            None => "Unknown".to_owned(),
        },
    ]
}

/// One row for the object, one for each of its topologies.
fn object_rows(kind: &str, object: &DynamicObject, rows: &mut Vec<[String; 6]>) {
    let status = print::status(object);
    let counts = status.counts.unwrap_or_default();
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    rows.push([
        text(&object.metadata.namespace),
        format!("{kind} {}", text(&object.metadata.name)),
        format!("{}/{}", counts.updated, counts.topologies),
        if counts.masked > 0 {
            format!("{} masked", counts.masked)
        } else {
            String::new()
        },
        String::new(),
        String::new(),
    ]);
    for entry in status.topologies.iter().flatten() {
        let remote = entry.remote_status.as_ref().map(ToString::to_string);
        rows.push([
            String::new(),
            format!("  {}", entry.name),
            print::state(entry),
            text(&entry.version),
            entry
                .generation
                .map(|g| format!("gen {g}"))
                .unwrap_or_default(),
            remote.or_else(|| entry.message.clone()).unwrap_or_default(),
        ]);
    }
}

fn render(frame: &mut Frame<'_>, scene: &Scene, commands: &[String]) {
    let height =
        |rows: usize| Constraint::Length(u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(3));
    let [title, clusters, cells, objects, next] = Layout::vertical([
        Constraint::Length(1),
        height(scene.clusters.len()),
        height(scene.cells.len()),
        Constraint::Min(4),
        height(commands.len().saturating_sub(1)),
    ])
    .areas(frame.area());
    let heading = match &scene.trouble {
        Some(trouble) => Line::from(format!("Koinon playground: {trouble}")).red(),
        None => Line::from("Koinon playground (q ends it)").bold(),
    };
    frame.render_widget(Paragraph::new(heading), title);
    let widths = [
        Constraint::Length(12),
        Constraint::Length(10),
        Constraint::Length(18),
        Constraint::Min(10),
    ];
    frame.render_widget(
        table(
            "Clusters",
            ["NAME", "STATE", "VERSION", "MESSAGE"],
            widths,
            &scene.clusters,
        ),
        clusters,
    );
    let widths = [
        Constraint::Length(14),
        Constraint::Length(10),
        Constraint::Length(12),
        Constraint::Length(24),
        Constraint::Min(8),
    ];
    frame.render_widget(
        table(
            "Cells",
            ["NAMESPACE", "CELL", "CLUSTER", "MEMBER NAMESPACE", "STATE"],
            widths,
            &scene.cells,
        ),
        cells,
    );
    let widths = [
        Constraint::Length(14),
        Constraint::Length(28),
        Constraint::Length(18),
        Constraint::Length(18),
        Constraint::Length(8),
        Constraint::Min(10),
    ];
    frame.render_widget(
        table(
            "Federated objects",
            ["NAMESPACE", "OBJECT", "STATE", "VERSION", "", "STATUS"],
            widths,
            &scene.objects,
        ),
        objects,
    );
    let lines: Vec<Line<'_>> = commands.iter().map(|c| Line::from(c.as_str())).collect();
    frame.render_widget(
        Paragraph::new(lines).block(Block::bordered().title("Try, in another terminal")),
        next,
    );
}

fn table<'a, const N: usize>(
    title: &'a str,
    headings: [&'a str; N],
    widths: [Constraint; N],
    rows: &'a [[String; N]],
) -> Table<'a> {
    let rows = rows.iter().map(|row| {
        Row::new(
            row.iter()
                .map(|text| TableCell::from(text.as_str()).style(style(text))),
        )
    });
    Table::new(rows, widths)
        .header(Row::new(headings).style(Style::new().add_modifier(Modifier::DIM)))
        .block(Block::bordered().title(title))
}

/// States that want to be seen.
fn style(text: &str) -> Style {
    match text {
        "Ready" | "OK" => Style::new().fg(Color::Green),
        "Masked" => Style::new().fg(Color::Yellow),
        "NotReady" | "ClusterNotReady" | "Unknown" => Style::new().fg(Color::Red),
        _ => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    #[test]
    fn the_screen_shows_cells_and_objects() {
        let object: DynamicObject = serde_json::from_value(serde_json::json!({
            "apiVersion": "types.kubefed.io/v1", "kind": "FederatedFoo",
            "metadata": {"name": "foo-01", "namespace": "bank-prod"},
            "status": {
                "counts": {"topologies": 2, "updated": 1, "masked": 1, "failing": 0},
                "topologies": [{"name": "rz00a", "generation": 2}, {"name": "rz01a", "reason": "Masked"}],
            },
        }))
        .unwrap();
        let mut scene = Scene::default();
        scene
            .cells
            .push(["bank-prod", "rz00a", "hz-1", "bank-prod-rz00a", "Ready"].map(str::to_owned));
        object_rows("FederatedFoo", &object, &mut scene.objects);
        let mut terminal = Terminal::new(TestBackend::new(110, 24)).unwrap();
        terminal
            .draw(|frame| render(frame, &scene, &["kubectl get x".to_owned()]))
            .unwrap();
        let screen: String = terminal
            .backend()
            .buffer()
            .content()
            .iter()
            .map(|c| c.symbol())
            .collect();
        for text in [
            "bank-prod-rz00a",
            "FederatedFoo foo-01",
            "1/2",
            "Masked",
            "gen 2",
            "kubectl get x",
        ] {
            assert!(screen.contains(text), "{text}");
        }
    }
}
