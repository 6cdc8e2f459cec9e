{{/* Environment from the Secret of the first user. Takes root, prefix: user and password variables. */}}
{{- define "standin.grafana.adminEnv" -}}
{{- $keys := dict
      (first .variables) (.root.Values.admin.userKey | default "admin-user")
      (last .variables) (.root.Values.admin.passwordKey | default "admin-password") -}}
{{- $secret := include "standin.grafana.adminSecret" .root -}}
{{- range $index, $variable := .variables -}}
{{- if $index }}
{{ end -}}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
      key: {{ index $keys $variable }}
{{- end }}
{{- end -}}

{{/* One sidecar's container. Takes root, sidecar (a row of the table), init (whether it runs before Grafana, once). */}}
{{- define "standin.grafana.sidecar" -}}
{{- $settings := index .root.Values.sidecar .sidecar.key -}}
{{- $shared := .root.Values.sidecar -}}
- name: {{ include "grafana.name" .root }}{{ if .init }}-init{{ end }}-sc-{{ .sidecar.name }}
  image: {{ include "standin.grafana.image" (dict "root" .root "image" $shared.image "tag" "") | quote }}
  imagePullPolicy: {{ $shared.imagePullPolicy }}
  env:
    - name: METHOD
      value: {{ ternary "LIST" $settings.watchMethod .init }}
    - name: LABEL
      value: {{ tpl $settings.label .root | quote }}
    {{- with $settings.labelValue }}
    - name: LABEL_VALUE
      value: {{ tpl . $.root | quote }}
    {{- end }}
    - name: FOLDER
      value: {{ .sidecar.path | quote }}
    - name: RESOURCE
      value: {{ $settings.resource | quote }}
    {{- with $settings.searchNamespace }}
    - name: NAMESPACE
      value: {{ tpl (join "," .) $.root | quote }}
    {{- end }}
    {{- if not (or .init $settings.skipReload) }}
    {{- include "standin.grafana.adminEnv" (dict "root" .root "variables" (list "REQ_USERNAME" "REQ_PASSWORD")) | nindent 4 }}
    - name: REQ_URL
      value: {{ $settings.reloadURL }}
    - name: REQ_METHOD
      value: POST
    {{- end }}
  {{- include "standin.grafana.plain" (dict "from" $shared "fields" (list "resources" "securityContext")) }}
  volumeMounts:
    - name: sc-{{ .sidecar.name }}-volume
      mountPath: {{ .sidecar.path | quote }}
{{- end -}}
