{{- define "durable-prometheus-stack.nfsProvisioner.name" -}}
{{- include "durable-prometheus-stack.component.name" (list . "nfs-provisioner") -}}
{{- end -}}

{{- define "durable-prometheus-stack.nfsProvisioner.clusterName" -}}
{{- include "durable-prometheus-stack.component.clusterName" (list . "nfs-provisioner") -}}
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
{{- include "durable-prometheus-stack.component.selector" (list . "nfs-provisioner") -}}
{{- end -}}

{{- define "durable-prometheus-stack.nfsProvisioner.labels" -}}
{{- include "durable-prometheus-stack.component.labels" (list . "nfs-provisioner") -}}
{{- end -}}
