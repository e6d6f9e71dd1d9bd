{{/* Labels of an object that belongs to the installation; the argument is a list of the root and the component. */}}
{{- define "koinon-agent.labels" -}}
app.kubernetes.io/name: koinon
app.kubernetes.io/part-of: koinon
app.kubernetes.io/component: {{ index . 1 }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
{{- end }}
