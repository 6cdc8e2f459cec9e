# The front door: `make` alone prints the targets. The logic is in tests/tools.
SHELL = /bin/sh
PYTHON = python3
VALUES = values/local.yaml
ARGS =
py = .venv/bin/python
stamps = .tools/stamps
venv = .venv/stamp

# The targets share one staged chart, and each uses all processors by itself.
.NOTPARALLEL:
.PHONY: help setup demo render test lint golden bench cluster-build cluster-thanos cluster-up cluster-down e2e traps ready

help: ## print this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1#/p' Makefile | awk -F '#' '{ printf "  make %-14s %s\n", $$1, $$2 }'

setup: $(venv) $(stamps)/helm $(stamps)/dependency ## venv, Helm 3 and 4, the chart's dependency (the other targets call it)

demo: setup ## render VALUES with Helm 3 and 4, and show what will hold the data
	@$(py) -m tests.tools.demo $(VALUES)

render: setup ## print the finished manifests of VALUES="a.yaml b.yaml" (default: values/local.yaml)
	@$(py) -m tests.tools.render $(VALUES)

test: setup ## run the tests; ARGS="-k name" is passed on to pytest
	@$(py) -m pytest --numprocesses=auto --dist=loadfile $(ARGS)

lint: setup ## ruff, mypy, shellcheck, helm lint with each values file
	@$(py) -m ruff check .
	@$(py) -m ruff format --check .
	@$(py) -m mypy
	@$(py) -m tests.tools.lint_shell
	@$(py) -m tests.tools.lint_values

golden: setup ## write the golden files anew, then run their tests
	@$(py) -m pytest --update-golden $(ARGS)

bench: setup $(stamps)/bench ## time and memory beside kustomize and yq, the same edits, in one run
	@$(py) -m tests.bench $(ARGS)

cluster-build: setup ## build the programs and images of the test cluster (Linux, root; long when cold)
	@$(py) -m tests.cluster build

cluster-thanos: setup ## build Thanos too, for its own tests (long)
	@$(py) -m tests.cluster thanos

cluster-up: setup ## start the test cluster, and print its KUBECONFIG
	@$(py) -m tests.cluster up

cluster-down: setup ## stop the test cluster, and leave nothing behind
	@$(py) -m tests.cluster down

e2e: cluster-build ## run the scenarios on the test cluster, or on that of E2E_KUBECONFIG
	@$(py) -m tests.e2e $(ARGS)

traps: cluster-build ## of the same tests, those that show that the rules' traps are real
	@$(py) -m pytest -m e2e -k test_traps tests/e2e $(ARGS)

ready: lint test ## what must pass before a change is handed in

$(stamps):
	@mkdir -p $@

$(venv): tests/tools/requirements.txt tests/tools/venv.py
	@$(PYTHON) tests/tools/venv.py
	@touch $@

$(stamps)/helm: tests/tools/programs.py | $(stamps)
	@$(PYTHON) tests/tools/programs.py helm3 helm4
	@touch $@

$(stamps)/dependency: chart/Chart.yaml $(venv) $(stamps)/helm
	@$(py) -m tests.tools.dependency
	@touch $@

$(stamps)/bench: tests/tools/programs.py | $(stamps)
	@$(PYTHON) tests/tools/programs.py kustomize yq
	@touch $@
