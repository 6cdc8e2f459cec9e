{{/* The only place that reads the release's namespace. */}}
{{- define "durable-prometheus-stack.namespace" -}}
{{- .Release.Namespace -}}
{{- end -}}

{{/* Where kube-prometheus-stack puts its objects: its namespaceOverride, else the release's namespace. */}}
{{- define "durable-prometheus-stack.stackNamespace" -}}
{{- $stack := index .Values "kube-prometheus-stack" | default dict -}}
{{- $stack.namespaceOverride | default (include "durable-prometheus-stack.namespace" .) -}}
{{- end -}}

{{- define "durable-prometheus-stack.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version -}}
{{- end -}}

{{- define "durable-prometheus-stack.labels" -}}
{{- include "durable-prometheus-stack.component.labels" (list . "storage") -}}
{{- end -}}

{{/* Of a component, from (list $ "nfs-provisioner"): its objects' labels, and those that select its pods. */}}
{{- define "durable-prometheus-stack.component.labels" -}}
{{- $root := first . -}}
helm.sh/chart: {{ include "durable-prometheus-stack.chart" $root | replace "+" "_" }}
{{ include "durable-prometheus-stack.component.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: {{ $root.Chart.Name }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
{{- end -}}

{{- define "durable-prometheus-stack.component.selector" -}}
{{- $root := first . -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ last . }}
{{- end -}}

{{/* Its name: 63 characters, as it is the value of labels too. */}}
{{- define "durable-prometheus-stack.component.name" -}}
{{- $tail := printf "-%s" (last .) -}}
{{- regexReplaceAll "[-.]+$" (trunc (sub 63 (len $tail) | int) (first .).Release.Name) "" -}}{{- $tail -}}
{{- end -}}

{{/* For what has no namespace: two releases of one name must not share rights or volumes. */}}
{{- define "durable-prometheus-stack.component.clusterName" -}}
{{ include "durable-prometheus-stack.namespace" (first .) }}-{{ include "durable-prometheus-stack.component.name" . }}
{{- end -}}

{{/* A container that needs nothing of its node. The pod says who it is. */}}
{{- define "durable-prometheus-stack.unprivileged" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/*
What keeps an object that holds data: Helm reads its annotation from the stored manifest on uninstall,
Argo CD reads its own from the live object.
*/}}
{{- define "durable-prometheus-stack.keep" -}}
helm.sh/resource-policy: keep
{{- if (.Values.gitops | default dict).argocd }}
argocd.argoproj.io/sync-options: Prune=false,Delete=false
{{- end }}
{{- end -}}

{{/* The consumers, in the order in which they are shown. A JSON list. */}}
{{- define "durable-prometheus-stack.consumers" -}}
["prometheus", "alertmanager", "thanosRuler", "grafana"]
{{- end -}}

{{/*
.Values.persistence, complete, as JSON. Helm deletes a default that a values file sets to null, so what
may be empty is put back as empty; what may not is required by the schema, or by the guards for a size.
*/}}
{{- define "durable-prometheus-stack.persistence" -}}
{{- $empty := dict "storageClassName" "" "volumes" list "nodes" list -}}
{{- $own := dict "prometheus" (dict "retentionSize" "") "grafana" (dict "subPath" "") -}}
{{- $persistence := merge (deepCopy .Values.persistence) (dict "accept" list "patches" list) -}}
{{- range $name := include "durable-prometheus-stack.consumers" . | fromJsonArray -}}
{{- $wanted := merge (get $persistence $name) $empty (get $own $name | default dict) -}}
{{- $_ := set $persistence $name (ternary $wanted (omit $wanted "size") (not (empty $wanted.size))) -}}
{{- end -}}
{{- if not (kindIs "bool" $persistence.thanosRuler.enabled) -}}
{{- $ruler := (index .Values "kube-prometheus-stack" | default dict).thanosRuler | default dict -}}
{{- $_ := set $persistence.thanosRuler "enabled" ($ruler.enabled | default false) -}}
{{- end -}}
{{- toJson $persistence -}}
{{- end -}}

{{/*
The name of one PersistentVolume, from (dict "release" "consumer" "volume"). A volume's source and node
can never be changed, so they are hashed into the name: an edit makes a new object where it would
otherwise be refused as Forbidden. The list index is left out, so that appending a volume renames no
other. 63 characters, as the name is often used as a label's value.
*/}}
{{- define "durable-prometheus-stack.volumeName" -}}
{{- $identity := dict "source" (pick .volume "local" "hostPath" "nfs" "csi") "node" (.volume.node | default "") -}}
{{- $tail := printf "-%s-%s" (kebabcase .consumer) ($identity | toRawJson | sha256sum | trunc 8) -}}
{{- $room := sub 63 (len $tail) | int -}}
{{- regexReplaceAll "[-.]+$" (trunc $room .release) "" -}}{{- $tail -}}
{{- end -}}
