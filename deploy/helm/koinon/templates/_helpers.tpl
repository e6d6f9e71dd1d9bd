{{/* Labels of an object that belongs to the installation; the argument is a list of the root and the component. */}}
{{- define "koinon.labels" -}}
app.kubernetes.io/name: koinon
app.kubernetes.io/part-of: koinon
app.kubernetes.io/component: {{ index . 1 }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
{{- end }}

{{- define "koinon.selector" -}}
app.kubernetes.io/name: koinon
app.kubernetes.io/component: {{ . }}
{{- end }}

{{/* The clientConfig of a webhook; the argument is a list of the root and the path. */}}
{{- define "koinon.clientConfig" -}}
{{- $root := index . 0 -}}
{{- with $root.Values.webhook.externalUrl -}}
url: {{ trimSuffix "/" . }}{{ index $ 1 }}
{{- else -}}
service:
  name: koinon-webhook
  namespace: {{ $root.Values.namespace }}
  path: {{ index . 1 }}
  port: 443
{{- end }}
{{- end }}

{{/* Everything of a Deployment but its container's name, image, arguments and ports. */}}
{{- define "koinon.podSettings" -}}
terminationGracePeriodSeconds: 45
securityContext:
  runAsNonRoot: true
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{- define "koinon.containerSettings" -}}
livenessProbe:
  httpGet: {path: /healthz, port: health}
  periodSeconds: 10
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: health}
  periodSeconds: 2
securityContext:
  allowPrivilegeEscalation: false
  capabilities:
    drop: [ALL]
  readOnlyRootFilesystem: true
{{- end }}

{{/* An image; the argument is a list of the root and the program. */}}
{{- define "koinon.image" -}}
{{- $root := index . 0 -}}
{{ $root.Values.images.registry }}/{{ index . 1 }}:{{ $root.Values.images.tag | default $root.Chart.AppVersion }}
{{- end }}

{{/* Where Pods run; the argument is a list of the root, the program's values, and the component. */}}
{{- define "koinon.placement" -}}
{{- $root := index . 0 -}}
{{- $program := index . 1 -}}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        labelSelector:
          matchLabels:
            {{- include "koinon.selector" (index . 2) | nindent 12 }}
        topologyKey: kubernetes.io/hostname
{{- with $program.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $program.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.images.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
