//! Fills Secrets of type `kubernetes.io/service-account-token` with a token of the ServiceAccount that they name, and
//! deletes them when it is gone (`k8s.io/kubernetes/pkg/controller/serviceaccount/tokens_controller.go`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::auth::service_account::{
    NAME_ANNOTATION, SECRET_TYPE, UID_ANNOTATION, annotation, is_account_of, mint,
};
use crate::cache::Event;
use crate::local::{Gvr, LocalClient};
use crate::object::{self, Obj};
use crate::seams::Seams;

const SECRETS: Gvr<'static> = Gvr::new("", "v1", "secrets");
const SECRET_RESOURCE: &str = "/secrets";
const ACCOUNT_RESOURCE: &str = "/serviceaccounts";
/// Everything is looked at again this often, should an event have been missed.
const RESYNC: Duration = Duration::from_secs(300);
/// What failed is tried again after this.
const RETRY: Duration = Duration::from_secs(1);

/// Namespace and name of a Secret.
type Place = (Arc<str>, Arc<str>);

/// Runs until `stop`. `ca_pem` goes into every such Secret as `ca.crt`.
pub(crate) async fn run(client: LocalClient, ca_pem: String, stop: CancellationToken) {
    let mut events = client.api().cache.subscribe();
    let mut resync = tokio::time::interval(RESYNC);
    let mut todo = BTreeSet::new();
    loop {
        let retry = tokio::time::sleep(RETRY);
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = retry, if !todo.is_empty() => {}
            _ = resync.tick() => todo.extend(all(&client)),
            batch = events.recv() => match batch {
                Ok(batch) => todo.extend(batch.iter().flat_map(|event| touched(&client, event))),
                Err(RecvError::Lagged(_)) => todo.extend(all(&client)),
                Err(RecvError::Closed) => return,
            },
        }
        for place in std::mem::take(&mut todo) {
            if let Err(error) = settle(&client, &place, &ca_pem).await
                && error.code != http::StatusCode::NOT_FOUND
            {
                tracing::debug!(%error, namespace = &*place.0, secret = &*place.1,
                    "a token Secret has to be tried again");
                todo.insert(place);
            }
        }
    }
}

fn all(client: &LocalClient) -> Vec<Place> {
    let secrets = client.api().cache.list(SECRET_RESOURCE);
    secrets.objects.values().map(place).collect()
}

fn place(object: &Arc<Obj>) -> Place {
    (object.namespace().clone(), object.name().clone())
}

/// The Secrets that an event may concern.
fn touched(client: &LocalClient, event: &Event) -> Vec<Place> {
    let object = &event.object;
    match &*object.key.resource {
        SECRET_RESOURCE => vec![place(object)],
        ACCOUNT_RESOURCE => {
            let secrets = client.api().cache.list(SECRET_RESOURCE);
            secrets
                .range(Some(object.namespace()), None)
                .map(place)
                .collect()
        }
        _ => Vec::new(),
    }
}

/// What a Secret needs.
#[derive(Debug, PartialEq)]
enum Need {
    Nothing,
    Deletion,
    Update(Value),
}

/// Decides. Pure but for the token, which is drawn from `seams`.
fn need(secret: &Value, account: Option<&Obj>, ca_pem: &str, seams: &Seams) -> Need {
    if secret["type"] != SECRET_TYPE
        || object::is_terminating(secret)
        || annotation(secret, NAME_ANNOTATION).is_empty()
    {
        return Need::Nothing;
    }
    let Some(account) = account else {
        return Need::Deletion;
    };
    if annotation(secret, UID_ANNOTATION).is_empty() {
        let mut adopted = secret.clone();
        object::metadata_mut(&mut adopted)["annotations"][UID_ANNOTATION] =
            account.meta.uid.as_str().into();
        return match need(&adopted, Some(account), ca_pem, seams) {
            Need::Nothing => Need::Update(adopted),
            other => other,
        };
    }
    if !is_account_of(account, secret) {
        return Need::Deletion;
    }
    let mut filled = secret.clone();
    if !filled["data"].is_object() {
        filled["data"] = json!({});
    }
    let namespace = object::namespace(secret);
    filled["data"]["ca.crt"] = STANDARD.encode(ca_pem).into();
    filled["data"]["namespace"] = STANDARD.encode(namespace).into();
    if filled["data"]["token"]
        .as_str()
        .unwrap_or_default()
        .is_empty()
    {
        let token = mint(namespace, object::name(secret), seams);
        filled["data"]["token"] = STANDARD.encode(token).into();
    }
    if filled == *secret {
        Need::Nothing
    } else {
        Need::Update(filled)
    }
}

async fn settle(
    client: &LocalClient,
    (namespace, name): &Place,
    ca_pem: &str,
) -> Result<(), crate::status::ApiError> {
    let api = client.api();
    let Some(secret) = api.cache.get(SECRET_RESOURCE, namespace, name) else {
        return Ok(());
    };
    let secret = secret.to_value();
    let account = api.cache.get(
        ACCOUNT_RESOURCE,
        namespace,
        annotation(&secret, NAME_ANNOTATION),
    );
    match need(&secret, account.as_deref(), ca_pem, &api.seams) {
        Need::Nothing => {}
        Need::Update(filled) => {
            client.update(SECRETS, &filled).await?;
        }
        Need::Deletion => {
            let preconditions = json!({"preconditions": {"uid": object::meta_str(&secret, "uid")}});
            client
                .delete(SECRETS, namespace, name, &preconditions)
                .await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use apiserver_store::{Key, Revision};

    use super::*;

    fn account(uid: &str) -> Obj {
        let value = json!({"kind": "ServiceAccount", "apiVersion": "v1",
            "metadata": {"name": "robot", "namespace": "ns", "uid": uid}});
        Obj::from_store(
            Key::new(ACCOUNT_RESOURCE, "ns", "robot"),
            Revision::new(1),
            value.to_string().as_bytes(),
        )
        .unwrap()
    }

    fn judge(secret: &Value, account: Option<&Obj>) -> Need {
        need(
            secret,
            account,
            "CA",
            &Seams::new(|| jiff::Timestamp::UNIX_EPOCH, || 7),
        )
    }

    #[test]
    fn secrets_are_filled_once_and_die_with_their_account() {
        let secret = json!({"kind": "Secret", "type": SECRET_TYPE, "metadata": {"name": "t",
            "namespace": "ns", "annotations": {NAME_ANNOTATION: "robot"}}});
        let robot = account("u1");
        let Need::Update(filled) = judge(&secret, Some(&robot)) else {
            panic!("an empty Secret is filled")
        };
        assert_eq!(annotation(&filled, UID_ANNOTATION), "u1");
        assert_eq!(filled["data"]["ca.crt"], STANDARD.encode("CA"));
        assert!(filled["data"]["token"].as_str().unwrap().len() > 20);
        assert_eq!(judge(&filled, Some(&robot)), Need::Nothing);
        assert_eq!(judge(&filled, None), Need::Deletion);
        assert_eq!(judge(&filled, Some(&account("u2"))), Need::Deletion);
    }

    #[test]
    fn other_secrets_are_left_alone() {
        for secret in [
            json!({"type": "Opaque", "metadata": {"annotations": {NAME_ANNOTATION: "robot"}}}),
            json!({"type": SECRET_TYPE, "metadata": {}}),
        ] {
            assert_eq!(judge(&secret, None), Need::Nothing);
        }
    }
}
