module durable-prometheus-stack/tests/cluster/pause

go 1.26.0
