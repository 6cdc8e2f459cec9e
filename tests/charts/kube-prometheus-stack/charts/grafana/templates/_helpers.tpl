{{/*
Names and labels. The names of these definitions are the real chart's, since a parent chart may include them.
*/}}

{{- define "grafana.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "grafana.fullname" -}}
{{- $base := .Values.nameOverride | default .Chart.Name -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $base) (contains $base .Release.Name) -}}
{{- .Values.fullnameOverride | default $full | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "grafana.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end -}}

{{- define "grafana.selectorLabels" -}}
app.kubernetes.io/name: {{ include "grafana.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "grafana.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "grafana.selectorLabels" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
{{- with .Values.extraLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "grafana.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "grafana.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "grafana.serviceAccountNameTest" -}}
{{- .Values.serviceAccount.nameTest | default (ternary (printf "%s-test" (include "grafana.fullname" .)) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{/* The head of an object. Takes root, suffix (of the name) or name, cluster (no namespace), labels, annotations. */}}
{{- define "standin.grafana.metadata" -}}
name: {{ .name | default (printf "%s%s" (include "grafana.fullname" .root) (.suffix | default "")) }}
{{- if not .cluster }}
namespace: {{ include "grafana.namespace" .root }}
{{- end }}
labels:
  {{- include "grafana.labels" .root | nindent 2 }}
{{- with .labels }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Takes root, image, tag (where the image has none). */}}
{{- define "standin.grafana.image" -}}
{{- .root.Values.global.imageRegistry | default .image.registry }}/{{ .image.repository }}:{{ .image.tag | default .tag -}}
{{- with .image.sha }}@sha256:{{ . }}{{ end -}}
{{- end -}}

{{/* Those of the fields that are set, each on its line, indented by indent (2). Takes from, fields. */}}
{{- define "standin.grafana.plain" -}}
{{- range $field := .fields -}}
{{- with index $.from $field -}}
{{- toYaml (dict $field .) | nindent (int ($.indent | default 2)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whether persistence asks for a StatefulSet by one of the three words. Empty: no. */}}
{{- define "standin.grafana.claimTemplate" -}}
{{- if and .Values.persistence.enabled (has .Values.persistence.type (list "sts" "StatefulSet" "statefulset")) -}}yes{{- end -}}
{{- end -}}

{{/* The kind of the workload; empty where the values contradict each other, and then there is none. */}}
{{- define "standin.grafana.kind" -}}
{{- $stored := .Values.persistence.enabled -}}
{{- if .Values.useStatefulSet -}}
StatefulSet
{{- else if or (not $stored) (eq .Values.persistence.type "pvc") -}}
Deployment
{{- else if and (include "standin.grafana.claimTemplate" .) (not .Values.persistence.existingClaim) -}}
StatefulSet
{{- end -}}
{{- end -}}

{{/* The Secret with the first user's name and password: the user's own, else the chart's. */}}
{{- define "standin.grafana.adminSecret" -}}
{{- tpl (.Values.admin.existingSecret | default "") . | default (include "grafana.fullname" .) -}}
{{- end -}}

{{/* Whether the chart makes that Secret. Empty: no. */}}
{{- define "standin.grafana.ownsAdminSecret" -}}
{{- $elsewhere := pick .Values.env "GF_SECURITY_ADMIN_PASSWORD" "GF_SECURITY_ADMIN_PASSWORD__FILE" "GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION" -}}
{{- if not (or .Values.admin.existingSecret $elsewhere) -}}yes{{- end -}}
{{- end -}}

{{/* A password that is the same in each render, where the real chart's is random: a render must be comparable. */}}
{{- define "standin.grafana.password" -}}
{{- .Values.adminPassword | default (printf "%s/%s" .Release.Namespace .Release.Name | sha256sum | trunc 40) -}}
{{- end -}}

{{- define "standin.grafana.ini" -}}
{{- range $section, $settings := index .Values "grafana.ini" }}
[{{ $section }}]
{{- range $key, $value := $settings }}
{{ $key }} = {{ kindIs "string" $value | ternary (tpl (toString $value) $) $value }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The sidecars: key in the values, end of their container's and volume's name, where they write, their switch for an init container. */}}
{{- define "standin.grafana.sidecars" -}}
- {key: alerts, name: alerts, path: /etc/grafana/provisioning/alerting, init: initAlerts}
- {key: dashboards, name: dashboard, path: {{ .Values.sidecar.dashboards.folder }}, init: initDashboards}
- {key: datasources, name: datasources, path: /etc/grafana/provisioning/datasources, init: initDatasources}
- {key: notifiers, name: notifiers, path: /etc/grafana/provisioning/notifiers, init: initNotifiers}
- {key: plugins, name: plugins, path: /etc/grafana/provisioning/plugins, init: none}
{{- end -}}
