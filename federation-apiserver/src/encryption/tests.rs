//! Files that operators write, and the one that the hub writes.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use apiserver_store::{Key, Seals};

use super::build::build;
use super::document::{Document, parse};
use super::{Encryption, EncryptionError, own};

/// 32 zero bytes.
const ZEROS: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const HEAD: &str = "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\n";

fn read(resources: &str) -> Result<Document, Vec<String>> {
    parse(&format!("{HEAD}resources:\n{resources}"))
}

#[track_caller]
fn complaints(resources: &str, expected: &[&str]) {
    assert_eq!(read(resources).unwrap_err(), expected);
}

fn provider(text: &str) -> String {
    format!("- resources: [secrets]\n  providers: [{text}]\n")
}

#[test]
fn complaints_are_kube_apiservers() {
    complaints(
        "- resources: []\n  providers: []\n",
        &[
            "resources[0].resources: Required value: at least one resources[0].resources is required",
            "resources[0].providers: Required value: at least one resources[0].providers is required",
        ],
    );
    complaints(
        &provider("{aesgcm: {keys: [{name: a, secret: YWJj}]}}"),
        &[
            "resources[0].providers[0].aesgcm.keys[0].secret: Invalid value: \"REDACTED\": secret is not of the expected length, got 3, expected one of [16 32]",
        ],
    );
    complaints(
        &provider("{secretbox: {keys: [{secret: '%'}]}}"),
        &[
            "resources[0].providers[0].secretbox.keys[0].name: Required value: name is a mandatory field for a key",
            "resources[0].providers[0].secretbox.keys[0].secret: Invalid value: \"REDACTED\": secrets must be base64 encoded",
        ],
    );
    complaints(
        &provider("{identity: {}, aescbc: {keys: []}}, {}"),
        &[
            "resources[0].providers[0]: Invalid value: \"aescbc identity\": more than one provider specified in a single element, should split into different list elements",
            "resources[0].providers[1]: Invalid value: \"\": provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity",
        ],
    );
    complaints(
        &provider("{kms: {name: 'a:b', endpoint: 'tcp://x', timeout: 0s, cachesize: 3}}"),
        &[
            "resources[0].providers[0].kms.name: Invalid value: \"a:b\": invalid KMS provider name a:b, must not contain ':'",
            "resources[0].providers[0].kms.timeout: Invalid value: \"0s\": timeout should be a positive value",
            "resources[0].providers[0].kms.endpoint: Invalid value: \"tcp://x\": unsupported scheme \"tcp\" for KMS provider, only unix is supported",
            "resources[0].providers[0].kms.cachesize: Invalid value: \"\": cachesize is not supported in v2",
            "resources[0].providers[0].kms.apiVersion: Invalid value: \"v1\": unsupported apiVersion for KMS provider, only v2 is supported",
        ],
    );
    complaints(
        "- resources: [secrets]\n  providers: [{identiti: {}}]\n  provider: 1\n",
        &[
            "unknown field \"resources[0].provider\"",
            "unknown field \"resources[0].providers[0].identiti\"",
            "resources[0].providers[0]: Invalid value: \"\": provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity",
        ],
    );
}

#[test]
fn lists_of_resources_must_make_sense() {
    let list = |names: &str| {
        let text = format!("- resources: [{names}]\n  providers: [{{identity: {{}}}}]\n");
        read(&text).map(|_| ()).unwrap_err().join("; ")
    };
    for (names, expected) in [
        (
            "Secrets",
            "resources[0].resources[0]: Invalid value: \"Secrets\": resource name should not contain capital letters",
        ),
        (
            "'*'",
            "use '*.' to encrypt all the resources from core API group",
        ),
        (
            "secrets.*",
            "encrypting the same resource across groups is not supported",
        ),
        ("events.events.k8s.io", "Use 'events' instead"),
        (
            "deployments.extensions",
            "'extensions' group has been removed",
        ),
        (
            "secrets, secrets",
            "the same resource cannot be specified multiple times",
        ),
        ("secrets, '*.'", "using overlapping resources"),
        ("secrets, '*.*'", "using overlapping resources"),
    ] {
        let found = list(names);
        assert!(found.contains(expected), "{names}: {found}");
    }
    complaints(
        "- resources: ['*.']\n  providers: [{identity: {}}]\n- resources: [secrets]\n  providers: [{identity: {}}]\n",
        &["resource \"secrets\" is masked by earlier rule \"*.\""],
    );
    let fine = "- resources: [events, '*.apps']\n  providers: [{identity: {}}]\n- resources: ['*.*']\n  providers: [{identity: {}}]\n";
    assert_eq!(read(fine).unwrap().rules.len(), 2);
}

#[test]
fn no_complaint_repeats_a_key() {
    let secret = "c3VwZXJzZWNyZXRzdXBlcnNlY3JldA";
    for text in [
        format!("{HEAD}resources: [{{secret: {secret}\n  x: y: {secret}"),
        format!("resources: {secret}"),
        format!(
            "{HEAD}resources:\n{}",
            provider(&format!(
                "{{aesgcm: {{keys: [{{name: a, secret: {secret}}}]}}}}"
            ))
        ),
        format!(
            "{HEAD}resources:\n{}",
            provider(&format!(
                "{{aesgcm: {{keys: [{{name: a, secret: [{secret}]}}]}}}}"
            ))
        ),
        format!(
            "{HEAD}resources:\n{}",
            provider(&format!("{{aesgcm: {{keys: {secret}}}}}"))
        ),
        format!("{secret}: 1"),
        format!("\"{secret}"),
    ] {
        let complaints = parse(&text).unwrap_err().join("; ");
        // A field's name is no key, and has to be told.
        let is_name = text.starts_with(secret);
        assert!(is_name || !complaints.contains(secret), "{complaints}");
    }
}

#[tokio::test]
async fn every_provider_that_a_file_names_works() {
    let text = format!(
        "- resources: [secrets]
  providers:
  - aesgcm: {{keys: [{{name: g, secret: {ZEROS}}}]}}
  - aescbc: {{keys: [{{name: c, secret: {ZEROS}}}]}}
- resources: [configmaps]
  providers: [{{secretbox: {{keys: [{{name: s, secret: {ZEROS}}}]}}}}]
- resources: [secrets]
  providers: [{{identity: {{}}}}]
- resources: ['*.*']
  providers: [{{aescbc: {{keys: [{{name: c, secret: {ZEROS}}}]}}}}]
"
    );
    let seals = Seals::new(build(read(&text).unwrap(), &[]).await.unwrap());
    for (resource, prefix) in [
        ("/secrets", "k8s:enc:aesgcm:v1:g:"),
        ("/configmaps", "k8s:enc:secretbox:v1:s:"),
        ("apps/deployments", "k8s:enc:aescbc:v1:c:"),
    ] {
        let key = Key::new(resource, "ns", "a");
        let stored = seals.seal(&key, &"{}".into()).unwrap();
        assert!(stored.starts_with(prefix.as_bytes()), "{resource}");
        assert_eq!(seals.open(&key, stored).await.unwrap(), "{}");
    }
    let key = Key::new("/secrets", "ns", "a");
    assert_eq!(seals.open(&key, "{}".into()).await.unwrap(), "{}");
}

#[tokio::test]
async fn the_hub_s_own_file_is_private_valid_and_made_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = own::path(directory.path());
    own::ensure(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(&path).unwrap();
    own::ensure(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    let seals = Seals::new(build(parse(&text).unwrap(), &[]).await.unwrap());
    for (resource, sealed) in [
        ("/secrets", true),
        ("types.kubefed.io/federatedsecrets", true),
        ("/configmaps", false),
    ] {
        let key = Key::new(resource, "ns", "a");
        let stored = seals.seal(&key, &"{}".into()).unwrap();
        assert_eq!(stored.starts_with(b"k8s:enc:aesgcm:v1:local-"), sealed);
    }
}

#[tokio::test]
async fn no_second_key_is_made_for_a_database_that_others_use() {
    let directory = tempfile::tempdir().unwrap();
    let refused = Encryption::own(directory.path(), true).await.unwrap_err();
    assert!(matches!(refused, EncryptionError::Shared { .. }));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    Encryption::own(directory.path(), false).await.unwrap();
    Encryption::own(directory.path(), true).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_changed_file_counts_only_if_it_can_be_used() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("encryption.yaml");
    let write = |provider_text: &str| {
        let text = format!("{HEAD}resources:\n{}", provider(provider_text));
        std::fs::write(&path, text).unwrap();
    };
    let keys = |name: &str| format!("{{aesgcm: {{keys: [{{name: {name}, secret: {ZEROS}}}]}}}}");
    write(&keys("one"));
    let encryption = Arc::new(Encryption::from_file(&path, true).await.unwrap());
    let seals = encryption.seals();
    let sealed_with = |name: &str| {
        let stored = seals
            .seal(&Key::new("/secrets", "", "a"), &"{}".into())
            .unwrap();
        stored.starts_with(format!("k8s:enc:aesgcm:v1:{name}:").as_bytes())
    };
    let wait = || tokio::time::sleep(std::time::Duration::from_secs(5));
    write(&keys("two"));
    wait().await;
    assert!(sealed_with("two") && encryption.trouble().is_none());
    write("{aesgcm: {keys: []}}");
    wait().await;
    let told = encryption.trouble().unwrap();
    assert!(
        told.contains("resources[0].providers[0].aesgcm.keys"),
        "{told}"
    );
    write("{kms: {apiVersion: v2, name: away, endpoint: 'unix:///nonexistent/kms.sock'}}");
    wait().await;
    let told = encryption.trouble().unwrap();
    assert!(told.contains("\"away\" is not ready"), "{told}");
    std::fs::remove_file(&path).unwrap();
    wait().await;
    assert!(sealed_with("two") && encryption.trouble().is_some());
    write(&keys("three"));
    wait().await;
    assert!(sealed_with("three") && encryption.trouble().is_none());
}
