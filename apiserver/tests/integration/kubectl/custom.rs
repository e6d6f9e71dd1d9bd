//! Kinds that a CustomResourceDefinition defines.

use crate::harness::{TestServer, kubectl_is_there};

const CRD: &str = "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: foos.tutorial.my.domain}
spec:
  group: tutorial.my.domain
  scope: Namespaced
  names: {plural: foos, singular: foo, kind: Foo, listKind: FooList, shortNames: [fo]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}
    additionalPrinterColumns:
    - {name: Friend, type: string, jsonPath: .spec.name}
    - {name: Happy, type: boolean, jsonPath: .status.happy}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            description: What is wanted of a Foo.
            required: [name]
            properties:
              name: {type: string, minLength: 2, description: The name of a friend.}
              replicas: {type: integer, default: 1}
          status:
            type: object
            properties:
              happy: {type: boolean}
              replicas: {type: integer}
";

const FOO: &str = "apiVersion: tutorial.my.domain/v1
kind: Foo
metadata: {name: foo-01}
spec: {name: jack}
";

async fn with_crd() -> TestServer {
    let server = TestServer::start().await;
    server
        .kubectl("apply -f -", CRD)
        .await
        .has(&["customresourcedefinition.apiextensions.k8s.io/foos.tutorial.my.domain created"]);
    server
        .kubectl(
            "wait --for=condition=Established crd/foos.tutorial.my.domain --timeout=10s",
            "",
        )
        .await
        .has(&["condition met"]);
    server
}

#[tokio::test]
async fn a_custom_kind_is_a_kind_like_any_other() {
    if !kubectl_is_there() {
        return;
    }
    let server = with_crd().await;
    let k = async |arguments: &str| server.kubectl(arguments, FOO).await;
    k("apply -f -")
        .await
        .has(&["foo.tutorial.my.domain/foo-01 created"]);
    k("get foos")
        .await
        .has(&["NAME", "FRIEND", "HAPPY", "foo-01", "jack"]);
    k("get fo foo-01 -o yaml")
        .await
        .has(&["replicas: 1", "name: jack"]);
    k("get foos.v1.tutorial.my.domain -A")
        .await
        .has(&["NAMESPACE", "foo-01"]);
    k("explain foo.spec")
        .await
        .has(&["What is wanted of a Foo.", "The name of a friend."]);
    k("explain foo --recursive")
        .await
        .has(&["happy", "metadata"]);
    k("api-resources --api-group=tutorial.my.domain")
        .await
        .has(&["foos", "fo", "tutorial.my.domain/v1", "Foo"]);
    k("label foo foo-01 a=b").await.has(&["labeled"]);
    k("scale foo foo-01 --replicas=3").await.has(&["scaled"]);
    let joe = FOO.replace("jack", "joe");
    server.kubectl("diff -f -", &joe).await.failure();
    server
        .kubectl("apply -f -", &joe)
        .await
        .has(&["configured"]);
    server
        .kubectl_args(
            &[
                "patch",
                "foo",
                "foo-01",
                "--subresource=status",
                "--type=merge",
                "-p",
                r#"{"status":{"happy":true},"spec":{"name":"nobody"}}"#,
            ],
            "",
        )
        .await
        .has(&["patched"]);
    let json = k("get foo foo-01 -o json").await.json();
    assert_eq!(
        json["spec"],
        serde_json::json!({"name": "joe", "replicas": 3})
    );
    assert_eq!(json["status"]["happy"], true);
    assert_eq!(json["metadata"]["generation"], 3);
    k("wait --for=jsonpath={.status.happy}=true foo/foo-01 --timeout=5s")
        .await
        .has(&["condition met"]);
    k("describe foo foo-01")
        .await
        .has(&["Name:", "foo-01", "Spec:", "joe"]);
    k("delete foo foo-01").await.has(&["deleted"]);
    server.stop().await;
}

#[tokio::test]
async fn its_schema_is_kept_to() {
    if !kubectl_is_there() {
        return;
    }
    let server = with_crd().await;
    let short = server
        .kubectl("create -f -", &FOO.replace("jack", "j"))
        .await;
    assert!(short.failure().contains("spec.name"), "{}", short.failure());
    let missing = server
        .kubectl("create -f -", &FOO.replace("{name: jack}", "{}"))
        .await;
    assert!(
        missing.failure().contains("Required value")
            || missing.failure().contains("missing required field"),
        "{}",
        missing.failure()
    );
    let unknown = server
        .kubectl(
            "create -f -",
            &FOO.replace("name: jack", "name: jack, colour: red"),
        )
        .await;
    assert!(
        unknown.failure().contains("unknown field \"spec.colour\""),
        "{}",
        unknown.failure()
    );
    let wrong = server
        .kubectl(
            "create --validate=false -f -",
            &FOO.replace("name: jack", "name: 5"),
        )
        .await;
    assert!(
        wrong.failure().contains("spec.name: Invalid value"),
        "{}",
        wrong.failure()
    );
    let strategic = server.kubectl("create -f -", FOO).await;
    strategic.text();
    let patch = server
        .kubectl_args(
            &["patch", "foo", "foo-01", "--type=strategic", "-p", "{}"],
            "",
        )
        .await;
    assert!(!patch.failure().is_empty());
    server.stop().await;
}

#[tokio::test]
async fn its_objects_go_with_the_definition() {
    if !kubectl_is_there() {
        return;
    }
    let server = with_crd().await;
    server.kubectl("create -f -", FOO).await.text();
    server
        .kubectl("delete crd foos.tutorial.my.domain --timeout=20s", "")
        .await
        .has(&["deleted"]);
    let gone = server.kubectl("get foos", "").await;
    // With its discovery still in the disk cache, kubectl asks and is told.
    assert!(
        gone.failure()
            .contains("the server could not find the requested resource"),
        "{}",
        gone.failure()
    );
    server.kubectl("apply -f -", CRD).await.has(&["created"]);
    server
        .kubectl(
            "wait --for=condition=Established crd/foos.tutorial.my.domain --timeout=10s",
            "",
        )
        .await
        .text();
    let empty = server.kubectl("get foos", "").await;
    assert!(
        empty.ok && empty.stderr.contains("No resources found"),
        "{}{}",
        empty.stdout,
        empty.stderr
    );
    server.stop().await;
}
