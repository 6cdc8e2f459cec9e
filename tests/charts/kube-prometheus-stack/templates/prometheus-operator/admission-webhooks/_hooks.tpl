{{/* Whether the hooks run: they make and hand out the certificate of the webhooks. Empty: no. */}}
{{- define "standin.hooks.enabled" -}}
{{- $operator := .Values.prometheusOperator -}}
{{- if and $operator.enabled $operator.admissionWebhooks.enabled $operator.admissionWebhooks.patch.enabled -}}yes{{- end -}}
{{- end -}}

{{/* Takes root, stages (of Helm's hooks), suffix (of name and app label), namespaced. */}}
{{- define "standin.hooks.metadata" -}}
name: {{ include "kube-prometheus-stack.fullname" .root }}-{{ .suffix }}
{{- if .namespaced }}
namespace: {{ include "kube-prometheus-stack.namespace" .root }}
{{- end }}
annotations:
  helm.sh/hook: {{ .stages }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
labels:
  {{- include "standin.hooks.labels" . | nindent 2 }}
{{- end -}}

{{- define "standin.hooks.labels" -}}
app: {{ include "kube-prometheus-stack.name" .root }}-{{ .suffix }}
{{ include "kube-prometheus-stack.prometheus-operator-webhook.labels" .root }}
{{- end -}}

{{/* Takes root, stages, suffix, container, args, securityContext (of the container). */}}
{{- define "standin.hooks.job" -}}
{{- $patch := .root.Values.prometheusOperator.admissionWebhooks.patch -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "standin.hooks.metadata" (merge (dict "namespaced" true) .) | nindent 2 }}
spec:
  ttlSecondsAfterFinished: {{ $patch.ttlSecondsAfterFinished }}
  template:
    metadata:
      name: {{ include "kube-prometheus-stack.fullname" .root }}-{{ .suffix }}
      labels:
        {{- include "standin.hooks.labels" . | nindent 8 }}
    spec:
      restartPolicy: OnFailure
      serviceAccountName: {{ include "kube-prometheus-stack.fullname" .root }}-admission
      {{- include "standin.plain" (dict "indent" 6 "from" $patch "fields" (list "affinity" "nodeSelector" "priorityClassName" "securityContext" "tolerations")) }}
      {{- include "standin.pullSecrets" (dict "indent" 6 "root" .root) }}
      containers:
        - name: {{ .container }}
          image: {{ include "standin.image" (dict "root" .root "image" $patch.image "tag" "") }}
          imagePullPolicy: {{ $patch.image.pullPolicy }}
          args:
            {{- toYaml .args | nindent 12 }}
          securityContext:
            {{- toYaml .securityContext | nindent 12 }}
          resources: {{ toJson $patch.resources }}
{{- end -}}
