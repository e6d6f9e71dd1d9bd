//! The order of API versions (`k8s.io/apimachinery/pkg/version.CompareKubeAwareVersionStrings`).

use std::cmp::{Ordering, Reverse};

/// Stability first, then the numbers; what is no Kubernetes version comes last, by name.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Rank<'a> {
    Known(Reverse<u8>, Reverse<u64>, Reverse<u64>),
    Other(&'a str),
}

fn rank(version: &str) -> Rank<'_> {
    parse(version).map_or(Rank::Other(version), |(stability, major, minor)| {
        Rank::Known(Reverse(stability), Reverse(major), Reverse(minor))
    })
}

/// `v2beta3` as (1, 2, 3); stable versions have stability 2, alphas 0.
fn parse(version: &str) -> Option<(u8, u64, u64)> {
    let rest = version.strip_prefix('v')?;
    let split = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (major, suffix) = rest.split_at(split);
    let number = |digits: &str| -> Option<u64> {
        (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
            .then(|| digits.parse().ok())?
    };
    let major = number(major)?;
    if suffix.is_empty() {
        return Some((2, major, 0));
    }
    if let Some(minor) = suffix.strip_prefix("beta") {
        return Some((1, major, number(minor)?));
    }
    Some((0, major, number(suffix.strip_prefix("alpha")?)?))
}

/// Best version first: `v2`, `v1`, `v1beta2`, `v1beta1`, `v1alpha1`, `foo`.
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    rank(a).cmp(&rank(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_best_first() {
        let mut all = [
            "foo10",
            "v1alpha1",
            "v10",
            "v1",
            "v12alpha1",
            "v3beta1",
            "v11alpha2",
            "v2",
            "foo1",
            "v11beta2",
            "v",
        ];
        all.sort_by(|a, b| compare_versions(a, b));
        assert_eq!(
            all,
            [
                "v10",
                "v2",
                "v1",
                "v11beta2",
                "v3beta1",
                "v12alpha1",
                "v11alpha2",
                "v1alpha1",
                "foo1",
                "foo10",
                "v"
            ]
        );
    }
}
