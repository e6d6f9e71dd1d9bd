//! Manifests as files have them and as charts render them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::tools::{repository, skip};
use crate::upstream::upstream_program;

/// The objects of a file of many YAML documents, in its order.
///
/// # Panics
/// A document is not YAML.
#[must_use]
pub fn documents(text: &str) -> Vec<Value> {
    format!("\n{text}")
        .split("\n---\n")
        .filter(|document| {
            let mut lines = document.lines();
            lines.any(|line| !line.trim().is_empty() && !line.starts_with('#'))
        })
        .map(|document| {
            serde_saphyr::from_str(document).unwrap_or_else(|e| panic!("{e}: {document}"))
        })
        .collect()
}

/// Objects by kind and name, without what only helm reads.
///
/// # Panics
/// One has no metadata.
#[must_use]
pub fn by_name(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let named = |mut object: Value| {
        let metadata = object["metadata"].as_object_mut().expect("metadata");
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
            annotations.remove("helm.sh/resource-policy");
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
        (
            format!("{} {}", object["kind"], object["metadata"]["name"]),
            object,
        )
    };
    objects.into_iter().map(named).collect()
}

/// What a chart renders must be, object by object, what a generated manifest of the repository holds.
///
/// # Panics
/// It is not, or helm refuses.
pub fn chart_is_manifest(helm: &Helm, template: &[&str], manifest: &str) {
    let rendered = helm.run(&[&["template"], template].concat());
    let manifest = std::fs::read_to_string(repository().join(manifest)).expect("a manifest");
    let (chart, manifest) = (by_name(documents(&rendered)), by_name(documents(&manifest)));
    let names = |all: &BTreeMap<String, Value>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&chart), names(&manifest));
    for (name, object) in &manifest {
        assert_eq!(&chart[name], object, "{name}");
    }
}

/// helm in the root of the repository, with a home of its own.
#[derive(Debug)]
pub struct Helm {
    program: std::path::PathBuf,
    home: tempfile::TempDir,
    kubeconfig: Option<std::path::PathBuf>,
}

impl Helm {
    /// Finds helm. `None`: it was not built, and the test is to be skipped.
    ///
    /// # Panics
    /// There is no place for temporary files.
    #[must_use]
    pub fn find() -> Option<Self> {
        let Some(program) = upstream_program("helm") else {
            skip("helm is missing: cargo xtask upstream");
            return None;
        };
        Some(Self {
            program,
            home: tempfile::tempdir().expect("a temporary directory"),
            kubeconfig: None,
        })
    }

    /// Towards a cluster.
    #[must_use]
    pub fn towards(self, kubeconfig: &Path) -> Self {
        Self {
            kubeconfig: Some(kubeconfig.to_owned()),
            ..self
        }
    }

    /// Runs it; it must succeed. Returns what it printed.
    ///
    /// # Panics
    /// It did not.
    pub fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(&self.program);
        command.current_dir(repository()).args(arguments);
        for variable in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(variable, self.home.path());
        }
        if let Some(kubeconfig) = &self.kubeconfig {
            command.env("KUBECONFIG", kubeconfig);
        }
        let output = command.output().expect("helm starts");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {complaint}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}
