{{/*
The volume that must last. With a StatefulSet by persistence.type it comes from the claim template and is not
here; with useStatefulSet and type pvc it is here and in the template, and the template wins in the cluster.
*/}}
{{- define "standin.grafana.storageVolume" -}}
{{- $persistence := .Values.persistence -}}
{{- if and $persistence.enabled (eq $persistence.type "pvc") }}
- name: storage
  persistentVolumeClaim:
    claimName: {{ tpl ($persistence.existingClaim | default (include "grafana.fullname" .)) . }}
{{- else if include "standin.grafana.claimTemplate" . }}
{{- else if $persistence.inMemory.enabled }}
- name: storage
  emptyDir:
    medium: Memory
    {{- with $persistence.inMemory.sizeLimit }}
    sizeLimit: {{ . }}
    {{- end }}
{{- else }}
- name: storage
  emptyDir: {}
{{- end }}
{{- end -}}

{{- define "standin.grafana.volumes" -}}
- name: config
  configMap:
    name: {{ include "grafana.fullname" . }}
{{- include "standin.grafana.storageVolume" . }}
- name: search
  emptyDir: {}
{{- range include "standin.grafana.sidecars" . | fromYamlArray }}
{{- $settings := index $.Values.sidecar .key }}
{{- if $settings.enabled }}
- name: sc-{{ .name }}-volume
  emptyDir: {{ ternary (dict "sizeLimit" $settings.sizeLimit) dict (not (empty $settings.sizeLimit)) | toJson }}
{{- end }}
{{- end }}
{{- if and .Values.sidecar.dashboards.enabled .Values.sidecar.dashboards.SCProvider }}
- name: sc-dashboard-provider
  configMap:
    name: {{ include "grafana.fullname" . }}-config-dashboards
{{- end }}
{{- range $provider, $_ := .Values.dashboards }}
- name: dashboards-{{ $provider }}
  configMap:
    name: {{ include "grafana.fullname" $ }}-dashboards-{{ $provider }}
{{- end }}
{{- range .Values.extraConfigmapMounts }}
- name: {{ tpl .name $ }}
  configMap:
    name: {{ tpl .configMap $ }}
    {{- include "standin.grafana.plain" (dict "indent" 4 "from" . "fields" (list "items" "optional")) }}
{{- end }}
{{- range .Values.extraSecretMounts }}
- name: {{ .name }}
  secret:
    secretName: {{ .secretName }}
    {{- include "standin.grafana.plain" (dict "indent" 4 "from" . "fields" (list "defaultMode" "items" "optional")) }}
{{- end }}
{{- range .Values.extraVolumes }}
- name: {{ .name }}
  {{- $source := pick . "hostPath" "csi" "configMap" }}
  {{- if .existingClaim }}
  {{- $source = dict "persistentVolumeClaim" (dict "claimName" .existingClaim) }}
  {{- end }}
  {{- toYaml ($source | default (dict "emptyDir" (.emptyDir | default dict))) | nindent 2 }}
{{- end }}
{{- range .Values.extraEmptyDirMounts }}
- name: {{ .name }}
  emptyDir: {}
{{- end }}
{{- if .Values.shadowBundledPlugins }}
- name: shadow-bundled-plugins
  emptyDir: {}
{{- end }}
{{- with .Values.extraContainerVolumes }}
{{ tpl (toYaml .) $ }}
{{- end }}
{{- end -}}
