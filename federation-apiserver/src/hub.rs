//! The hub as a part that other programs embed.

use std::sync::Arc;

use apiserver::{Certificates, Server, ServerBuilder};
use apiserver_store::Store;
use federation_api::crd::all_crds;
use federation_api::kinds::{KubeFedConfigSpec, Scope};
use federation_api::names::{KUBEFED_CONFIG, SYSTEM_NAMESPACE};
use serde_json::json;

use crate::admission::FederationAdmission;
use crate::conversion::FederatedConverter;
use crate::proxy::{ClusterProxy, Routes};
use crate::tunnel::{HubTunnels, TunnelApi};

/// As [`hub_builder_with`], for a hub that serves no tunnels.
pub fn hub_builder(store: Store, certificates: Certificates) -> ServerBuilder {
    hub_builder_with(store, certificates, HubTunnels::default())
}

/// A server with everything that makes it a hub: our CRDs, conversion between cells and clusters, admission, and the
/// objects that a hub needs to be of use: the system namespace, and in it a `KubeFedConfig` with KubeFed's defaults
/// (which is not touched if it exists). Members that ask for it are reached through `tunnels`, once they are open:
/// [`crate::TunnelEndpoint::start`].
pub fn hub_builder_with(
    store: Store,
    certificates: Certificates,
    tunnels: HubTunnels,
) -> ServerBuilder {
    let mut builder = Server::builder(store, certificates)
        .converter(Arc::new(FederatedConverter))
        .admission_with(|cache, registry| {
            Arc::new(FederationAdmission::new(cache.clone(), registry.clone()))
        });
    let routes = Routes::direct().with_tunnel(Arc::new(tunnels.clone()));
    builder = builder
        .extension_with(|parts| Arc::new(ClusterProxy::new(parts, Arc::new(routes))))
        .extension_with(|parts| Arc::new(TunnelApi::new(parts, tunnels)));
    for crd in all_crds() {
        builder = builder.crd(crd);
    }
    builder
        .object(json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": SYSTEM_NAMESPACE},
        }))
        .object(json!({
            "apiVersion": "core.kubefed.io/v1beta1",
            "kind": "KubeFedConfig",
            "metadata": {"name": KUBEFED_CONFIG, "namespace": SYSTEM_NAMESPACE},
            "spec": KubeFedConfigSpec::with_defaults(Scope::Cluster),
        }))
}
