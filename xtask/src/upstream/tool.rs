//! The table of tools.

/// A program that Go builds.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// The name of the program.
    pub name: &'static str,
    /// The Go module that pins it, relative to the root.
    pub module: &'static str,
    /// The package of its `main`.
    pub package: &'static str,
    /// The module whose version the program reports as its own, and the variable that holds it.
    pub version: Option<(&'static str, &'static str)>,
    /// Whether tests run it; if not, it is for benches, and a run of the tests does not build it.
    pub for_tests: bool,
}

const KUBERNETES: &str = "tests/upstream/kubernetes";
const KUBERNETES_VERSION: Option<(&str, &str)> = Some((
    "k8s.io/kubernetes",
    "k8s.io/component-base/version.gitVersion",
));

const KONNECTIVITY: &str = "tests/upstream/konnectivity";

/// Every tool, in the order in which they are built.
pub const TOOLS: &[Tool] = &[
    Tool {
        name: "kubectl",
        module: KUBERNETES,
        package: "k8s.io/kubernetes/cmd/kubectl",
        version: KUBERNETES_VERSION,
        for_tests: true,
    },
    Tool {
        name: "kube-apiserver",
        module: KUBERNETES,
        package: "k8s.io/kubernetes/cmd/kube-apiserver",
        version: KUBERNETES_VERSION,
        for_tests: true,
    },
    Tool {
        name: "kube-controller-manager",
        module: KUBERNETES,
        package: "k8s.io/kubernetes/cmd/kube-controller-manager",
        version: KUBERNETES_VERSION,
        for_tests: true,
    },
    Tool {
        name: "etcd",
        module: "tests/upstream/etcd",
        package: "go.etcd.io/etcd/server/v3",
        version: None,
        for_tests: true,
    },
    Tool {
        name: "helm",
        module: "tests/upstream/helm",
        package: "helm.sh/helm/v4/cmd/helm",
        version: Some((
            "helm.sh/helm/v4",
            "helm.sh/helm/v4/internal/version.version",
        )),
        for_tests: true,
    },
    Tool {
        name: "konnectivity-server",
        module: KONNECTIVITY,
        package: "sigs.k8s.io/apiserver-network-proxy/cmd/server",
        version: None,
        for_tests: true,
    },
    Tool {
        name: "konnectivity-agent",
        module: KONNECTIVITY,
        package: "sigs.k8s.io/apiserver-network-proxy/cmd/agent",
        version: None,
        for_tests: true,
    },
    Tool {
        name: "konnectivity-test-client",
        module: KONNECTIVITY,
        package: "sigs.k8s.io/apiserver-network-proxy/cmd/test-client",
        version: None,
        for_tests: true,
    },
    Tool {
        name: "stub-kubelet",
        module: "tests/upstream/stubkubelet",
        package: "koinon.test/upstream/stubkubelet",
        version: None,
        for_tests: true,
    },
    Tool {
        name: "kine",
        module: "tests/upstream/kine",
        package: "github.com/k3s-io/kine",
        version: None,
        for_tests: false,
    },
];
