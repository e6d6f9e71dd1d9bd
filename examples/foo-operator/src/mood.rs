//! The operator's one decision.

use crate::{Foo, FooStatus};

/// The status to write, or `None` when the Foo has it already.
///
/// A Foo that has no status yet gets one, happy or not, so that one can tell "not happy" from "not yet observed".
#[must_use]
pub fn mood_change(foo: &Foo, friend_exists: bool) -> Option<FooStatus> {
    let mood = FooStatus {
        happy: friend_exists,
    };
    (foo.status.as_ref() != Some(&mood)).then_some(mood)
}

/// Whether the coming or going of a Pod with this name and namespace concerns the Foo.
pub(crate) fn is_friend(foo: &Foo, pod_name: Option<&str>, pod_namespace: Option<&str>) -> bool {
    pod_name == Some(&foo.spec.name) && pod_namespace == foo.metadata.namespace.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FooSpec;

    fn foo(friend: &str, happy: Option<bool>) -> Foo {
        let mut foo = Foo::new(
            "foo-01",
            FooSpec {
                name: friend.to_owned(),
            },
        );
        foo.metadata.namespace = Some("bank-prod".to_owned());
        foo.status = happy.map(|happy| FooStatus { happy });
        foo
    }

    #[test]
    fn only_a_changed_mood_is_written() {
        let cases = [
            (None, false, Some(false)),
            (None, true, Some(true)),
            (Some(false), false, None),
            (Some(true), true, None),
            (Some(false), true, Some(true)),
            (Some(true), false, Some(false)),
        ];
        for (before, friend_exists, expected) in cases {
            let change =
                mood_change(&foo("jack", before), friend_exists).map(|status| status.happy);
            assert_eq!(
                change, expected,
                "{before:?}, friend exists: {friend_exists}"
            );
        }
    }

    #[test]
    fn friends_live_in_the_same_namespace() {
        let foo = foo("jack", None);
        assert!(is_friend(&foo, Some("jack"), Some("bank-prod")));
        assert!(!is_friend(&foo, Some("jack"), Some("default")));
        assert!(!is_friend(&foo, Some("joe"), Some("bank-prod")));
        assert!(!is_friend(&foo, None, Some("bank-prod")));
    }
}
