//! Whom a request is made as in the member. Pure.
//!
//! A person is the same person everywhere: name, groups, uid and extras go over as they are. What begins with `system:`
//! does not: those names are given by each API server to its own parts. A hub's ServiceAccount `monitoring/scraper` is not
//! the member's `monitoring/scraper`, who may well be mightier. Such names get the prefix [`HUB`], under which a member's
//! owner can grant them something. Extras under `authentication.kubernetes.io/` tell of the hub's tokens and stay here.
//!
//! Two groups are the exception: `system:authenticated` is left out because the member adds it by itself, and
//! `system:masters` stays: who is an administrator of the hub can read every member's credentials anyway. Members may
//! refuse it by not granting the hub's account to impersonate that group.

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use apiserver::request::UserInfo;

/// Stands before names that mean something to the hub only.
pub(super) const HUB: &str = "hub:";
const SYSTEM: &str = "system:";
/// Extras that an API server gives itself: which token or certificate it was shown, from which Pod.
const HUB_EXTRAS: &str = "authentication.kubernetes.io/";
const MASTERS: &str = "system:masters";
const AUTHENTICATED: &str = "system:authenticated";
const ANONYMOUS: &str = "system:anonymous";
const UNAUTHENTICATED: &str = "system:unauthenticated";

/// What must be escaped in the name of an `Impersonate-Extra-…` header: all that no header's name may hold.
const KEY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'%')
    .add(b'(')
    .add(b')')
    .add(b',')
    .add(b'/')
    .add(b':')
    .add(b';')
    .add(b'<')
    .add(b'=')
    .add(b'>')
    .add(b'?')
    .add(b'@')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'{')
    .add(b'}');

/// Why nobody can be impersonated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum IdentityError {
    /// The caller is nobody.
    #[error("a member is reached as somebody: anonymous requests are not passed on")]
    Anonymous,
    /// The caller's attributes cannot stand in headers.
    #[error("the user's {0} cannot be written in a header")]
    NotAHeader(&'static str),
}

/// The headers that make a request the caller's in the member.
///
/// # Errors
/// See [`IdentityError`].
pub(super) fn impersonation(user: &UserInfo) -> Result<HeaderMap, IdentityError> {
    if user.name.is_empty()
        || user.name == ANONYMOUS
        || user.groups.iter().any(|g| g == UNAUTHENTICATED)
    {
        return Err(IdentityError::Anonymous);
    }
    let mut headers = HeaderMap::new();
    headers.insert("impersonate-user", value(&local(&user.name), "name")?);
    for group in user.groups.iter().filter(|group| *group != AUTHENTICATED) {
        let group = if group == MASTERS {
            group.clone()
        } else {
            local(group)
        };
        headers.append("impersonate-group", value(&group, "groups")?);
    }
    if !user.uid.is_empty() {
        headers.insert("impersonate-uid", value(&user.uid, "uid")?);
    }
    for (key, values) in user
        .extra
        .iter()
        .filter(|(key, _)| !key.starts_with(HUB_EXTRAS))
    {
        let name = format!("impersonate-extra-{}", utf8_percent_encode(key, KEY));
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| IdentityError::NotAHeader("extra"))?;
        for text in values {
            headers.append(name.clone(), value(text, "extra")?);
        }
    }
    Ok(headers)
}

/// A name as it is called in members.
fn local(name: &str) -> String {
    if name.starts_with(SYSTEM) {
        format!("{HUB}{name}")
    } else {
        name.to_owned()
    }
}

fn value(text: &str, what: &'static str) -> Result<HeaderValue, IdentityError> {
    HeaderValue::from_str(text).map_err(|_| IdentityError::NotAHeader(what))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn user(name: &str, groups: &[&str]) -> UserInfo {
        UserInfo {
            name: name.to_owned(),
            groups: groups.iter().map(|g| (*g).to_owned()).collect(),
            ..UserInfo::default()
        }
    }

    fn shown(user: &UserInfo) -> Vec<String> {
        let headers = impersonation(user).unwrap();
        let mut lines: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}={}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn a_person_goes_over_whole() {
        let mut alice = user("alice", &["dev", "system:authenticated"]);
        alice.uid = "u-1".to_owned();
        alice.extra = BTreeMap::from([(
            "acme.com/Project".to_owned(),
            vec!["p1".to_owned(), "p2".to_owned()],
        )]);
        assert_eq!(
            shown(&alice),
            [
                "impersonate-extra-acme.com%2fproject=p1",
                "impersonate-extra-acme.com%2fproject=p2",
                "impersonate-group=dev",
                "impersonate-uid=u-1",
                "impersonate-user=alice",
            ]
        );
    }

    #[test]
    fn names_that_the_hub_gives_are_not_the_members() {
        let robot = user(
            "system:serviceaccount:monitoring:scraper",
            &[
                "system:serviceaccounts",
                "system:serviceaccounts:monitoring",
                "system:authenticated",
            ],
        );
        assert_eq!(
            shown(&robot),
            [
                "impersonate-group=hub:system:serviceaccounts",
                "impersonate-group=hub:system:serviceaccounts:monitoring",
                "impersonate-user=hub:system:serviceaccount:monitoring:scraper",
            ]
        );
        let admin = user(
            "kubernetes-admin",
            &["system:masters", "system:authenticated"],
        );
        assert_eq!(
            shown(&admin),
            [
                "impersonate-group=system:masters",
                "impersonate-user=kubernetes-admin"
            ]
        );
    }

    #[test]
    fn nobody_and_nonsense_are_refused() {
        for nobody in [
            UserInfo::anonymous(),
            user("", &[]),
            user("x", &["system:unauthenticated"]),
        ] {
            assert_eq!(impersonation(&nobody), Err(IdentityError::Anonymous));
        }
        assert_eq!(
            impersonation(&user("a\r\nImpersonate-Group: system:masters", &[])),
            Err(IdentityError::NotAHeader("name"))
        );
    }
}
