//! Get and list: revisions, pages, selectors, and upstream's words for what is wrong with them.

use apiserver_store::Revision;

use super::World;

/// Five pods: `a/1` to `a/4` with `x` alternating, then `b/1`.
async fn five() -> World {
    let mut world = World::new().await;
    for (name, x) in [("1", "p"), ("2", "q"), ("3", "p"), ("4", "q")] {
        world.put("a", name, x, "Running").await;
    }
    world.put("b", "1", "p", "Pending").await;
    world
}

#[tokio::test]
async fn bad_combinations_are_refused_as_upstream_does() {
    const OPTIONS: &str = "ListOptions.meta.k8s.io \"\" is invalid: ";
    let world = five().await;
    let token = world.list("a", "limit=1").await.unwrap().token;
    let cases = [
        (
            "resourceVersionMatch=Exact",
            422,
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
        (
            "resourceVersionMatch=Exact&resourceVersion=0",
            422,
            "resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
        ),
        (
            "resourceVersionMatch=Best&resourceVersion=1",
            422,
            "resourceVersionMatch: Unsupported value: \"Best\": supported values: \"Exact\", \"NotOlderThan\", \"\"",
        ),
        (
            "resourceVersionMatch=NotOlderThan&resourceVersion=1&continue=TOKEN",
            422,
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided",
        ),
        (
            "sendInitialEvents=true",
            422,
            "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list",
        ),
        (
            "resourceVersion=x",
            400,
            "invalid resource version: resourceVersion: Invalid value: \"x\": strconv.ParseUint: parsing \"x\": invalid syntax",
        ),
        (
            "resourceVersion=1&continue=TOKEN",
            400,
            "specifying resource version is not allowed when using continue",
        ),
        (
            "continue=e30",
            400,
            "invalid continue token: continue key is not valid: server does not recognize this encoded version ",
        ),
        (
            "limit=x",
            400,
            "strconv.ParseInt: parsing \"x\": invalid syntax",
        ),
        (
            "labelSelector=a,,",
            400,
            "found ',', expected: identifier after ','",
        ),
        (
            "fieldSelector=spec.color=red",
            400,
            "field label not supported: spec.color",
        ),
        (
            "fieldSelector=spec",
            400,
            "invalid selector: 'spec'; can't understand 'spec'",
        ),
    ];
    for (query, code, message) in cases {
        let query = query.replace("TOKEN", &token);
        let error = world.list("a", &query).await.unwrap_err();
        let prefix = if code == 422 { OPTIONS } else { "" };
        assert_eq!(error.message, format!("{prefix}{message}"), "{query}");
        assert_eq!(error.code.as_u16(), code, "{query}");
    }
}

#[tokio::test]
async fn revisions_say_how_old_a_list_may_be() {
    let mut world = five().await;
    world.delete("a", "2").await;
    let all = ["1", "3", "4"];
    for (query, revision, names) in [
        ("", 6, &all[..]),
        ("resourceVersion=0", 6, &all),
        ("resourceVersion=0&limit=1", 6, &all),
        ("resourceVersion=2", 6, &all),
        (
            "resourceVersion=2&resourceVersionMatch=NotOlderThan",
            6,
            &all,
        ),
        (
            "resourceVersion=2&resourceVersionMatch=Exact",
            2,
            &["1", "2"],
        ),
        ("resourceVersion=4&limit=9", 4, &["1", "2", "3", "4"]),
        ("resourceVersion=6&resourceVersionMatch=Exact", 6, &all),
    ] {
        let listed = world.list("a", query).await.unwrap();
        assert_eq!(
            (listed.revision, &listed.names[..]),
            (
                revision,
                &names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()[..]
            ),
            "{query}"
        );
        assert_eq!(listed.token, "");
    }
}

#[tokio::test]
async fn pages_show_one_revision() {
    let mut world = five().await;
    let first = world.list("", "limit=2").await.unwrap();
    assert_eq!(
        (first.names.len(), first.revision, first.remaining),
        (2, 5, Some(3))
    );
    world.put("a", "0", "p", "Running").await;
    world.delete("a", "3").await;
    let second = world
        .list("", &format!("limit=2&continue={}", first.token))
        .await
        .unwrap();
    assert_eq!(second.names, ["3", "4"]);
    assert_eq!((second.revision, second.remaining), (5, Some(1)));
    let third = world
        .list("", &format!("limit=2&continue={}", second.token))
        .await
        .unwrap();
    assert_eq!(third.names, ["1"]);
    assert_eq!(
        (third.revision, third.remaining, &*third.token),
        (5, None, "")
    );
    let rest = world
        .list("", &format!("continue={}", first.token))
        .await
        .unwrap();
    assert_eq!(rest.names, ["3", "4", "1"]);
}

#[tokio::test]
async fn an_expired_token_comes_with_an_inconsistent_one() {
    let mut world = five().await;
    let first = world.list("a", "limit=2").await.unwrap();
    world.put("a", "2a", "p", "Running").await;
    let last = world.put("a", "0", "p", "Running").await;
    world.api.store.compact(last).await.unwrap();
    let error = world
        .list("a", &format!("limit=1&continue={}", first.token))
        .await
        .unwrap_err();
    assert_eq!((error.code.as_u16(), error.reason), (410, "Expired"));
    assert!(
        error
            .message
            .starts_with("The provided continue parameter is too old")
    );
    let token = error.continue_token.unwrap();
    let rest = world
        .list("a", &format!("limit=2&continue={token}"))
        .await
        .unwrap();
    assert_eq!(rest.names, ["2a", "3"]);
    assert_eq!(rest.revision, last.get());
    let exact = format!(
        "resourceVersion={}&resourceVersionMatch=Exact",
        first.revision
    );
    let error = world.list("a", &exact).await.unwrap_err();
    assert_eq!(
        error.message,
        "The resourceVersion for the provided list is too old."
    );
    assert_eq!(error.continue_token, None);
}

#[tokio::test]
async fn selectors_choose() {
    let world = five().await;
    for (namespace, query, names) in [
        ("a", "labelSelector=x=p", &["1", "3"][..]),
        ("", "labelSelector=x=p", &["1", "3", "1"]),
        ("", "fieldSelector=metadata.name=1", &["1", "1"]),
        ("", "fieldSelector=metadata.namespace!=a", &["1"]),
        ("", "fieldSelector=status.phase=Pending", &["1"]),
        (
            "",
            "fieldSelector=status.phase!=Pending,metadata.name=4",
            &["4"],
        ),
        ("a", "fieldSelector=spec.nodeName=", &["1", "2", "3", "4"]),
        ("c", "", &[]),
    ] {
        let listed = world.list(namespace, query).await.unwrap();
        assert_eq!(listed.names, names, "{query}");
    }
    let page = world.list("a", "labelSelector=x=p&limit=1").await.unwrap();
    assert_eq!((page.names, page.remaining), (vec!["1".to_owned()], None));
    let page = world
        .list(
            "a",
            &format!("labelSelector=x=p&limit=9&continue={}", page.token),
        )
        .await;
    assert_eq!(page.unwrap().names, ["3"]);
}

#[tokio::test(start_paused = true)]
async fn gets_honour_revisions() {
    let world = five().await;
    for query in [
        "",
        "resourceVersion=0",
        "resourceVersion=5",
        "resourceVersion=1",
    ] {
        assert_eq!(world.get("3", query).await, Ok(Revision::new(3)), "{query}");
    }
    let missing = world.get("9", "").await.unwrap_err();
    assert_eq!(
        (missing.code.as_u16(), &*missing.message),
        (404, "pods \"9\" not found")
    );
    assert_eq!(
        world
            .get("3", "resourceVersion=-1")
            .await
            .unwrap_err()
            .code
            .as_u16(),
        500
    );
    assert_eq!(
        world
            .get("3", "resourceVersion=99")
            .await
            .unwrap_err()
            .code
            .as_u16(),
        504
    );
    assert_eq!(
        world
            .list("a", "resourceVersion=99")
            .await
            .unwrap_err()
            .code
            .as_u16(),
        504
    );
    let exact = world
        .list("a", "resourceVersion=99&limit=1")
        .await
        .unwrap_err();
    assert_eq!(exact.details.causes[0].reason, "ResourceVersionTooLarge");
}
