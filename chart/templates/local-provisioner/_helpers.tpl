{{- define "durable-prometheus-stack.localProvisioner.name" -}}
{{- include "durable-prometheus-stack.component.name" (list . "local-provisioner") -}}
{{- end -}}

{{- define "durable-prometheus-stack.localProvisioner.clusterName" -}}
{{- include "durable-prometheus-stack.component.clusterName" (list . "local-provisioner") -}}
{{- end -}}

{{- define "durable-prometheus-stack.localProvisioner.labels" -}}
{{- include "durable-prometheus-stack.component.labels" (list . "local-provisioner") -}}
{{- end -}}

{{- define "durable-prometheus-stack.localProvisioner.selector" -}}
{{- include "durable-prometheus-stack.component.selector" (list . "local-provisioner") -}}
{{- end -}}

{{/*
The names of the classes by what they take, as JSON: `devices` have raw devices for entries, `blocks` hand
them out as such, and `emptied` wipes a volume whose claim is gone.
*/}}
{{- define "durable-prometheus-stack.localProvisioner.classes" -}}
{{- $found := dict "devices" list "blocks" list "emptied" list -}}
{{- range $class := (.Values.localProvisioner | default dict).classes -}}
{{- $block := eq "Block" ($class.volumeMode | default "") -}}
{{- $is := dict "devices" (or $block $class.fsType) "blocks" $block "emptied" (eq "Delete" ($class.reclaimPolicy | default "")) -}}
{{- range $kind, $true := $is -}}
{{- $_ := set $found $kind (ternary (append (get $found $kind) $class.name) (get $found $kind) (not (empty $true))) -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/*
The least that the classes need. A size of a device is read from the device, which only a privileged
container may open. To empty a file system of another user's files takes root's say over modes
(DAC_OVERRIDE) and over sticky directories (FOWNER). Else mount points are listed and measured, which
anybody may.
*/}}
{{- define "durable-prometheus-stack.localProvisioner.securityContext" -}}
{{- $classes := include "durable-prometheus-stack.localProvisioner.classes" . | fromJson -}}
{{- if $classes.devices -}}
privileged: true
runAsUser: 0
{{- else -}}
privileged: false
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
  {{- if $classes.emptied }}
  add: [DAC_OVERRIDE, FOWNER]
runAsUser: 0
runAsGroup: 0
runAsNonRoot: false
  {{- else }}
runAsUser: 65534
runAsGroup: 65534
runAsNonRoot: true
  {{- end }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- with .Values.localProvisioner.seLinuxOptions }}
seLinuxOptions:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
