//! The command tree: what the user may type, with its help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Koinon's command line: run a hub, join clusters, make cells, release cell by cell.
#[derive(Debug, Parser)]
#[command(name = "fedctl", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Flags that every command takes.
    #[command(flatten)]
    pub global: Global,
}

/// Flags that every command takes.
#[derive(Args, Clone, Debug)]
pub struct Global {
    /// Kubeconfig of the hub [default: $KUBECONFIG, .koinon/kubeconfig if it is there, ~/.kube/config]
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of that kubeconfig [default: its current one]
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Namespace (workspace group) of the objects [default: the context's]
    #[arg(long, short, global = true, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Namespace of clusters and type configs on the hub
    #[arg(long, global = true, value_name = "NAME", default_value = federation_api::names::SYSTEM_NAMESPACE, hide = true)]
    pub kubefed_namespace: String,
    /// How to print
    #[arg(long, short, global = true, value_name = "FORMAT")]
    pub output: Option<Output>,
}

/// The forms of `--output`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// The API objects as JSON.
    Json,
    /// The API objects as YAML.
    Yaml,
    /// More columns.
    Wide,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a hub and its controller in this process, on SQLite
    Up(Up),
    /// Try Koinon: a hub, two member clusters, three cells and the Foo example, all in this process
    Playground(Playground),
    /// Install Koinon on an existing Kubernetes cluster, which becomes the hub; run it again to upgrade
    Init(Init),
    /// Take Koinon off a cluster that `init` installed it on; definitions and objects stay unless --purge
    Deinit(Deinit),
    /// Register a member cluster with the hub
    Join(Join),
    /// Take a member cluster away from the hub
    Unjoin(Unjoin),
    /// Bring what the hub may do in a member in step with the kinds that are enabled
    Grant(Grant),
    /// Make a kind federated: Foo gets a FederatedFoo
    Enable(Enable),
    /// Stop federating a kind; what is in the members stays
    Disable(Disable),
    /// Work with cells
    #[command(subcommand)]
    Cell(CellCommand),
    /// Make a federated object of an object on the hub or in a cluster
    Federate(Federate),
    /// Set or clear the placement mask of a federated object: which cells a change may touch
    #[command(subcommand)]
    Mask(MaskCommand),
    /// Show where a federated object runs: object → cells → state, version, reason
    Status(Status),
    /// Make a kubeconfig with a context for every cluster and cell, so that `kubectl --context rz00a …` works through the hub
    Kubeconfig(KubeconfigArgs),
    /// Print a shell completion script
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// `fedctl up`.
#[derive(Args, Debug)]
pub struct Up {
    /// Where the database, keys and kubeconfig live
    #[arg(long, default_value = ".koinon", value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Address of the hub's API; port 0 takes a free one and keeps it over restarts
    #[arg(long, default_value = "127.0.0.1:0", value_name = "IP:PORT")]
    pub listen: std::net::SocketAddr,
    /// Address that members' agents connect to
    #[arg(long, default_value = "127.0.0.1:0", value_name = "IP:PORT")]
    pub tunnel_listen: std::net::SocketAddr,
    /// What agents are told to connect to, if it is not that address
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    pub tunnel_advertise: Vec<federation_tunnel::HostPort>,
}

/// `fedctl playground`.
#[derive(Args, Debug)]
pub struct Playground {
    /// Where databases, keys and kubeconfigs live
    #[arg(long, default_value = ".koinon", value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Print plain lines and a final `ready` line instead of the live view
    #[arg(long)]
    pub no_tui: bool,
}

/// `fedctl init`.
#[derive(Args, Debug)]
pub struct Init {
    /// Webhook and controller run outside the cluster, and its API server reaches the webhook at this URL
    #[arg(long, value_name = "https://HOST:PORT")]
    pub external_webhook_url: Option<String>,
    /// Where the images come from
    #[arg(long, value_name = "NAME", default_value = "koinon")]
    pub registry: String,
    /// Tag of the images
    #[arg(long, value_name = "TAG", default_value = env!("CARGO_PKG_VERSION"))]
    pub tag: String,
    /// Replicas of the webhook
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub webhook_replicas: u32,
    /// Replicas of the controller, of which one leads
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub controller_replicas: u32,
    /// Make nothing: print what would be applied (client), or let the API server say what would become of it (server)
    #[arg(long, value_name = "WHERE", default_value = "none")]
    pub dry_run: DryRun,
    /// Wait until the API server is served by the webhook
    #[arg(long)]
    pub wait: bool,
    /// How long to wait, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    pub timeout: u64,
}

/// The forms of `--dry-run`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// Do it.
    None,
    /// Only print.
    Client,
    /// Ask the API server.
    Server,
}

/// `fedctl deinit`.
#[derive(Args, Debug)]
pub struct Deinit {
    /// Also delete all definitions and the namespace; refused while clusters, cells or anything federated is there
    #[arg(long)]
    pub purge: bool,
    /// Show what would be deleted, delete nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// A member cluster on the command line.
#[derive(Args, Clone, Debug)]
pub struct MemberArgs {
    /// Name of the cluster on the hub
    pub name: String,
    /// Kubeconfig of the member
    #[arg(long, value_name = "FILE")]
    pub cluster_kubeconfig: Option<PathBuf>,
    /// Context of the member in that kubeconfig [default: NAME if there is such a context, else the current one]
    #[arg(long, value_name = "CONTEXT")]
    pub cluster_context: Option<String>,
    /// Name of the hub as it appears in the member's objects
    #[arg(long, default_value = "koinon", value_name = "NAME")]
    pub host_cluster_name: String,
}

/// `fedctl join`.
#[derive(Args, Debug)]
pub struct Join {
    /// The member
    #[command(flatten)]
    pub member: MemberArgs,
    /// Name of the Secret on the hub that holds the member's token [default: NAME-RANDOM]
    #[arg(long, value_name = "NAME")]
    pub secret_name: Option<String>,
    /// Labels of the cluster, which selectors match
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',')]
    pub labels: Vec<String>,
    /// Grant only the kinds that are enabled on the hub instead of everything; `fedctl grant` brings them in step later
    #[arg(long)]
    pub least_privilege: bool,
    /// With --least-privilege: whom the hub may act as in the member, so that they can use it through the hub
    /// (`fedctl kubeconfig`); `user:*` and `group:*` are all
    #[arg(
        long,
        value_name = "user:NAME|group:NAME",
        value_delimiter = ',',
        requires = "least_privilege"
    )]
    pub proxy_as: Vec<String>,
    /// The hub cannot connect to the member: register it to be reached through its agent, and print what to apply in the member. The
    /// member's kubeconfig is then not needed
    #[arg(long)]
    pub tunnel: bool,
    /// How the agent is to be made and reached
    #[command(flatten)]
    pub agent: AgentArgs,
    /// Show what would be made, make nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// The flags of `fedctl join --tunnel`.
#[derive(Args, Debug)]
pub struct AgentArgs {
    /// How long the agent's one-time token is good
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "24h",
        requires = "tunnel"
    )]
    pub token_life: federation_api::GoDuration,
    /// A new token for a cluster that is registered already: its agent has lost its key
    #[arg(long, requires = "tunnel")]
    pub new_token: bool,
    /// The agent's image
    #[arg(long, value_name = "IMAGE", default_value = concat!("koinon/proxy-agent:", env!("CARGO_PKG_VERSION")), requires = "tunnel")]
    pub agent_image: String,
    /// What to print: a manifest for the member, or the command line of an agent outside of Kubernetes
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "manifest",
        requires = "tunnel"
    )]
    pub agent: AgentForm,
    /// Address of the API server as the member's own network knows it
    #[arg(long, value_name = "URL", default_value = federation_api::tunnel::API_ENDPOINT, requires = "tunnel")]
    pub api_endpoint: String,
}

/// The forms of `fedctl join --tunnel --agent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AgentForm {
    /// Objects to apply in the member.
    Manifest,
    /// A command line.
    Command,
    /// The command lines of upstream's konnectivity-agent: one that gets its certificate, and its own.
    Konnectivity,
}

/// `fedctl unjoin`.
#[derive(Args, Debug)]
pub struct Unjoin {
    /// The member
    #[command(flatten)]
    pub member: MemberArgs,
    /// Go on when the member cannot be reached or objects are missing
    #[arg(long)]
    pub force: bool,
    /// Show what would be deleted, delete nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `fedctl grant`.
#[derive(Args, Debug)]
pub struct Grant {
    /// The member; the kubeconfig is of somebody who may grant
    #[command(flatten)]
    pub member: MemberArgs,
    /// From now on only the kinds that are enabled on the hub, also if the cluster was joined with everything
    #[arg(long)]
    pub least_privilege: bool,
    /// Print the rules, grant nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `fedctl enable`.
#[derive(Args, Debug)]
pub struct Enable {
    /// The kind: a plural, singular or short name or kind, with group where it is not unique (`foos.tutorial.my.domain`)
    #[arg(value_name = "TYPE")]
    pub target: String,
    /// Version of the kind in the members [default: the preferred one]
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
    /// Look the kind up in this member instead of any ready one
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// Annotations that are taken from the template, as globs
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    pub propagate_annotations: Vec<String>,
}

/// `fedctl disable`.
#[derive(Args, Debug)]
pub struct Disable {
    /// The kind, as for enable, or the name of its FederatedTypeConfig
    #[arg(value_name = "TYPE")]
    pub target: String,
    /// Also delete the Federated<Kind> CRD (refused while objects exist)
    #[arg(long)]
    pub delete_crd: bool,
}

/// `fedctl cell …`.
#[derive(Debug, Subcommand)]
pub enum CellCommand {
    /// Make a cell in a member cluster
    Create(CellCreate),
    /// Delete a cell; says what to do if objects are still placed in it
    Delete {
        /// Name of the cell
        name: String,
    },
    /// List cells
    List {
        /// Those of all namespaces
        #[arg(long, short = 'A')]
        all_namespaces: bool,
    },
}

/// `fedctl cell create`.
#[derive(Args, Debug)]
pub struct CellCreate {
    /// Name of the cell, such as rz00a
    pub name: String,
    /// The member cluster that it lives in
    #[arg(long, value_name = "NAME")]
    pub cluster: String,
    /// Namespace in the member [default: <namespace>-<cell>]
    #[arg(long, value_name = "NAME")]
    pub member_namespace: Option<String>,
    /// Labels of the cell, which selectors match
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',')]
    pub labels: Vec<String>,
    /// Node labels that pods of this cell must be placed by
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',')]
    pub node_selector: Vec<String>,
}

/// `fedctl federate`.
#[derive(Args, Debug)]
pub struct Federate {
    /// The kind, as for enable
    #[arg(value_name = "TYPE")]
    pub target: String,
    /// Name of the object
    pub name: String,
    /// Cells to place it in
    #[arg(
        long,
        value_name = "CELL",
        value_delimiter = ',',
        conflicts_with = "clusters"
    )]
    pub cells: Vec<String>,
    /// Clusters to place it in
    #[arg(long, value_name = "CLUSTER", value_delimiter = ',')]
    pub clusters: Vec<String>,
    /// Kubeconfig to read the object from [default: the hub's]
    #[arg(long, value_name = "FILE")]
    pub from_kubeconfig: Option<PathBuf>,
    /// Print the federated object, make nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// A federated object on the command line.
#[derive(Args, Debug)]
pub struct ObjectArgs {
    /// The kind: Foo, foos, FederatedFoo, or `foos.tutorial.my.domain`
    #[arg(value_name = "TYPE")]
    pub target: String,
    /// Name of the federated object
    pub name: String,
}

/// `fedctl mask …`.
#[derive(Debug, Subcommand)]
pub enum MaskCommand {
    /// Only these cells (or clusters) may change; none at all freezes the object
    Set {
        /// The object
        #[command(flatten)]
        object: ObjectArgs,
        /// Names of cells or clusters, as the placement names them
        topologies: Vec<String>,
    },
    /// Let these cells (or clusters) change too
    Add {
        /// The object
        #[command(flatten)]
        object: ObjectArgs,
        /// Names of cells or clusters, as the placement names them
        #[arg(required = true)]
        topologies: Vec<String>,
    },
    /// Take the mask away: everything may change
    Clear {
        /// The object
        #[command(flatten)]
        object: ObjectArgs,
    },
}

/// `fedctl kubeconfig`.
#[derive(Args, Debug)]
pub struct KubeconfigArgs {
    /// Where to write it [default: print it]
    #[arg(long, short, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Add to the file if it exists, and renew what was added before; what others wrote in it stays
    #[arg(long, requires = "file")]
    pub merge: bool,
}

/// `fedctl status`.
#[derive(Args, Debug)]
pub struct Status {
    /// The kind [default: all federated kinds]
    #[arg(value_name = "TYPE")]
    pub target: Option<String>,
    /// Name of the object [default: all]
    pub name: Option<String>,
    /// Objects of all namespaces
    #[arg(long, short = 'A')]
    pub all_namespaces: bool,
    /// Stay and show changes as they happen
    #[arg(long, short)]
    pub watch: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn no_command_says_anything_twice() {
        super::Cli::command().debug_assert();
    }
}
