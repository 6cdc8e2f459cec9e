{{/*
Whole objects that each component has. Each takes a dictionary: root, name, namespace, component, app (the app
label, where it is not the chart's name and the component) and what is said at the object.
*/}}

{{- define "standin.labels" -}}
app: {{ .app | default (printf "%s-%s" (include "kube-prometheus-stack.name" .root) .component) }}
{{ include "kube-prometheus-stack.labels" .root }}
{{- end -}}

{{- define "standin.metadata" -}}
name: {{ .name }}
{{- with .namespace }}
namespace: {{ . }}
{{- end }}
labels:
  {{- include "standin.labels" . | nindent 2 }}
{{- with .labels }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Takes account. */}}
{{- define "standin.serviceAccount" -}}
{{- if .account.create -}}
{{- $labels := dict
      "app.kubernetes.io/name" (.app | default (printf "%s-%s" (include "kube-prometheus-stack.name" .root) .component))
      "app.kubernetes.io/component" .component -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "standin.metadata" (merge (dict "labels" $labels "annotations" .account.annotations) .) | nindent 2 }}
{{- if hasKey .account "automountServiceAccountToken" }}
automountServiceAccountToken: {{ .account.automountServiceAccountToken }}
{{- end }}
{{- include "standin.pullSecrets" (dict "root" .root "indent" "0") }}
{{- end -}}
{{- end -}}

{{/* Takes service, portName, protocol (where written), reloader (its port; none: no port), selector, selfMonitor, extra (fields of the spec). */}}
{{- define "standin.service" -}}
{{- if .service.enabled -}}
{{- $nodePort := eq .service.type "NodePort" -}}
{{- $labels := merge (dict "self-monitor" (toString .selfMonitor)) (.service.labels | default dict) -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "standin.metadata" (merge (dict "labels" $labels "annotations" .service.annotations) .) | nindent 2 }}
spec:
  type: {{ .service.type | quote }}
  {{- include "standin.plain" (dict "from" .service "fields" (list
        "clusterIP" "externalIPs" "loadBalancerIP" "loadBalancerSourceRanges" "sessionAffinity")) }}
  {{- if eq .service.sessionAffinity "ClientIP" }}
  {{- include "standin.plain" (dict "from" .service "fields" (list "sessionAffinityConfig")) }}
  {{- end }}
  {{- if ne .service.type "ClusterIP" }}
  externalTrafficPolicy: {{ .service.externalTrafficPolicy }}
  {{- end }}
  {{- with .extra }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  ports:
    - name: {{ .portName }}
      port: {{ .service.port }}
      targetPort: {{ .service.targetPort }}
      {{- with .protocol }}
      protocol: {{ . }}
      {{- end }}
      {{- if $nodePort }}
      nodePort: {{ .service.nodePort }}
      {{- end }}
    {{- with .reloader }}
    - name: reloader-web
      appProtocol: http
      port: {{ . }}
      targetPort: reloader-web
      {{- if and $nodePort $.service.reloaderWebNodePort }}
      nodePort: {{ $.service.reloaderWebNodePort }}
      {{- end }}
    {{- end }}
    {{- with .service.additionalPorts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  selector:
    {{- toYaml .selector | nindent 4 }}
{{- end -}}
{{- end -}}

{{/* Takes monitor, endpoints. */}}
{{- define "standin.serviceMonitor" -}}
{{- if .monitor.selfMonitor -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  {{- include "standin.metadata" (merge (dict "labels" .monitor.additionalLabels) .) | nindent 2 }}
spec:
  selector:
    matchLabels:
      app: {{ .app | default (printf "%s-%s" (include "kube-prometheus-stack.name" .root) .component) }}
      release: {{ .root.Release.Name | quote }}
      self-monitor: "true"
  {{- /* Of the stack, also where the component has a namespace of its own: as the real chart does. */}}
  namespaceSelector:
    matchNames: [{{ include "kube-prometheus-stack.namespace" .root | quote }}]
  endpoints:
    {{- $interval := .monitor.interval | empty | ternary dict (dict "interval" .monitor.interval) }}
    {{- range .endpoints }}
    {{- list (merge . $interval) | toYaml | nindent 4 }}
    {{- end }}
{{- end -}}
{{- end -}}
