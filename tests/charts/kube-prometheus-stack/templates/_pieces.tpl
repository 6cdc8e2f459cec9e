{{/*
Parts that several templates share. Each takes a dictionary; "root" in it is the chart's own context.
What is written into a spec begins with a line break and is indented by two, or by "indent": a part that has
nothing to say then leaves no empty line.
*/}}

{{/* registry/repository:tag@sha256:digest; the global registry wins. Takes root, image, tag (used where the image has none). */}}
{{- define "standin.image" -}}
{{- .root.Values.global.imageRegistry | default .image.registry }}/{{ .image.repository -}}
{{- with .image.tag | default .tag }}:{{ . }}{{ end -}}
{{- with .image.sha }}@sha256:{{ . }}{{ end -}}
{{- end -}}

{{/* Pull secrets may be given as names or as references. Takes root. */}}
{{- define "standin.pullSecrets" -}}
{{- $references := list -}}
{{- range .root.Values.global.imagePullSecrets -}}
{{- $references = append $references (kindIs "map" . | ternary . (dict "name" .)) -}}
{{- end -}}
{{- include "standin.plain" (merge (dict "from" (dict "imagePullSecrets" $references) "fields" (list "imagePullSecrets")) .) -}}
{{- end -}}

{{/* Those of the fields that are set. Takes from, fields. */}}
{{- define "standin.plain" -}}
{{- range $field := .fields -}}
{{- with index $.from $field -}}
{{- toYaml (dict $field .) | nindent (int ($.indent | default 2)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The same, and templates within them are run. Takes root, from, fields. */}}
{{- define "standin.templated" -}}
{{- range $field := .fields -}}
{{- with index $.from $field -}}
{{- tpl (toYaml (dict $field .)) $.root | nindent (int ($.indent | default 2)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Fields that are written even when they are false, but not when they are null. Takes from, fields. */}}
{{- define "standin.switches" -}}
{{- range $field := .fields -}}
{{- $value := index $.from $field -}}
{{- if kindIs "bool" $value -}}
{{- toYaml (dict $field $value) | nindent 2 -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
The user's affinity, then the chart's own rule between the pods of one component, as text one below the other:
a podAntiAffinity of the user's beside a preset is the same key twice, as in the real chart.
Takes spec, match (what the pods are labelled with: a list of key and value).
*/}}
{{- define "standin.affinity" -}}
{{- $expressions := list -}}
{{- range .match -}}
{{- $expressions = append $expressions (dict "key" (first .) "operator" "In" "values" (rest .)) -}}
{{- end -}}
{{- $term := dict "topologyKey" .spec.podAntiAffinityTopologyKey "labelSelector" (dict "matchExpressions" $expressions) -}}
{{- $presets := dict
      "hard" (dict "requiredDuringSchedulingIgnoredDuringExecution" (list $term))
      "soft" (dict "preferredDuringSchedulingIgnoredDuringExecution" (list (dict "weight" 100 "podAffinityTerm" $term))) -}}
{{- if or .spec.affinity .spec.podAntiAffinity -}}
{{- "affinity:" | nindent 2 -}}
{{- with .spec.affinity -}}
{{- toYaml . | nindent 4 -}}
{{- end -}}
{{- with index $presets (.spec.podAntiAffinity | default "") -}}
{{- toYaml (dict "podAntiAffinity" .) | nindent 4 -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
What an operator object selects: the user's selector; where there is none, objects of this release, or all.
A null keeps those of "nullable" out. Takes root, spec, names (such as serviceMonitor), nullable.
*/}}
{{- define "standin.selectors" -}}
{{- range $name := .names -}}
{{- $field := printf "%sSelector" $name -}}
{{- $selector := index $.spec $field -}}
{{- $omitted := and (kindIs "invalid" $selector) (has $name $.nullable) -}}
{{- if and (not $selector) (index $.spec (printf "%sNilUsesHelmValues" $field)) -}}
{{- $selector = dict "matchLabels" (dict "release" $.root.Release.Name) -}}
{{- $omitted = false -}}
{{- end -}}
{{- if not $omitted -}}
{{- tpl (toYaml (dict $field ($selector | default dict))) $.root | nindent 2 -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* In which namespaces: the user's selector, else all. Takes root, spec, names, nullable. */}}
{{- define "standin.namespaceSelectors" -}}
{{- range $name := .names -}}
{{- $field := printf "%sNamespaceSelector" $name -}}
{{- $selector := index $.spec $field -}}
{{- if not (and (kindIs "invalid" $selector) (has $name $.nullable)) -}}
{{- tpl (toYaml (dict $field ($selector | default dict))) $.root | nindent 2 -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What the chart has no value for: raw fields, last in the object, so that they also win as a second key. Takes root, spec. */}}
{{- define "standin.additional" -}}
{{- with .spec.additionalConfig -}}
{{- tpl (toYaml .) $.root | nindent 2 -}}
{{- end -}}
{{- with .spec.additionalConfigString -}}
{{- tpl . $.root | trim | nindent 2 -}}
{{- end -}}
{{- end -}}

{{/* One key of a Secret: the user's own Secret, or the one that the chart writes. Takes field, config, key, name. */}}
{{- define "standin.secretKey" -}}
{{- $reference := dict -}}
{{- if (.config).existingSecret -}}
{{- $reference = pick .config.existingSecret "key" "name" -}}
{{- else if (.config).secret -}}
{{- $reference = dict "key" .key "name" .name -}}
{{- end -}}
{{- include "standin.plain" (merge (dict "from" (dict .field $reference) "fields" (list .field)) .) -}}
{{- end -}}
