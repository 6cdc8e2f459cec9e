module durable-prometheus-stack/tests/cluster/local-provisioner-standin

go 1.26.0

require go.yaml.in/yaml/v3 v3.0.4
