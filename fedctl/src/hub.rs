//! The connection to the hub, and to a member that is to be joined.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use federation_api::kinds::KubeFedCluster;
use kube::api::Api;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::cli::Global;

/// Where `fedctl up` and `fedctl playground` put the hub's kubeconfig unless told otherwise.
const LOCAL_KUBECONFIG: &str = ".koinon/kubeconfig";

/// The hub, as the global flags name it.
pub(crate) struct Hub {
    /// How it is reached.
    pub(crate) config: Config,
    /// A client of the hub.
    pub(crate) hub_client: Client,
    /// Namespace of the objects the user works on.
    pub(crate) namespace: String,
    /// Namespace of clusters and type configs.
    pub(crate) system_namespace: String,
}

impl Hub {
    /// Connects. Nothing is sent yet: an unreachable hub shows at the first call.
    pub(crate) async fn connect(global: &Global) -> anyhow::Result<Self> {
        let config = load(
            global.kubeconfig.as_deref(),
            global.context.as_deref(),
            true,
        )
        .await?;
        let namespace = global
            .namespace
            .clone()
            .unwrap_or_else(|| config.default_namespace.clone());
        let address = config.cluster_url.clone();
        let hub_client =
            Client::try_from(config.clone()).context("cannot use the hub's kubeconfig")?;
        tracing::debug!(%address, "hub");
        Ok(Self {
            config,
            hub_client,
            namespace,
            system_namespace: global.kubefed_namespace.clone(),
        })
    }

    /// The clusters that are joined.
    pub(crate) fn clusters(&self) -> Api<KubeFedCluster> {
        Api::namespaced(self.hub_client.clone(), &self.system_namespace)
    }

    /// One of them, if the hub has it.
    ///
    /// # Errors
    /// The hub does not answer.
    pub(crate) async fn find_cluster(&self, name: &str) -> anyhow::Result<Option<KubeFedCluster>> {
        self.clusters()
            .get_opt(name)
            .await
            .context("cannot ask the hub for its clusters")
    }

    /// One of them, by its name.
    ///
    /// # Errors
    /// The hub has none of that name, or does not answer.
    pub(crate) async fn cluster(&self, name: &str) -> anyhow::Result<KubeFedCluster> {
        self.find_cluster(name).await?.with_context(|| {
            format!(
                "the hub has no cluster \"{name}\": join it with `fedctl join {name}`, or list those it has with `kubectl get kubefedclusters -n {}`",
                self.system_namespace
            )
        })
    }
}

/// A kubeconfig's context as a client configuration. `local` looks at the data directory of `fedctl up` too.
pub(crate) async fn load(
    file: Option<&Path>,
    context: Option<&str>,
    local: bool,
) -> anyhow::Result<Config> {
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    let kubeconfig = read_kubeconfig(file, local)?;
    Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .context("cannot use this kubeconfig")
}

/// The kubeconfig that [`load`] would use, unresolved.
pub(crate) fn read_kubeconfig(file: Option<&Path>, local: bool) -> anyhow::Result<Kubeconfig> {
    if let Some(file) = file {
        return Kubeconfig::read_from(file)
            .with_context(|| format!("cannot read the kubeconfig {}", file.display()));
    }
    if let Some(kubeconfig) = Kubeconfig::from_env().context("cannot read $KUBECONFIG")? {
        return Ok(kubeconfig);
    }
    let beside = PathBuf::from(LOCAL_KUBECONFIG);
    if local && beside.is_file() {
        return Kubeconfig::read_from(&beside).context("cannot read .koinon/kubeconfig");
    }
    match Kubeconfig::read() {
        Ok(kubeconfig) => Ok(kubeconfig),
        Err(_) => bail!(
            "no kubeconfig found: name one with --kubeconfig or $KUBECONFIG, or start a hub with `fedctl up`"
        ),
    }
}
