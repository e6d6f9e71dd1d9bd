//! The name under which a value is sealed.

use crate::Key;

/// What is authenticated with a value, so that what was stored for one object cannot pass for another's: the path under which
/// kube-apiserver keeps such an object in etcd, `/registry/secrets/<namespace>/<name>` or
/// `/registry/<group>/<plural>/[<namespace>/]<name>`. Neither part can contain a slash, so no two objects have the same.
pub(super) fn storage_path(key: &Key) -> Vec<u8> {
    let resource = key.resource.trim_start_matches('/');
    let mut path = String::with_capacity(
        "/registry///".len() + resource.len() + key.namespace.len() + key.name.len(),
    );
    path.push_str("/registry/");
    path.push_str(resource);
    for part in [&key.namespace, &key.name] {
        if !part.is_empty() {
            path.push('/');
            path.push_str(part);
        }
    }
    path.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_kube_apiserver() {
        for (key, path) in [
            (Key::new("/secrets", "a", "b"), "/registry/secrets/a/b"),
            (Key::new("/namespaces", "", "b"), "/registry/namespaces/b"),
            (Key::new("g.io/foos", "a", "b"), "/registry/g.io/foos/a/b"),
            (Key::new("g.io/foos", "", "b"), "/registry/g.io/foos/b"),
        ] {
            assert_eq!(storage_path(&key), path.as_bytes());
        }
    }
}
