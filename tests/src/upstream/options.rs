//! What a control plane is started with.

/// How a control plane differs from the plainest one.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Runs kube-controller-manager too: service accounts and their tokens, Deployments, garbage collection, namespaces that end.
    /// Without it the admission plugin ServiceAccount is off, because nobody would make the accounts that it asks for.
    pub controllers: bool,
    /// More flags for kube-apiserver; they come last, so they win.
    pub extra_apiserver_args: Vec<String>,
    /// More flags for kube-controller-manager; they come last, so they win.
    pub extra_controller_args: Vec<String>,
}

impl Options {
    /// With kube-controller-manager, and otherwise plain: what a member or the host of the add-on form is.
    #[must_use]
    pub fn with_controllers() -> Self {
        Self {
            controllers: true,
            ..Self::default()
        }
    }
}
