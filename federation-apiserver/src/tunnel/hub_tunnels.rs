//! Where the rest of a hub finds its tunnels.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use federation_member::MemberAccess;
use federation_tunnel::{BoxIo, Tunnels};

use crate::proxy::{DialError, Dialer, Tunnelled};

/// The tunnels of a hub that may not have opened them yet: its server exists first, since what agents are judged by is kept in it. Cheap to
/// clone; all clones are the same.
#[derive(Clone, Debug, Default)]
pub struct HubTunnels(Arc<OnceLock<Tunnels>>);

impl HubTunnels {
    /// The tunnels, once they are open.
    #[must_use]
    pub fn get(&self) -> Option<&Tunnels> {
        self.0.get()
    }

    /// Opens them to the rest of the hub. Once: a second call changes nothing.
    pub(super) fn set(&self, tunnels: Tunnels) {
        let _ = self.0.set(tunnels);
    }
}

#[async_trait]
impl Dialer for HubTunnels {
    async fn dial(&self, cluster: &str, access: &MemberAccess) -> Result<BoxIo, DialError> {
        let tunnels = self.get().ok_or(DialError::NoTunnel)?;
        Tunnelled(tunnels.clone()).dial(cluster, access).await
    }
}
