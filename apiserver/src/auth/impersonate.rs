//! `Impersonate-*` headers: acting as somebody else.

use std::collections::BTreeMap;

use http::HeaderMap;

use super::authorize::{Action, Authorizer, Decision, ResourceAttributes};
use crate::http::decode;
use crate::request::UserInfo;
use crate::status::ApiError;

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const EXTRA: &str = "impersonate-extra-";

/// The user that a request wants to act as, if any. Pure.
///
/// As upstream: groups `system:authenticated` and those of a service account are added, and naming groups, a uid or
/// extras without a user is an error.
///
/// # Errors
/// 500 as upstream when there is no user to go with the rest; 400 when a header is not text.
fn wanted(headers: &HeaderMap) -> Result<Option<UserInfo>, ApiError> {
    let mut user = UserInfo::default();
    let mut others = false;
    for (header, value) in headers {
        let text = || {
            value.to_str().map(str::to_owned).map_err(|_| {
                ApiError::bad_request(format!("header {header} must be printable ASCII"))
            })
        };
        match header.as_str() {
            USER => user.name = text()?,
            GROUP => {
                others = true;
                user.groups.push(text()?);
            }
            UID => {
                others = true;
                user.uid = text()?;
            }
            other => {
                if let Some(key) = other.strip_prefix(EXTRA) {
                    others = true;
                    let key = decode(key, false).unwrap_or_else(|| key.to_owned());
                    user.extra.entry(key).or_default().push(text()?);
                }
            }
        }
    }
    if user.name.is_empty() {
        return if others {
            Err(ApiError::internal(
                "requested impersonation of groups, uid or extra without impersonating a user",
            ))
        } else {
            Ok(None)
        };
    }
    Ok(Some(user))
}

/// Every right that acting as `user` takes, one by one.
fn rights(user: &UserInfo) -> Vec<Action> {
    let mut rights = Vec::new();
    let mut right = |resource: &str, subresource: &str, namespace: &str, name: &str| {
        rights.push(Action::Resource(ResourceAttributes {
            verb: "impersonate".to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            group: if matches!(resource, "uids" | "userextras") {
                "authentication.k8s.io".to_owned()
            } else {
                String::new()
            },
            version: "v1".to_owned(),
        }));
    };
    match service_account(&user.name) {
        Some((namespace, name)) => right("serviceaccounts", "", namespace, name),
        None => right("users", "", "", &user.name),
    }
    for group in &user.groups {
        right("groups", "", "", group);
    }
    if !user.uid.is_empty() {
        right("uids", "", "", &user.uid);
    }
    for (key, values) in &user.extra {
        for value in values {
            right("userextras", key, "", value);
        }
    }
    rights
}

fn service_account(user: &str) -> Option<(&str, &str)> {
    user.strip_prefix("system:serviceaccount:")?.split_once(':')
}

/// The user whom the request is to be handled as: `user`, or the one that its headers name if `user` may act as them.
///
/// # Errors
/// 403 if not; see [`wanted`] for headers that make no sense.
pub(crate) async fn resolve(
    user: UserInfo,
    headers: &HeaderMap,
    authorizer: &dyn Authorizer,
) -> Result<UserInfo, ApiError> {
    let Some(mut wanted) = wanted(headers)? else {
        return Ok(user);
    };
    for right in rights(&wanted) {
        if let Decision::Deny(why) = authorizer.authorize(&user, &right).await? {
            return Err(right.forbidden(&user, &why));
        }
    }
    add_groups(&mut wanted);
    Ok(wanted)
}

fn add_groups(user: &mut UserInfo) {
    if user.groups.is_empty()
        && let Some((namespace, _)) = service_account(&user.name)
    {
        user.groups = vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
        ];
    }
    let group = if user.name == "system:anonymous" {
        "system:unauthenticated"
    } else {
        "system:authenticated"
    };
    if !user.groups.iter().any(|g| g == group) {
        user.groups.push(group.to_owned());
    }
}

/// Removes the headers, so that nothing behind the front acts on them again.
pub(crate) fn strip(headers: &mut HeaderMap) {
    let names: BTreeMap<String, ()> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("impersonate-"))
        .map(|name| (name.as_str().to_owned(), ()))
        .collect();
    for name in names.keys() {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::AlwaysAllow;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    async fn acting_as(pairs: &[(&'static str, &'static str)]) -> Result<UserInfo, ApiError> {
        resolve(UserInfo::internal("root"), &headers(pairs), &AlwaysAllow).await
    }

    #[tokio::test]
    async fn headers_name_the_user_to_act_as() {
        assert_eq!(acting_as(&[]).await.unwrap().name, "root");
        let user = acting_as(&[
            (USER, "alice"),
            (GROUP, "dev"),
            (GROUP, "ops"),
            ("impersonate-extra-acme.com%2fproject", "p1"),
        ])
        .await
        .unwrap();
        assert_eq!(user.name, "alice");
        assert_eq!(user.groups, ["dev", "ops", "system:authenticated"]);
        assert_eq!(user.extra["acme.com/project"], ["p1"]);
        let robot = acting_as(&[(USER, "system:serviceaccount:ns:sa")])
            .await
            .unwrap();
        assert_eq!(robot.groups[1], "system:serviceaccounts:ns");
        assert_eq!(acting_as(&[(GROUP, "dev")]).await.unwrap_err().code, 500);
    }

    #[test]
    fn every_attribute_is_a_right_of_its_own() {
        let user = wanted(&headers(&[(USER, "a"), (GROUP, "g"), (UID, "1")]))
            .unwrap()
            .unwrap();
        let resources: Vec<String> = rights(&user)
            .into_iter()
            .map(|action| match action {
                Action::Resource(r) => r.resource,
                Action::Path { path, .. } => path,
            })
            .collect();
        assert_eq!(resources, ["users", "groups", "uids"]);
    }

    #[test]
    fn headers_can_be_stripped() {
        let mut map = headers(&[(USER, "a"), (GROUP, "g"), (GROUP, "h"), ("accept", "x")]);
        strip(&mut map);
        assert_eq!(map.len(), 1);
    }
}
