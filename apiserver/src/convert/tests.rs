//! What a conversion may and may not do.

use serde_json::{Value, json};

use super::{events, metadata};
use crate::kinds::Kind;

fn row(group: &str, plural: &str) -> Kind {
    let kinds = crate::testing::plain_kinds();
    Kind::clone(kinds.resource(group, plural).unwrap())
}

fn check(output: Value) -> Result<Value, String> {
    let input = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "a", "uid": "u", "labels": {"x": "1"}, "finalizers": ["f"]}, "spec": 1});
    let found = metadata::check(
        &row("apps", "deployments"),
        &[input],
        vec![output],
        "apps/v2",
    );
    found
        .map(|mut list| list.remove(0))
        .map_err(|error| error.message)
}

#[test]
fn only_labels_and_annotations_of_metadata_may_change() {
    let output = json!({"apiVersion": "apps/v2", "kind": "Deployment", "spec": 2,
        "metadata": {"name": "a", "uid": "u", "annotations": {"y": "2"}, "finalizers": [], "generation": 9}});
    assert_eq!(
        check(output).unwrap(),
        json!({"apiVersion": "apps/v2", "kind": "Deployment", "spec": 2,
            "metadata": {"name": "a", "uid": "u", "annotations": {"y": "2"}, "finalizers": ["f"]}})
    );
}

#[test]
fn outputs_that_do_not_belong_are_refused_in_upstreams_words() {
    let start = "conversion webhook for apps/v1, Kind=Deployment returned invalid";
    for (output, expected) in [
        (
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "uid": "u"}}),
            "object at index 0: invalid groupVersion (expected apps/v2, received apps/v1)",
        ),
        (
            json!({"apiVersion": "apps/v2", "kind": "X", "metadata": {"name": "a", "uid": "u"}}),
            "object at index 0: invalid kind (expected Deployment, received X)",
        ),
        (
            json!({"apiVersion": "apps/v2", "kind": "Deployment", "metadata": {"name": "b", "uid": "u"}}),
            "object: must have the same name: a != b",
        ),
        (
            json!({"apiVersion": "apps/v2", "kind": "Deployment", "metadata": {"name": "a", "uid": "v"}}),
            "object: must have the same UID: u != v",
        ),
        (
            json!({"apiVersion": "apps/v2", "kind": "Deployment", "metadata": {"name": "a", "uid": "u", "labels": {"k": 1}}}),
            "metadata: metadata.labels[k] must be a string, but is int64 in converted object",
        ),
    ] {
        assert_eq!(check(output).unwrap_err(), format!("{start} {expected}"));
    }
}

#[test]
fn events_convert_there_and_back() {
    let core = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "involvedObject": {"name": "p"},
        "message": "m", "reason": "R", "count": 3, "source": {"component": "c"}, "reportingComponent": "r", "reportingInstance": "i"});
    let view = events::convert(core.clone(), "events.k8s.io/v1");
    assert_eq!(view["regarding"]["name"], "p");
    assert_eq!(view["note"], "m");
    assert_eq!(view["reportingController"], "r");
    assert_eq!(
        events::to_storage(&row("events.k8s.io", "events"), &view),
        Some(core.clone())
    );
    assert_eq!(events::to_storage(&row("", "events"), &core), None);
    assert_eq!(events::to_storage(&row("", "pods"), &core), None);
}

mod served {
    //! Custom resources through the whole pipeline, on a store in memory.

    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use apiserver_store::{Key, Revision};
    use async_trait::async_trait;
    use serde_json::{Value, json};

    use crate::api::Api;
    use crate::cache::CacheOptions;
    use crate::convert::{Converter, to_storage, to_version, view};
    use crate::kinds::custom::{AcceptedNames, custom_row};
    use crate::kinds::{Kind, Kinds};
    use crate::object::{Obj, encode};
    use crate::status::ApiError;
    use crate::testing;

    pub(super) async fn api(converters: Vec<Arc<dyn Converter>>) -> Api {
        Api {
            converters: converters.into(),
            ..testing::api_of(Kinds::default(), CacheOptions::default()).await
        }
    }

    pub(super) fn kind(conversion: Value) -> Kind {
        let schema = |default: &str| {
            json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {
                "a": {"type": "string"}, "d": {"type": "string", "default": default}}}}}})
        };
        let crd = json!({"metadata": {"uid": "u"}, "spec": {"group": "example.org", "scope": "Namespaced", "conversion": conversion,
            "names": {"plural": "foos", "singular": "foo", "kind": "Foo", "listKind": "FooList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema("one")},
                {"name": "v2", "served": true, "storage": false, "schema": schema("two")}]}});
        custom_row(&crd, &AcceptedNames::parse(&crd["spec"]["names"]), false, 7).unwrap()
    }

    pub(super) fn object(name: &str, version: &str) -> Arc<Obj> {
        let value = json!({"apiVersion": format!("example.org/{version}"), "kind": "Foo",
            "metadata": {"name": name, "namespace": "n", "uid": name}, "spec": {"a": "x", "gone": 1}});
        let key = Key::new("example.org/foos", "n", name);
        Arc::new(Obj::from_store(key, Revision::new(5), &encode(&value)).unwrap())
    }

    struct Shouting(AtomicUsize);

    #[async_trait]
    impl Converter for Shouting {
        fn handles(&self, kind: &Kind) -> bool {
            &*kind.plural == "foos"
        }

        async fn convert(
            &self,
            kind: &Kind,
            objects: Vec<Value>,
            version: &str,
        ) -> Result<Vec<Value>, ApiError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            let shout = |mut object: Value| {
                object["apiVersion"] = kind.api_version(version).into();
                object["spec"]["a"] = "X!".into();
                object["metadata"]["generation"] = 99.into();
                object
            };
            Ok(objects.into_iter().map(shout).collect())
        }
    }

    fn parse(bytes: &bytes::Bytes) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[tokio::test]
    async fn stored_objects_are_made_whole_when_they_are_read() {
        let api = api(Vec::new()).await;
        let kind = kind(json!({"strategy": "None"}));
        let objects = [object("one", "v1"), object("two", "v2")];
        let seen = view(&api, &kind, "v1", &objects).await.unwrap();
        let first = parse(&seen[0]);
        assert_eq!(first["spec"], json!({"a": "x", "d": "one"}));
        assert_eq!(first["metadata"]["resourceVersion"], "5");
        assert_eq!(parse(&seen[1])["apiVersion"], "example.org/v1");
        assert_eq!(parse(&seen[1])["spec"]["d"], "two");
        let again = view(&api, &kind, "v1", &objects).await.unwrap();
        assert_eq!(seen[0].as_ptr(), again[0].as_ptr());
    }

    #[tokio::test]
    async fn a_converter_is_asked_once_for_all() {
        let converter = Arc::new(Shouting(AtomicUsize::new(0)));
        let api = api(vec![converter.clone()]).await;
        let kind = kind(json!({"strategy": "None"}));
        let objects = [
            object("one", "v1"),
            object("two", "v2"),
            object("three", "v1"),
        ];
        let seen = view(&api, &kind, "v2", &objects).await.unwrap();
        let texts: Vec<Value> = seen
            .iter()
            .map(|bytes| parse(bytes)["spec"]["a"].clone())
            .collect();
        assert_eq!(texts, ["X!", "x", "X!"]);
        assert!(parse(&seen[0])["metadata"].get("generation").is_none());
        view(&api, &kind, "v2", &objects).await.unwrap();
        assert_eq!(converter.0.load(Ordering::SeqCst), 1);
        let written = to_storage(&api, &kind, parse(&seen[1])).await.unwrap();
        assert_eq!(written["apiVersion"], "example.org/v1");
        let same = to_version(&api, &kind, written.clone(), "v1")
            .await
            .unwrap();
        assert_eq!(same, written);
        assert!(to_version(&api, &kind, written, "v9").await.is_err());
    }
}

mod webhooks {
    //! A real webhook over TLS.

    use std::sync::Arc;

    use base64::Engine;
    use bytes::Bytes;
    use http_body_util::{BodyExt, Full};
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use rustls_pki_types::PrivateKeyDer;
    use serde_json::{Value, json};

    use super::served::{api, kind, object};
    use crate::convert::{NoServices, ServiceResolver, WebhookConverter, view};
    use crate::seams::Seams;

    async fn answer(
        request: hyper::Request<hyper::body::Incoming>,
    ) -> Result<hyper::Response<Full<Bytes>>, hyper::Error> {
        let refuse = request.uri().path() == "/refuse";
        let body = request.into_body().collect().await?.to_bytes();
        let mut review: Value = serde_json::from_slice(&body).unwrap();
        let request = review["request"].take();
        let converted: Vec<Value> = request["objects"]
            .as_array()
            .unwrap()
            .iter()
            .map(|object| {
                let mut object = object.clone();
                object["apiVersion"] = request["desiredAPIVersion"].clone();
                object["spec"]["a"] = "hooked".into();
                object
            })
            .collect();
        let result = if refuse {
            json!({"status": "Failed", "message": "not today"})
        } else {
            json!({"status": "Success"})
        };
        review["response"] =
            json!({"uid": request["uid"], "result": result, "convertedObjects": converted});
        Ok(hyper::Response::new(Full::new(review.to_string().into())))
    }

    /// Serves on a free port of the loopback; gives the port and the certificate as PEM.
    async fn serve() -> (u16, String) {
        let names = ["127.0.0.1".to_owned(), "hook.default.svc".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(
            rustls::crypto::ring::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                if let Ok(stream) = acceptor.accept(socket).await {
                    let serving = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service_fn(answer));
                    tokio::spawn(async move { serving.await.ok() });
                }
            }
        });
        (
            port,
            base64::engine::general_purpose::STANDARD.encode(made.cert.pem()),
        )
    }

    fn conversion(client_config: Value) -> Value {
        json!({"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": client_config}})
    }

    async fn convert(
        client_config: Value,
        services: Arc<dyn ServiceResolver>,
    ) -> Result<Value, String> {
        let api = api(vec![Arc::new(WebhookConverter::new(
            services,
            Seams::system(),
        ))])
        .await;
        let seen = view(
            &api,
            &kind(conversion(client_config)),
            "v2",
            &[object("one", "v1")],
        )
        .await;
        seen.map(|list| serde_json::from_slice(&list[0]).unwrap())
            .map_err(|error| error.message)
    }

    struct Hook(u16);

    impl ServiceResolver for Hook {
        fn address(&self, namespace: &str, name: &str, port: u16) -> Option<String> {
            (namespace == "default" && name == "hook" && port == 443)
                .then(|| format!("127.0.0.1:{}", self.0))
        }
    }

    #[tokio::test]
    async fn a_webhook_converts() {
        let (port, ca) = serve().await;
        let by_url = json!({"url": format!("https://127.0.0.1:{port}/convert"), "caBundle": ca});
        assert_eq!(
            convert(by_url, Arc::new(NoServices)).await.unwrap()["spec"]["a"],
            "hooked"
        );
        let by_service = json!({"service": {"namespace": "default", "name": "hook", "path": "/convert"}, "caBundle": ca});
        assert_eq!(
            convert(by_service.clone(), Arc::new(Hook(port)))
                .await
                .unwrap()["spec"]["a"],
            "hooked"
        );
        let error = convert(by_service, Arc::new(NoServices)).await.unwrap_err();
        assert!(
            error.contains("service default/hook:443 cannot be reached"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_webhook_that_fails_is_told_of() {
        let (port, ca) = serve().await;
        let start = "conversion webhook for example.org/v1, Kind=Foo failed: ";
        let refused = json!({"url": format!("https://127.0.0.1:{port}/refuse"), "caBundle": ca});
        assert_eq!(
            convert(refused, Arc::new(NoServices)).await.unwrap_err(),
            format!("{start}not today")
        );
        let untrusted = json!({"url": format!("https://127.0.0.1:{port}/convert")});
        let error = convert(untrusted, Arc::new(NoServices)).await.unwrap_err();
        assert!(
            error.starts_with(&format!(
                "{start}Post \"https://127.0.0.1:{port}/convert?timeout=30s\": "
            )),
            "{error}"
        );
        let plain = json!({"url": "http://127.0.0.1/convert"});
        assert!(
            convert(plain, Arc::new(NoServices))
                .await
                .unwrap_err()
                .contains("must be https")
        );
    }
}
