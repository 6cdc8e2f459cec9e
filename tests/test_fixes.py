"""The fixes, pasted as a person does: as another values file, on the whole chart, by both Helms."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from durable.findings import REFUSE, Finding
from tests.checking import findings
from tests.rendering import EACH_MAJOR, render

PROVISIONED = """\
persistence:
  prometheus: {storageClassName: fast}
  alertmanager: {storageClassName: fast}
  thanosRuler: {enabled: auto, storageClassName: fast}
  grafana: {storageClassName: fast}
"""
STATIC = """\
storageClasses: [{name: disks}]
persistence:
  prometheus: {storageClassName: disks, volumes: [{node: node-1, local: /mnt/prometheus}]}
  alertmanager: {storageClassName: disks, volumes: [{node: node-1, local: /mnt/alertmanager}]}
  thanosRuler: {enabled: auto, storageClassName: disks}
  grafana: {storageClassName: disks, volumes: [{node: node-1, local: /mnt/grafana}]}
"""
APART = """\
affinity:
  podAntiAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector: {matchLabels: {app.kubernetes.io/name: prometheus}}
"""
DRIVER = "storageClasses: [{name: fast, provisioner: ebs.csi.aws.com, parameters: {type: gp3}}]\n"


def _server(spec: str, kind: str = "prometheus") -> str:
    """Return upstream's values for one of the custom resources."""
    return yaml.safe_dump({"kube-prometheus-stack": {kind: {f"{kind}Spec": yaml.safe_load(spec)}}})


def _grafana(values: str) -> str:
    return yaml.safe_dump({"kube-prometheus-stack": {"grafana": yaml.safe_load(values)}})


def _claim(template: str, key: str = "storageSpec") -> str:
    return f"{key}: {{volumeClaimTemplate: {{spec: {template}}}}}"


BIG = "{resources: {requests: {storage: 500Gi}}}"
SELECTED = "{selector: {matchLabels: {a: b}}}"
DELETED = "persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete, whenScaled: Delete}"
TWO = "{prometheus: {volumes: [{node: node-1, local: /mnt/a}, {node: node-1, local: /mnt/b}]}}"
# By name: the rule, the plan, and what is wished for on top of it.
WISHES: dict[str, tuple[str, str, str]] = {
    "an agent without storage": (
        "agent/stateful",
        PROVISIONED,
        _server("additionalConfig: {mode: DaemonSet}").replace(
            "  prometheus:\n", "  prometheus:\n    agentMode: true\n"
        ),
    ),
    "a storage key that is dead": (
        "claims/durable",
        PROVISIONED,
        _server("additionalConfig: {storageSpec: {volumeClaimTemplate: {}}}"),
    ),
    "a size that is dead": (
        "claims/durable",
        PROVISIONED,
        _server(f"storageSpec: {{volumeClaimTemplate: {BIG}}}"),
    ),
    "data elsewhere": (
        "claims/durable",
        PROVISIONED,
        _grafana("grafana.ini: {paths: {data: /srv}}"),
    ),
    "data elsewhere by a variable": (
        "claims/durable",
        PROVISIONED,
        _grafana("env: {GF_PATHS_DATA: /srv}"),
    ),
    "more than the plan": ("claims/not-smaller", PROVISIONED, _server(_claim(BIG))),
    "more silences than the plan": (
        "claims/not-smaller",
        PROVISIONED,
        _server(_claim(BIG, "storage"), "alertmanager"),
    ),
    "claims deleted": ("claims/never-deleted", PROVISIONED, _server(DELETED)),
    "silences deleted": ("claims/never-deleted", PROVISIONED, _server(DELETED, "alertmanager")),
    "a selector": ("claims/selector", DRIVER + PROVISIONED, _server(_claim(SELECTED))),
    "a selector for silences": (
        "claims/selector",
        DRIVER + PROVISIONED,
        _server(_claim(SELECTED, "storage"), "alertmanager"),
    ),
    "a class that deletes": (
        "classes/retained",
        DRIVER.replace("{name", "{reclaimPolicy: Delete, name") + PROVISIONED,
        "",
    ),
    "a class that does not wait": (
        "classes/late-binding",
        STATIC.replace("{name: disks}", "{name: disks, volumeBindingMode: Immediate}"),
        "",
    ),
    "no Grafana": ("consumers/present", PROVISIONED, _grafana("enabled: false")),
    "a claim that is hidden": (
        "grafana/claim-used",
        PROVISIONED,
        _grafana("{useStatefulSet: true, persistence: {enabled: true, existingClaim: mine}}"),
    ),
    "a claim with data": (
        "grafana/data-seen",
        PROVISIONED,
        _grafana("persistence: {enabled: true, existingClaim: mine}"),
    ),
    "three Grafanas": ("grafana/one-writer", PROVISIONED, _grafana("replicas: 3")),
    "a misspelt type": (
        "grafana/runs",
        PROVISIONED,
        _grafana("persistence: {enabled: true, type: statefulSet}"),
    ),
    "directories of root": (
        "ownership/ignored",
        STATIC.replace("local:", "hostPath:"),
        "",
    ),
    "a mount without its volume": (
        "pods/mounts",
        PROVISIONED,
        _server("volumeMounts: [{name: extra, mountPath: /extra}]"),
    ),
    "a limit above the size": ("retention/fits", PROVISIONED, _server("retentionSize: 49GB")),
    "a quantity": ("retention/unit", PROVISIONED, _server("retentionSize: 20Gi")),
    "days in words": ("retention/unit", PROVISIONED, _server("retention: 30 days")),
    "days of silences": (
        "retention/unit",
        PROVISIONED,
        _server("retention: 5d", "alertmanager"),
    ),
    "a share of the disk": (
        "retention/shared-disk",
        STATIC,
        _server("additionalConfig: {retentionPercentage: 80}"),
    ),
    "three pods, one volume": ("volumes/enough", STATIC, _server("replicas: 3")),
    "two pods, one name": (
        "volumes/enough",
        PROVISIONED,
        _server(f"replicas: 2\n{_claim('{volumeName: history}')}"),
    ),
    "no volume": ("volumes/enough", "storageClasses: [{name: fast}]\n" + PROVISIONED, ""),
    "a raw device": (
        "volumes/filesystem",
        PROVISIONED,
        _server(_claim("{volumeMode: Block}")),
    ),
    "NFS": (
        "volumes/posix",
        STATIC,
        "persistence: {prometheus: {volumes: [{nfs: {server: s, path: /p}}]}}",
    ),
    "EFS": ("volumes/posix", DRIVER.replace("ebs", "efs") + PROVISIONED, ""),
    "another node": (
        "volumes/reachable",
        STATIC,
        _server("nodeSelector: {kubernetes.io/hostname: node-2, disk: ssd}"),
    ),
    "another node for Grafana": (
        "volumes/reachable",
        STATIC,
        _grafana("nodeSelector: {kubernetes.io/hostname: node-2}"),
    ),
    "one node of two": (
        "volumes/reachable",
        STATIC.replace("mnt/prometheus}", "mnt/p0}, {node: node-2, local: /mnt/p1}"),
        _server("{replicas: 2, nodeSelector: {kubernetes.io/hostname: node-2}}"),
    ),
    "another node by the plan": (
        "volumes/reachable",
        STATIC.replace("prometheus: {", "prometheus: {nodes: [node-2], "),
        "",
    ),
    "apart by the chart": (
        "volumes/reachable",
        f"{STATIC}",
        _server("{replicas: 2, podAntiAffinity: hard}") + f"persistence: {TWO}",
    ),
    "apart by hand": (
        "volumes/reachable",
        STATIC,
        _server(f"replicas: 2\npodAntiAffinity: ''\n{APART}") + f"persistence: {TWO}",
    ),
    "no Prometheus": (
        "volumes/reserved",
        STATIC,
        "kube-prometheus-stack: {prometheus: {enabled: false}}",
    ),
}
# Where values are written in a fix.
BLOCK = re.compile(r"(?:kube-prometheus-stack|persistence|storageClasses): (?=[\[{])")


def blocks(fix: str) -> list[str]:
    """Return the values in a fix, each as far as its brackets go; of alternatives the first."""
    found, at = [], 0
    fix = fix.partition(", or ")[0]
    while match := BLOCK.search(fix, at):
        depth, at = 0, match.end()
        while depth or at == match.end():
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(fix[at], 0)
            at += 1
        found.append(fix[match.start() : at])
    return found


def filled(block: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a block, its blanks filled in as a person does."""
    numbers = itertools.count()
    for blank, instead in (("/PATH", "/mnt/new"), ("NODE", "new"), ("A-BLOCK-CLASS", "block")):
        while blank in block:
            block = block.replace(blank, f"{instead}-{next(numbers)}", 1)
    pasted: dict[str, Any] = yaml.safe_load(block)
    for name, consumer in pasted.get("persistence", {}).items():
        if isinstance(consumer, dict) and "..." in consumer.get("volumes", []):
            before = values["persistence"][name]["volumes"]
            consumer["volumes"] = [*before, *consumer["volumes"][1:]]
    return pasted


@EACH_MAJOR
@pytest.mark.parametrize("wish", WISHES)
def test_a_pasted_fix_mends(major: int, wish: str, tmp_path: Path) -> None:
    """The rule is silent once its fixes are pasted, and nothing else refuses in its place."""
    rule, plan, more = WISHES[wish]
    values, files = yaml.safe_load(plan), [_file(tmp_path, plan), _file(tmp_path, more)]
    found = _found(major, files)
    assert rule in {each.rule for each in found}, found
    pasted = [block for each in found for block in blocks(each.fix)]
    assert pasted
    files += [_file(tmp_path, yaml.safe_dump(filled(block, values))) for block in pasted]
    left = [each.text() for each in _found(major, files) if rule == each.rule or refuses(each)]
    assert [] == left, pasted


def refuses(finding: Finding) -> bool:
    """Say whether a finding stops the run."""
    return finding.severity == REFUSE


def _file(folder: Path, text: str) -> Path:
    path = folder / f"values-{len(list(folder.iterdir()))}.yaml"
    path.write_text(text)
    return path


def _found(major: int, files: list[Path]) -> tuple[Finding, ...]:
    return findings(render(major, {}, *files))
