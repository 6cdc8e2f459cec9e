{{/* The pod template, for both kinds of workload. */}}
{{- define "standin.grafana.template" -}}
metadata:
  labels:
    {{- include "grafana.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ include "standin.grafana.ini" . | sha256sum }}
    {{- if include "standin.grafana.ownsAdminSecret" . }}
    checksum/secret: {{ printf "%s:%s" .Values.adminUser (include "standin.grafana.password" .) | sha256sum }}
    {{- end }}
    kubectl.kubernetes.io/default-container: {{ .Chart.Name }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "grafana.serviceAccountName" . }}
  automountServiceAccountToken: {{ .Values.automountServiceAccountToken }}
  shareProcessNamespace: {{ .Values.shareProcessNamespace }}
  enableServiceLinks: {{ .Values.enableServiceLinks }}
  {{- include "standin.grafana.plain" (dict "from" .Values "fields" (list
        "nodeSelector" "priorityClassName" "schedulerName" "securityContext" "tolerations" "topologySpreadConstraints")) }}
  {{- with .Values.affinity }}
  affinity:
    {{- tpl (toYaml .) $ | nindent 4 }}
  {{- end }}
  {{- with concat .Values.global.imagePullSecrets .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ kindIs "map" . | ternary . (dict "name" .) | dig "name" "" }}
    {{- end }}
  {{- end }}
  {{- with include "standin.grafana.initContainers" . | trim }}
  initContainers:
    {{- . | nindent 4 }}
  {{- end }}
  containers:
    {{- include "standin.grafana.containers" . | trim | nindent 4 }}
  volumes:
    {{- include "standin.grafana.volumes" . | nindent 4 }}
{{- end -}}
