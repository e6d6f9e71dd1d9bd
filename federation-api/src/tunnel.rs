//! The words of the reverse tunnel: objects of the hub by which hub, controller, fedctl and agents find each other.
//!
//! All of them lie in the system namespace. Paths are below the hub's API.

/// Name of the Secret (type [`CA_SECRET_TYPE`], keys [`CERTIFICATE_KEY`] and [`PRIVATE_KEY_KEY`]) that holds the tunnel's certificate
/// authority. The first hub process makes it, the others read it: whatever it signs may serve as some cluster.
pub const CA_SECRET: &str = "koinon-tunnel-ca";
/// Type of [`CA_SECRET`].
pub const CA_SECRET_TYPE: &str = "kubernetes.io/tls";
/// Key of the certificate in [`CA_SECRET`], PEM.
pub const CERTIFICATE_KEY: &str = "tls.crt";
/// Key of the private key in [`CA_SECRET`], PEM.
pub const PRIVATE_KEY_KEY: &str = "tls.key";

/// Name of the ConfigMap in which the hub says how agents reach it: [`HUB_KEY`], [`CA_KEY`], [`CA_HASH_KEY`].
pub const CONFIG_MAP: &str = "koinon-tunnel";
/// Addresses of the hub's tunnel endpoints, `host:port`, one per line. The same name as `proxy-agent --bootstrap-dir` looks for.
pub const HUB_KEY: &str = "hub";
/// The tunnel's certificate authority, PEM.
pub const CA_KEY: &str = "ca.crt";
/// Hash of that authority's public key, `sha256:<hex>`, which fits on a command line.
pub const CA_HASH_KEY: &str = "ca-hash";
/// Key of the bootstrap token in what an agent is handed.
pub const TOKEN_KEY: &str = "token";

/// What a bootstrap token's Secret is called, before the token's id.
pub const BOOTSTRAP_PREFIX: &str = "koinon-bootstrap-";
/// Type of a bootstrap token's Secret: never the token itself, only what recognises it.
pub const BOOTSTRAP_TYPE: &str = "koinon.io/bootstrap-token";
/// Key: SHA-256 of the whole token in hexadecimal digits.
pub const BOOTSTRAP_DIGEST: &str = "digest";
/// Key: name of the one cluster that the token is for.
pub const BOOTSTRAP_CLUSTER: &str = "cluster";
/// Key: uid of that cluster.
pub const BOOTSTRAP_UID: &str = "uid";
/// Key: from when on it is worth nothing, RFC 3339.
pub const BOOTSTRAP_EXPIRES: &str = "expires";
/// Key: hash of the key that has used the token, in hexadecimal digits. Absent while it is free.
pub const BOOTSTRAP_USED_BY: &str = "used-by";

/// What the Lease of one of several processes of the hub is called, before the process's name.
pub const PEER_LEASE_PREFIX: &str = "koinon-hub-";
/// On such a Lease: where the other processes reach the tunnel of this one, `host:port`.
pub const PEER_ADDRESS: &str = "koinon.io/tunnel-peer-address";

/// On a `KubeFedCluster`: agents' certificates with these serial numbers (hexadecimal digits, comma-separated) are worth nothing any more.
pub const REVOKED_SERIALS: &str = "koinon.io/revoked-certificates";
/// On a `KubeFedCluster`: agents' certificates that were issued before this moment (RFC 3339) are worth nothing any more.
pub const REVOKED_BEFORE: &str = "koinon.io/revoke-certificates-before";

/// On the Secret of a `KubeFedCluster`, value `true`: its agent handed it in, and may replace it. Without it, what an agent hands in is not
/// taken: somebody has chosen the account.
pub const HANDED_IN: &str = "koinon.io/handed-in-by-agent";

/// Resource below `koinon.io/v1alpha1` that shows which clusters have a tunnel.
pub const TUNNELS: &str = "tunnels";
/// Subresource of [`TUNNELS`]: `create` opens a connection to the cluster's API server, as an upgrade to [`DIAL_PROTOCOL`].
pub const DIAL: &str = "dial";
/// Where the tunnels are: `<this>/{cluster}/dial` opens a connection, `<this>?watch=true` follows them.
pub const TUNNELS_PATH: &str = "/apis/koinon.io/v1alpha1/tunnels";
/// What a connection to a cluster's API server is upgraded to: bytes both ways, on which the client speaks TLS with the API server.
pub const DIAL_PROTOCOL: &str = "koinon-dial";

/// The API server of a tunnelled cluster as its own Pods know it: what agents let the hub connect to, unless told otherwise.
pub const API_ENDPOINT: &str = "https://kubernetes.default.svc:443";
