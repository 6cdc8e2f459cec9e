"""A provisioner of volumes, for classes that make their volumes themselves.

local-path-provisioner makes a folder on the node for each claim, by a pod of busybox. The folder is
root's and not for everybody, as a new disk is. A class with the annotation
`defaultVolumeType: local` gets `local` volumes, which obey fsGroup as a driver's do; without it
they are `hostPath` volumes.
"""

from __future__ import annotations

import json
from typing import Any

from tests.cluster.control_plane import Component
from tests.cluster.layout import Layout
from tests.cluster.programs import program

NAME = "rancher.io/local-path"
NAMESPACE = "local-path-storage"
SCRIPTS = "local-path-scripts"
IMAGE = "docker.io/library/busybox:1.37.0"
ANY_NODE = "DEFAULT_PATH_FOR_NON_LISTED_NODES"


def manifests() -> list[dict[str, Any]]:
    """Return the namespace of the pods that make folders, and what they run."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": SCRIPTS, "namespace": NAMESPACE},
            "data": {"setup": 'mkdir -p "$VOL_DIR"\n', "teardown": 'rm -rf "$VOL_DIR"\n'},
        },
    ]


def component(layout: Layout) -> Component:
    """Return the provisioner, with its settings written."""
    settings = layout.settings / "provisioner.json"
    paths = [{"node": ANY_NODE, "paths": [str(layout.disks / "provisioned")]}]
    settings.write_text(json.dumps({"nodePathMap": paths}))
    pod = layout.settings / "provisioner-pod.json"
    container = {"name": "make-folder", "image": IMAGE}
    pod.write_text(
        json.dumps({"metadata": {"name": "make-folder"}, "spec": {"containers": [container]}})
    )
    return Component(
        "local-path-provisioner",
        (
            *(str(program("local-path-provisioner")), "start"),
            f"--config={settings}",
            f"--configmap-name={SCRIPTS}",
            f"--helper-image={IMAGE}",
            f"--helper-pod-file={pod}",
            f"--kubeconfig={layout.kubeconfig}",
            f"--namespace={NAMESPACE}",
            f"--provisioner-name={NAME}",
            "--service-account-name=default",
        ),
    )
