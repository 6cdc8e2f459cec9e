{{/* 63 characters, as it is the value of a label of pods. */}}
{{- define "durable-prometheus-stack.nfsProvisioner.name" -}}
{{- regexReplaceAll "[-.]+$" (trunc 47 .Release.Name) "" -}}-nfs-provisioner
{{- end -}}

{{/* For what has no namespace: two releases of one name must not share rights or volumes. */}}
{{- define "durable-prometheus-stack.nfsProvisioner.clusterName" -}}
{{ include "durable-prometheus-stack.namespace" . }}-{{ include "durable-prometheus-stack.nfsProvisioner.name" . }}
{{- end -}}

{{/*
By this name class and provisioner find each other. Two provisioners of one name would both answer each
claim, one with the wrong export; so release and namespace are in it.
*/}}
{{- define "durable-prometheus-stack.nfsProvisioner.provisioner" -}}
{{ .Release.Name }}.{{ include "durable-prometheus-stack.namespace" . }}.durable-prometheus-stack/nfs
{{- end -}}

{{/*
Name of the volume and the claim of the export itself. Source and claim are immutable, so an edit makes
both anew; mountOptions are hashed too, since the running pod keeps the mount that it has.
*/}}
{{- define "durable-prometheus-stack.nfsProvisioner.export" -}}
{{- $identity := pick .Values.nfsProvisioner "server" "path" "mountOptions" | toRawJson | sha256sum | trunc 8 -}}
{{ include "durable-prometheus-stack.nfsProvisioner.clusterName" . }}-{{ $identity }}
{{- end -}}

{{- define "durable-prometheus-stack.nfsProvisioner.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: nfs-provisioner
{{- end -}}

{{- define "durable-prometheus-stack.nfsProvisioner.labels" -}}
{{- $labels := include "durable-prometheus-stack.labels" . | fromYaml -}}
{{- set $labels "app.kubernetes.io/component" "nfs-provisioner" | toYaml -}}
{{- end -}}
