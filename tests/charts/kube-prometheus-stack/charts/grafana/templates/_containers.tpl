{{/* The mount of what must last; each container that has it must have the same sub-path. */}}
{{- define "standin.grafana.storageMount" -}}
- name: storage
  mountPath: /var/lib/grafana
  {{- with .Values.persistence.subPath }}
  subPath: {{ tpl . $ }}
  {{- end }}
{{- end -}}

{{- define "standin.grafana.initContainers" -}}
{{- if and .Values.persistence.enabled .Values.initChownData.enabled }}
- name: init-chown-data
  image: {{ include "standin.grafana.image" (dict "root" . "image" .Values.initChownData.image "tag" "") | quote }}
  imagePullPolicy: {{ .Values.initChownData.image.pullPolicy }}
  command: [chown, -R, "{{ .Values.securityContext.runAsUser }}:{{ .Values.securityContext.runAsGroup }}", /var/lib/grafana]
  {{- include "standin.grafana.plain" (dict "from" .Values.initChownData "fields" (list "resources" "securityContext")) }}
  volumeMounts:
    {{- include "standin.grafana.storageMount" . | nindent 4 }}
{{- end }}
{{- if .Values.dashboards }}
- name: download-dashboards
  image: {{ include "standin.grafana.image" (dict "root" . "image" .Values.downloadDashboardsImage "tag" "") | quote }}
  imagePullPolicy: {{ .Values.downloadDashboardsImage.pullPolicy }}
  command: [mkdir, -p, /var/lib/grafana/dashboards/default]
  {{- include "standin.grafana.plain" (dict "from" .Values.downloadDashboards "fields" (list "resources" "securityContext")) }}
  volumeMounts:
    {{- include "standin.grafana.storageMount" . | nindent 4 }}
{{- end }}
{{- range include "standin.grafana.sidecars" . | fromYamlArray }}
{{- $settings := index $.Values.sidecar .key }}
{{- if and $settings.enabled (index $settings .init) }}
{{ include "standin.grafana.sidecar" (dict "root" $ "sidecar" . "init" true) }}
{{- end }}
{{- end }}
{{- with .Values.extraInitContainers }}
{{ tpl (toYaml .) $ }}
{{- end }}
{{- end -}}

{{- define "standin.grafana.containers" -}}
{{- range include "standin.grafana.sidecars" . | fromYamlArray }}
{{- $settings := index $.Values.sidecar .key }}
{{- if and $settings.enabled (not (index $settings .init)) }}
{{ include "standin.grafana.sidecar" (dict "root" $ "sidecar" . "init" false) }}
{{- end }}
{{- end }}
- name: grafana
  image: {{ include "standin.grafana.image" (dict "root" . "image" .Values.image "tag" .Chart.AppVersion) | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  {{- include "standin.grafana.plain" (dict "from" .Values "fields" (list "livenessProbe" "readinessProbe" "resources")) }}
  {{- with .Values.containerSecurityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  ports:
    - {name: {{ .Values.podPortName }}, containerPort: {{ .Values.service.targetPort }}, protocol: TCP}
    - {name: {{ .Values.gossipPortName }}-tcp, containerPort: 9094, protocol: TCP}
    - {name: {{ .Values.gossipPortName }}-udp, containerPort: 9094, protocol: UDP}
    - {name: profiling, containerPort: 6060, protocol: TCP}
  env:
    {{- include "standin.grafana.env" . | trim | nindent 4 }}
  {{- with .Values.envFromSecret }}
  envFrom:
    - secretRef:
        name: {{ tpl . $ }}
  {{- end }}
  volumeMounts:
    - name: config
      mountPath: /etc/grafana/grafana.ini
      subPath: grafana.ini
    {{- include "standin.grafana.storageMount" . | nindent 4 }}
    - name: search
      mountPath: /var/lib/grafana-search
    {{- with include "standin.grafana.moreMounts" . | trim }}
    {{- . | nindent 4 }}
    {{- end }}
{{- with .Values.extraContainers }}
{{ tpl . $ | trim }}
{{- end }}
{{- end -}}

{{- define "standin.grafana.env" -}}
{{- $ini := index .Values "grafana.ini" }}
- name: POD_IP
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
{{- if or .Values.admin.existingSecret (include "standin.grafana.ownsAdminSecret" .) }}
{{ include "standin.grafana.adminEnv" (dict "root" . "variables" (list "GF_SECURITY_ADMIN_USER" "GF_SECURITY_ADMIN_PASSWORD")) }}
{{- end }}
{{- range $name := list "data" "logs" "plugins" "provisioning" }}
- name: GF_PATHS_{{ upper $name }}
  value: {{ index $ini.paths $name }}
{{- end }}
- name: GF_UNIFIED_STORAGE_INDEX_PATH
  value: {{ $ini.unified_storage.index_path }}
{{- range $name, $source := .Values.envValueFrom }}
- name: {{ $name }}
  valueFrom:
    {{- tpl (toYaml $source) $ | nindent 4 }}
{{- end }}
{{- range $name, $value := .Values.env }}
- name: {{ $name }}
  value: {{ tpl (toString $value) $ | quote }}
{{- end }}
{{- end -}}

{{- define "standin.grafana.moreMounts" -}}
{{- range $provider, $dashboards := .Values.dashboards }}
{{- range $name, $_ := $dashboards }}
- name: dashboards-{{ $provider }}
  mountPath: /var/lib/grafana/dashboards/{{ $provider }}/{{ $name }}.json
  subPath: {{ $name }}.json
{{- end }}
{{- end }}
{{- range include "standin.grafana.sidecars" . | fromYamlArray }}
{{- if (index $.Values.sidecar .key).enabled }}
- name: sc-{{ .name }}-volume
  mountPath: {{ .path | quote }}
{{- end }}
{{- end }}
{{- if and .Values.sidecar.dashboards.enabled .Values.sidecar.dashboards.SCProvider }}
- name: sc-dashboard-provider
  mountPath: /etc/grafana/provisioning/dashboards/sc-dashboardproviders.yaml
  subPath: provider.yaml
{{- end }}
{{- range concat .Values.extraConfigmapMounts .Values.extraSecretMounts .Values.extraVolumeMounts }}
- name: {{ .name }}
  mountPath: {{ .mountPath }}
  {{- with .subPath }}
  subPath: {{ . }}
  {{- end }}
  readOnly: {{ .readOnly | toJson }}
{{- end }}
{{- range .Values.extraEmptyDirMounts }}
- name: {{ .name }}
  mountPath: {{ .mountPath }}
{{- end }}
{{- if .Values.shadowBundledPlugins }}
- name: shadow-bundled-plugins
  mountPath: /usr/share/grafana/data/plugins-bundled
{{- end }}
{{- end -}}
