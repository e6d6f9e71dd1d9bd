// Command protofixtures prints objects as Go's own types encode them, one a line: name, tab, JSON, tab, Protobuf body in
// base64. The tests of the API server's Protobuf reader decode the one and expect the other.
//
//	go run . > ../../../apiserver/tests/fixtures/protobuf.tsv
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var moment = time.Date(2024, 2, 29, 12, 34, 56, 789012345, time.UTC)

func ptr[T any](value T) *T { return &value }

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: name, Namespace: "team", Labels: map[string]string{"app": name, "empty": ""},
		Annotations: map[string]string{"note": "ünïcode ☃"}, Finalizers: []string{"example.org/hold"},
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "owner", UID: types.UID("u-1"),
			Controller: ptr(true), BlockOwnerDeletion: ptr(false),
		}},
	}
}

func podSpec() corev1.PodSpec {
	return corev1.PodSpec{
		Containers: []corev1.Container{{
			Name: "web", Image: "nginx:1.27", Command: []string{"sh", "-c", ""}, Args: []string{"x"},
			Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}},
			Env: []corev1.EnvVar{
				{Name: "PLAIN", Value: "1"}, {Name: "EMPTY"},
				{Name: "REF", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
					LocalObjectReference: corev1.LocalObjectReference{Name: "login"}, Key: "user", Optional: ptr(false)}}},
			},
			EnvFrom: []corev1.EnvFromSource{{Prefix: "P_", ConfigMapRef: &corev1.ConfigMapEnvSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}}},
			Resources: corev1.ResourceRequirements{
				Limits:   corev1.ResourceList{"cpu": resource.MustParse("1500m"), "memory": resource.MustParse("1Gi")},
				Requests: corev1.ResourceList{"cpu": resource.MustParse("0")},
			},
			LivenessProbe: &corev1.Probe{
				ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: intstr.FromString("http"),
					HTTPHeaders: []corev1.HTTPHeader{{Name: "A", Value: "b"}}}},
				PeriodSeconds: 10, TerminationGracePeriodSeconds: ptr(int64(0)),
			},
			ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(8080)}}},
			SecurityContext: &corev1.SecurityContext{RunAsUser: ptr(int64(1 << 40)), RunAsNonRoot: ptr(false),
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
			VolumeMounts: []corev1.VolumeMount{{Name: "scratch", MountPath: "/tmp", ReadOnly: true}},
			Stdin:        true,
		}},
		EphemeralContainers: []corev1.EphemeralContainer{{
			EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Image: "busybox"}, TargetContainerName: "web"}},
		Volumes: []corev1.Volume{
			{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: ptr(resource.MustParse("10Mi"))}}},
			{Name: "nothing", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			{Name: "all", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{DefaultMode: ptr(int32(0o400)),
				Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: ptr(int64(3600))}}}}}},
		},
		NodeSelector: map[string]string{"zone": "a"}, HostNetwork: true, AutomountServiceAccountToken: ptr(false),
		SecurityContext: &corev1.PodSecurityContext{SupplementalGroups: []int64{0, 7, 1 << 33}, FSGroup: ptr(int64(0))},
		Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "k", Operator: "In", Values: []string{"a", "b"}}}}}}}},
		Tolerations: []corev1.Toleration{{Key: "k", Operator: "Exists", TolerationSeconds: ptr(int64(-1))}},
	}
}

func template() corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}}, Spec: podSpec()}
}

func selector() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"},
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: "NotIn", Values: []string{"db"}}}}
}

func raw(text string) *apiextensionsv1.JSON { return &apiextensionsv1.JSON{Raw: []byte(text)} }

func definition() *apiextensionsv1.CustomResourceDefinition {
	properties := map[string]apiextensionsv1.JSONSchemaProps{
		"size": {Type: "integer", Minimum: ptr(0.0), Maximum: ptr(1.5), MultipleOf: ptr(0.1), ExclusiveMaximum: true, Default: raw("0"),
			Enum: []apiextensionsv1.JSON{*raw(`1`), *raw(`"two"`), *raw(`null`), *raw(`{"a":[1.5]}`)}},
		"list": {Type: "array", MinItems: ptr(int64(0)), XListType: ptr("map"), XListMapKeys: []string{"name"},
			Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", Required: []string{"name"}}}},
		"tuple": {Items: &apiextensionsv1.JSONSchemaPropsOrArray{JSONSchemas: []apiextensionsv1.JSONSchemaProps{{Type: "string"}, {}}}},
		"open":  {Type: "object", AdditionalProperties: &apiextensionsv1.JSONSchemaPropsOrBool{Allows: true}},
		"shut":  {Type: "object", AdditionalItems: &apiextensionsv1.JSONSchemaPropsOrBool{Allows: false}},
		"map": {Type: "object", Nullable: true, AdditionalProperties: &apiextensionsv1.JSONSchemaPropsOrBool{Allows: true,
			Schema: &apiextensionsv1.JSONSchemaProps{XIntOrString: true}}},
		"deps": {Dependencies: apiextensionsv1.JSONSchemaDependencies{"a": {Property: []string{"b", "c"}}, "d": {Schema: &apiextensionsv1.JSONSchemaProps{Type: "string"}}}},
		"free": {XPreserveUnknownFields: ptr(true), XValidations: apiextensionsv1.ValidationRules{{Rule: "self > 0", Message: "no", OptionalOldSelf: ptr(false)}}},
		"ref":  {Ref: ptr("#/x"), Schema: "http://json-schema.org/schema#", Not: &apiextensionsv1.JSONSchemaProps{AnyOf: []apiextensionsv1.JSONSchemaProps{{Pattern: "^a$"}}}},
	}
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "foos.example.org"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "example.org", Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "foos", Kind: "Foo", ShortNames: []string{"f"}},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: false, Deprecated: true, DeprecationWarning: ptr(""),
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", Properties: properties}},
				Subresources: &apiextensionsv1.CustomResourceSubresources{Status: &apiextensionsv1.CustomResourceSubresourceStatus{},
					Scale: &apiextensionsv1.CustomResourceSubresourceScale{SpecReplicasPath: ".spec.n", StatusReplicasPath: ".status.n", LabelSelectorPath: ptr("")}},
				AdditionalPrinterColumns: []apiextensionsv1.CustomResourceColumnDefinition{{Name: "N", Type: "integer", JSONPath: ".spec.n", Priority: 1}},
			}},
			Conversion: &apiextensionsv1.CustomResourceConversion{Strategy: "Webhook", Webhook: &apiextensionsv1.WebhookConversion{
				ClientConfig:             &apiextensionsv1.WebhookClientConfig{Service: &apiextensionsv1.ServiceReference{Namespace: "n", Name: "s", Port: ptr(int32(443))}, CABundle: []byte{0, 1, 255}},
				ConversionReviewVersions: []string{"v1"}}},
		},
	}
}

func objects() []runtime.Object {
	seconds, micro := metav1.NewTime(moment), metav1.NewMicroTime(moment)
	pod := &corev1.Pod{ObjectMeta: meta("web"), Spec: podSpec(), Status: corev1.PodStatus{Phase: "Running", StartTime: &seconds,
		Conditions: []corev1.PodCondition{{Type: "Ready", Status: "True", LastTransitionTime: seconds}},
		ContainerStatuses: []corev1.ContainerStatus{{Name: "web", Ready: true, Started: ptr(false),
			State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 0, StartedAt: seconds}}}}}}
	pod.CreationTimestamp, pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = seconds, &seconds, ptr(int64(0))
	pod.UID, pod.ResourceVersion, pod.Generation, pod.GenerateName = "uid", "12", 3, "web-"
	pod.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "m", Operation: "Apply", APIVersion: "v1", Time: &seconds, FieldsType: "FieldsV1",
		FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:spec":{}}`)}}}
	return []runtime.Object{
		pod,
		&corev1.Pod{},
		&appsv1.Deployment{ObjectMeta: meta("web"), Spec: appsv1.DeploymentSpec{Replicas: ptr(int32(0)), Selector: selector(), Template: template(), Paused: true,
			Strategy: appsv1.DeploymentStrategy{Type: "RollingUpdate", RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: ptr(intstr.FromString("25%")), MaxUnavailable: ptr(intstr.FromInt32(0))}}},
			Status: appsv1.DeploymentStatus{ObservedGeneration: 1 << 40, Conditions: []appsv1.DeploymentCondition{{Type: "Available", Status: "False", LastUpdateTime: seconds}}}},
		&appsv1.StatefulSet{ObjectMeta: meta("db"), Spec: appsv1.StatefulSetSpec{Selector: selector(), Template: template(), ServiceName: "db",
			VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "data"}, Spec: corev1.PersistentVolumeClaimSpec{
				Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{"storage": resource.MustParse("5Gi")}}}}}}},
		&appsv1.ControllerRevision{ObjectMeta: meta("r"), Revision: 0, Data: runtime.RawExtension{Raw: []byte(`{"spec":{"a":[1,2.5,null]}}`)}},
		&corev1.Service{ObjectMeta: meta("web"), Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, Type: "NodePort",
			Ports:                 []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http"), NodePort: 30080}, {Port: 81, TargetPort: intstr.FromInt32(-1)}},
			SessionAffinityConfig: &corev1.SessionAffinityConfig{ClientIP: &corev1.ClientIPConfig{TimeoutSeconds: ptr(int32(1))}}, IPFamilyPolicy: ptr(corev1.IPFamilyPolicySingleStack)}},
		&corev1.ConfigMap{ObjectMeta: meta("settings"), Immutable: ptr(false), Data: map[string]string{"a": "b", "empty": "", "": "odd"}, BinaryData: map[string][]byte{"bin": {0, 255}, "none": {}}},
		&corev1.Secret{ObjectMeta: meta("login"), Type: "Opaque", Data: map[string][]byte{"user": []byte("admin")}, StringData: map[string]string{"pass": "word"}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team"}, Spec: corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{"kubernetes"}}},
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}, Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: "k", Effect: "NoSchedule", TimeAdded: &seconds}}}, Status: corev1.NodeStatus{Capacity: corev1.ResourceList{"cpu": resource.MustParse("4")}}},
		&corev1.Event{ObjectMeta: meta("e"), InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "web"}, Reason: "Started", FirstTimestamp: seconds, EventTime: micro, Count: 2,
			Series: &corev1.EventSeries{Count: 1, LastObservedTime: metav1.NewMicroTime(time.Unix(-5, 1000))}},
		&eventsv1.Event{ObjectMeta: meta("e"), EventTime: micro, Regarding: corev1.ObjectReference{Kind: "Pod"}, Note: "n"},
		&rbacv1.Role{ObjectMeta: meta("reader"), Rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}},
		&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "none"}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "b"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "u"}}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "r"}},
		&coordinationv1.Lease{ObjectMeta: meta("lock"), Spec: coordinationv1.LeaseSpec{HolderIdentity: ptr(""), LeaseDurationSeconds: ptr(int32(15)), RenewTime: &micro, LeaseTransitions: ptr(int32(-3))}},
		&batchv1.CronJob{ObjectMeta: meta("nightly"), Spec: batchv1.CronJobSpec{Schedule: "@daily", Suspend: ptr(false), JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: template(), BackoffLimit: ptr(int32(0)),
			PodFailurePolicy: &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{Action: "Ignore", OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: "In", Values: []int32{1, 200}}}}}}}}},
		&networkingv1.Ingress{ObjectMeta: meta("web"), Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{Host: "h", IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
			Paths: []networkingv1.HTTPIngressPath{{Path: "/", PathType: ptr(networkingv1.PathTypePrefix), Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "web", Port: networkingv1.ServiceBackendPort{Number: 80}}}}}}}}}}},
		&networkingv1.NetworkPolicy{ObjectMeta: meta("p"), Spec: networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{}}, Egress: []networkingv1.NetworkPolicyEgressRule{{Ports: []networkingv1.NetworkPolicyPort{{Port: ptr(intstr.FromInt32(0))}}}}}},
		&policyv1.PodDisruptionBudget{ObjectMeta: meta("p"), Spec: policyv1.PodDisruptionBudgetSpec{MinAvailable: ptr(intstr.FromString("50%"))}, Status: policyv1.PodDisruptionBudgetStatus{DisruptedPods: map[string]metav1.Time{"web": seconds}}},
		&autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: meta("h"), Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MaxReplicas: 3, Metrics: []autoscalingv2.MetricSpec{{Type: "Resource",
			Resource: &autoscalingv2.ResourceMetricSource{Name: "cpu", Target: autoscalingv2.MetricTarget{Type: "Value", Value: ptr(resource.MustParse("100m"))}}}}}},
		&discoveryv1.EndpointSlice{ObjectMeta: meta("s"), AddressType: "IPv4", Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: ptr(false)}, DeprecatedTopology: map[string]string{"a": "b"}}}},
		definition(),
		&autoscalingv1.Scale{ObjectMeta: meta("web"), Spec: autoscalingv1.ScaleSpec{Replicas: 7}, Status: autoscalingv1.ScaleStatus{Replicas: 0, Selector: "app=web"}},
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{"a"}, ExpirationSeconds: ptr(int64(600))}},
		&authenticationv1.TokenReview{Status: authenticationv1.TokenReviewStatus{User: authenticationv1.UserInfo{Extra: map[string]authenticationv1.ExtraValue{"k": {"v", ""}, "none": {}}}}},
		&authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "get", Resource: "pods"}}},
		&authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: "u", Extra: map[string]authorizationv1.ExtraValue{"k": {"v"}}}},
		&metav1.DeleteOptions{GracePeriodSeconds: ptr(int64(0)), PropagationPolicy: ptr(metav1.DeletePropagationForeground), Preconditions: &metav1.Preconditions{UID: ptr(types.UID("u")), ResourceVersion: ptr("")}, DryRun: []string{"All"}},
		&metav1.Status{Status: "Failure", Code: 404, Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: "t", Field: "f"}}}},
	}
}

func main() {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		appsv1.AddToScheme, authenticationv1.AddToScheme, authorizationv1.AddToScheme, autoscalingv1.AddToScheme, autoscalingv2.AddToScheme,
		batchv1.AddToScheme, coordinationv1.AddToScheme, corev1.AddToScheme, discoveryv1.AddToScheme, eventsv1.AddToScheme,
		networkingv1.AddToScheme, policyv1.AddToScheme, rbacv1.AddToScheme, apiextensionsv1.AddToScheme,
	} {
		check(add(scheme))
	}
	serializer := protobuf.NewSerializer(scheme, scheme)
	for _, object := range objects() {
		kind := schema.GroupVersionKind{Version: "v1", Kind: "DeleteOptions"}
		if _, special := object.(*metav1.DeleteOptions); !special {
			kinds, _, err := scheme.ObjectKinds(object)
			check(err)
			kind = kinds[0]
		}
		object.GetObjectKind().SetGroupVersionKind(kind)
		text, err := json.Marshal(object)
		check(err)
		var body bytes.Buffer
		check(serializer.Encode(object, &body))
		fmt.Printf("%s\t%s\t%s\n", kind.Kind, text, base64.StdEncoding.EncodeToString(body.Bytes()))
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
