{{/*
Names and labels. The names of these definitions are the ones that a parent chart may include, so they are
the real chart's; what they do is written anew.
*/}}

{{- define "kube-prometheus-stack.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* 26 characters leave room for the longest suffix that the operator adds to a name of 63 characters. */}}
{{- define "kube-prometheus-stack.fullname" -}}
{{- $base := .Values.nameOverride | default .Chart.Name -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $base) (contains $base .Release.Name) -}}
{{- .Values.fullnameOverride | default $full | trunc 26 | trimSuffix "-" -}}
{{- end -}}

{{- define "kube-prometheus-stack.operator.fullname" -}}
{{- $own := printf "%s-operator" (include "kube-prometheus-stack.fullname" .) -}}
{{- .Values.prometheusOperator.fullnameOverride | default $own | trunc 35 | trimSuffix "-" -}}
{{- end -}}

{{- define "kube-prometheus-stack.prometheus.crname" -}}
{{- include "kube-prometheus-stack.fullname" . -}}
{{- if not .Values.cleanPrometheusOperatorObjectNames -}}-prometheus{{- end -}}
{{- end -}}

{{- define "kube-prometheus-stack.alertmanager.crname" -}}
{{- include "kube-prometheus-stack.fullname" . -}}
{{- if not .Values.cleanPrometheusOperatorObjectNames -}}-alertmanager{{- end -}}
{{- end -}}

{{/* One character less than the others: the suffix is longer. A clean name keeps all 26. */}}
{{- define "kube-prometheus-stack.thanosRuler.crname" -}}
{{- $full := include "kube-prometheus-stack.fullname" . -}}
{{- ternary $full (printf "%s-thanos-ruler" ($full | trunc 25 | trimSuffix "-")) .Values.cleanPrometheusOperatorObjectNames -}}
{{- end -}}

{{/* Objects around the ruler are named after the chart, not after the release. */}}
{{- define "kube-prometheus-stack.thanosRuler.name" -}}
{{- .Values.thanosRuler.name | default (printf "%s-thanos-ruler" (include "kube-prometheus-stack.name" .)) -}}
{{- end -}}

{{- define "kube-prometheus-stack.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end -}}

{{- define "kube-prometheus-stack-alertmanager.namespace" -}}
{{- .Values.alertmanager.namespaceOverride | default (include "kube-prometheus-stack.namespace" .) -}}
{{- end -}}

{{- define "kube-prometheus-stack.chartref" -}}
{{- printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") -}}
{{- end -}}

{{- define "kube-prometheus-stack.labels" -}}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.Version | replace "+" "_" | quote }}
app.kubernetes.io/part-of: {{ include "kube-prometheus-stack.name" . }}
chart: {{ include "kube-prometheus-stack.chartref" . }}
release: {{ .Release.Name | quote }}
heritage: {{ .Release.Service | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "kube-prometheus-stack.prometheus-operator.labels" -}}
{{ include "kube-prometheus-stack.labels" . }}
app: {{ include "kube-prometheus-stack.name" . }}-operator
app.kubernetes.io/name: {{ include "kube-prometheus-stack.name" . }}-prometheus-operator
app.kubernetes.io/component: prometheus-operator
{{- end -}}

{{- define "kube-prometheus-stack.prometheus-operator-webhook.labels" -}}
{{ include "kube-prometheus-stack.labels" . }}
app.kubernetes.io/name: {{ include "kube-prometheus-stack.name" . }}-prometheus-operator
app.kubernetes.io/component: prometheus-operator-webhook
{{- end -}}

{{/* The account of a component: its own name, or the one that it is given; without an account, default. */}}
{{- define "standin.accountName" -}}
{{- .account.name | default (ternary .own "default" .account.create) -}}
{{- end -}}

{{- define "kube-prometheus-stack.operator.serviceAccountName" -}}
{{- include "standin.accountName" (dict "account" .Values.prometheusOperator.serviceAccount "own" (include "kube-prometheus-stack.operator.fullname" .)) -}}
{{- end -}}

{{- define "kube-prometheus-stack.prometheus.serviceAccountName" -}}
{{- include "standin.accountName" (dict "account" .Values.prometheus.serviceAccount "own" (printf "%s-prometheus" (include "kube-prometheus-stack.fullname" .))) -}}
{{- end -}}

{{- define "kube-prometheus-stack.alertmanager.serviceAccountName" -}}
{{- include "standin.accountName" (dict "account" .Values.alertmanager.serviceAccount "own" (printf "%s-alertmanager" (include "kube-prometheus-stack.fullname" .))) -}}
{{- end -}}

{{- define "kube-prometheus-stack.thanosRuler.serviceAccountName" -}}
{{- include "standin.accountName" (dict "account" .Values.thanosRuler.serviceAccount "own" (include "kube-prometheus-stack.thanosRuler.name" .)) -}}
{{- end -}}
