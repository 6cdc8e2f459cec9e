{{/* .Values.influxdb as JSON, with what a null took away put back as empty. */}}
{{- define "durable-prometheus-stack.influxdb" -}}
{{- $entry := dict "queueConfig" dict "writeRelabelConfigs" list -}}
{{- $empty := dict "storageClassName" "" "volumes" list "nodes" list "tolerations" list "existingSecret" "" -}}
{{- $blocks := dict "resources" dict "remoteWrite" $entry "remoteRead" dict "networkPolicy" dict "serviceMonitor" dict -}}
{{- merge (deepCopy (.Values.influxdb | default dict)) $empty $blocks | toJson -}}
{{- end -}}

{{/*
The name of all its objects. The operator's pods are labelled with StatefulSet and revision, as these are:
52 characters leave room for the revision in a label's 63.
*/}}
{{- define "durable-prometheus-stack.influxdb.name" -}}
{{- printf "%s-influxdb" (.Release.Name | trunc 43 | trimSuffix "-") -}}
{{- end -}}

{{- define "durable-prometheus-stack.influxdb.url" -}}
http://{{ include "durable-prometheus-stack.influxdb.name" . }}.{{ include "durable-prometheus-stack.stackNamespace" . }}.svc:8086
{{- end -}}

{{- define "durable-prometheus-stack.influxdb.secret" -}}
{{- (include "durable-prometheus-stack.influxdb" . | fromJson).existingSecret | default (include "durable-prometheus-stack.influxdb.name" .) -}}
{{- end -}}

{{- define "durable-prometheus-stack.influxdb.selectorLabels" -}}
app.kubernetes.io/name: influxdb
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "durable-prometheus-stack.influxdb.labels" -}}
helm.sh/chart: {{ include "durable-prometheus-stack.chart" . | replace "+" "_" }}
{{ include "durable-prometheus-stack.influxdb.selectorLabels" . }}
app.kubernetes.io/component: influxdb
app.kubernetes.io/part-of: {{ .Chart.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/*
The passwords as a JSON map: those of the Secret that is there, else new ones. Kept in .Values, as the
Secret and the checksum of it must be of the same draw.
*/}}
{{- define "durable-prometheus-stack.influxdb.passwords" -}}
{{- if not (hasKey .Values.influxdb "passwords") -}}
{{- $secret := lookup "v1" "Secret" (include "durable-prometheus-stack.stackNamespace" .) (include "durable-prometheus-stack.influxdb.name" .) | default dict -}}
{{- $data := $secret.data | default dict -}}
{{- $passwords := dict -}}
{{- range $key := list "admin-password" "writer-password" "reader-password" -}}
{{- $_ := set $passwords $key (get $data $key | default (randAlphaNum 40 | b64enc)) -}}
{{- end -}}
{{- $_ := set .Values.influxdb "passwords" $passwords -}}
{{- end -}}
{{- toJson .Values.influxdb.passwords -}}
{{- end -}}

{{/* A duration of the values in hours; 0 for INF, as InfluxDB itself has it. */}}
{{- define "durable-prometheus-stack.influxdb.hours" -}}
{{- $hours := dict "h" 1 "d" 24 "w" 168 -}}
{{- if eq "INF" . }}0{{ else }}{{ mul (regexFind "^[0-9]+" .) (get $hours (regexFind "[hdw]$" .)) }}{{ end -}}
{{- end -}}

{{/*
What both containers are told. The limits on series are lifted, as a write above them is answered with
400, and Prometheus drops what is answered so. The index on the disk is what makes room for that.
*/}}
{{- define "durable-prometheus-stack.influxdb.settings" -}}
- {name: INFLUXDB_META_DIR, value: /var/lib/influxdb/meta}
- {name: INFLUXDB_DATA_DIR, value: /var/lib/influxdb/data}
- {name: INFLUXDB_DATA_WAL_DIR, value: /var/lib/influxdb/wal}
- {name: INFLUXDB_DATA_INDEX_VERSION, value: tsi1}
- {name: INFLUXDB_DATA_MAX_SERIES_PER_DATABASE, value: "0"}
- {name: INFLUXDB_DATA_MAX_VALUES_PER_TAG, value: "0"}
- {name: INFLUXDB_DATA_QUERY_LOG_ENABLED, value: "false"}
- {name: INFLUXDB_HTTP_AUTH_ENABLED, value: "true"}
# Else any user may read any database by remote read.
- {name: INFLUXDB_HTTP_PROM_READ_AUTH_ENABLED, value: "true"}
- {name: INFLUXDB_HTTP_FLUX_ENABLED, value: "false"}
- {name: INFLUXDB_HTTP_LOG_ENABLED, value: "false"}
- {name: INFLUXDB_REPORTING_DISABLED, value: "true"}
- {name: INFLUXDB_MONITOR_STORE_ENABLED, value: "false"}
{{- end -}}
