//! Kubeconfig files: how clients find a server and prove who they are.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::certificates::Identity;
use super::files;

/// How the user of a kubeconfig proves who they are.
#[derive(Clone, Debug)]
pub enum Credential {
    /// By client certificate.
    Certificate(Identity),
    /// By bearer token.
    Token(Token),
}

/// A bearer token, hidden in `Debug`.
#[derive(Clone)]
pub struct Token(pub String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(<secret>)")
    }
}

/// A kubeconfig with one cluster, one user and one context.
#[derive(Clone, Debug)]
pub struct Kubeconfig {
    /// Name of the cluster and of the context.
    pub cluster: String,
    /// Name of the user entry.
    pub user: String,
    /// URL of the server, such as `https://127.0.0.1:6443`.
    pub server: String,
    /// The CA that the server's certificate is from, PEM.
    pub ca_pem: String,
    /// Who the user is.
    pub credential: Credential,
}

impl Kubeconfig {
    /// The file as YAML. It holds a secret.
    pub fn to_yaml(&self) -> String {
        let user = match &self.credential {
            Credential::Certificate(identity) => json!({
                "client-certificate-data": STANDARD.encode(&identity.certificate_pem),
                "client-key-data": STANDARD.encode(&identity.key_pem),
            }),
            Credential::Token(token) => json!({ "token": token.0 }),
        };
        let document = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{
                "name": self.cluster,
                "cluster": {
                    "server": self.server,
                    "certificate-authority-data": STANDARD.encode(&self.ca_pem),
                },
            }],
            "users": [{ "name": self.user, "user": user }],
            "contexts": [{
                "name": self.cluster,
                "context": { "cluster": self.cluster, "user": self.user },
            }],
            "current-context": self.cluster,
        });
        // JSON is YAML too: what every client reads, should the YAML writer ever refuse.
        serde_saphyr::to_string(&document).unwrap_or_else(|_| document.to_string())
    }

    /// Writes the file, readable by its owner only, replacing what was there.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            files::private_directory(parent)?;
        }
        files::write_private(path, self.to_yaml().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_reads_back_and_hides_its_secret_in_debug() {
        let kubeconfig = Kubeconfig {
            cluster: "hub".to_owned(),
            user: "admin".to_owned(),
            server: "https://127.0.0.1:6443".to_owned(),
            ca_pem: "CA\n".to_owned(),
            credential: Credential::Token(Token("t0p".to_owned())),
        };
        assert!(!format!("{kubeconfig:?}").contains("t0p"));
        let read: serde_json::Value = serde_saphyr::from_str(&kubeconfig.to_yaml()).unwrap();
        assert_eq!(read["current-context"], "hub");
        assert_eq!(read["users"][0]["user"]["token"], "t0p");
        assert_eq!(
            read["clusters"][0]["cluster"]["certificate-authority-data"],
            "Q0EK"
        );
    }
}
