//! Where the upstream programs are.

use std::env;
use std::path::{Path, PathBuf};

use crate::network::Side;
use crate::tools::{find_kubectl, skip, target_folder};

/// The upstream programs of a run.
#[derive(Clone, Debug)]
pub struct Programs {
    /// etcd.
    pub etcd: PathBuf,
    /// kube-apiserver.
    pub kube_apiserver: PathBuf,
    /// kube-controller-manager, where it was asked for.
    pub kube_controller_manager: Option<PathBuf>,
    /// kubectl.
    pub kubectl: PathBuf,
}

impl Programs {
    /// Finds the programs. Each is looked for in `KUBEBUILDER_ASSETS` (ready-made ones, as controller-runtime's envtest takes them),
    /// then in `KOINON_UPSTREAM_BIN`, where `cargo xtask test` puts those that it built, then in `upstream/bin` of the target folder
    /// that this test was built into, where `cargo xtask upstream` puts them.
    ///
    /// `None` means that something is missing and the test must return at once; the skip log then says what.
    ///
    /// # Panics
    /// Something is missing and `KOINON_REQUIRE_TOOLS` is `1`.
    #[must_use]
    pub fn find(controllers: bool) -> Option<Self> {
        Some(Self {
            etcd: required("etcd")?,
            kube_apiserver: required("kube-apiserver")?,
            kube_controller_manager: match controllers {
                true => Some(required("kube-controller-manager")?),
                false => None,
            },
            kubectl: match find_kubectl().or_else(|| upstream_program("kubectl")) {
                Some(kubectl) => kubectl,
                None => {
                    skip("kubectl is missing");
                    return None;
                }
            },
        })
    }

    /// The same programs, each inside of a network namespace.
    #[must_use]
    pub fn inside(&self, side: &Side) -> Self {
        let wrap = |program: &Path, name: &str| side.wrap(program, &format!("upstream/{name}"));
        let controllers = self.kube_controller_manager.as_deref();
        Self {
            etcd: wrap(&self.etcd, "etcd"),
            kube_apiserver: wrap(&self.kube_apiserver, "kube-apiserver"),
            kube_controller_manager: controllers.map(|it| wrap(it, "kube-controller-manager")),
            kubectl: wrap(&self.kubectl, "kubectl"),
        }
    }
}

/// A program that `cargo xtask upstream` builds, such as `helm`; `None` if it was not.
#[must_use]
pub fn upstream_program(name: &str) -> Option<PathBuf> {
    let told = |variable: &str| env::var_os(variable).map(PathBuf::from);
    let built = target_folder().map(|folder| folder.join("upstream/bin"));
    [
        told("KUBEBUILDER_ASSETS"),
        told("KOINON_UPSTREAM_BIN"),
        built,
    ]
    .into_iter()
    .flatten()
    .map(|folder: PathBuf| folder.join(name))
    .find(|candidate: &PathBuf| Path::is_file(candidate))
}

fn required(name: &str) -> Option<PathBuf> {
    let found = upstream_program(name);
    if found.is_none() {
        skip(&format!("{name} is missing: cargo xtask upstream"));
    }
    found
}
