//! Events on clusters.

use std::sync::Arc;

use federation_api::{KubeFedCluster, events};
use kube::Resource;
use tokio::sync::broadcast::error::RecvError;

use super::{MemberEvent, Members};
use crate::events::{Notice, Recorder, Severity, Subject};
use crate::hub::ObjectKey;

/// Who says it.
const COMPONENT: &str = "kubefedcluster-controller";

/// Tells an event on every cluster whose agents go away or come back. Runs until dropped.
pub(crate) async fn tell_of_tunnels(members: Arc<Members>, recorder: Recorder) {
    let mut happened = members.listen();
    loop {
        match happened.recv().await {
            Ok(MemberEvent::Tunnel { cluster, is_up }) => {
                let key = ObjectKey::new(members.namespace(), cluster);
                if let Some(stored) = members.clusters.get(&key) {
                    recorder.tell(notice(&stored, is_up));
                }
            }
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

fn notice(cluster: &KubeFedCluster, is_up: bool) -> Notice {
    let meta = &cluster.metadata;
    let (severity, reason, message) = if is_up {
        (
            Severity::Normal,
            events::TUNNEL_UP,
            "an agent of the cluster is connected to the hub",
        )
    } else {
        (
            Severity::Warning,
            events::TUNNEL_DOWN,
            "no agent of the cluster is connected to the hub: check that proxy-agent runs there and what it logs",
        )
    };
    Notice {
        subject: Subject {
            api_version: KubeFedCluster::api_version(&()).into_owned(),
            kind: KubeFedCluster::kind(&()).into_owned(),
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
        },
        severity,
        reason: reason.to_owned(),
        message: message.to_owned(),
        component: COMPONENT.to_owned(),
    }
}
