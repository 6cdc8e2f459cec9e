"""Read YAML texts as Helm and the API server do, by sigs.k8s.io/yaml, in a render by real Helm."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.helm import documents, template

CHART = "apiVersion: v2\nname: reader\nversion: 0.1.0\n"
# In base64, so that nothing on the way back has a YAML reader of its own.
TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: reader
data:
{{- range $path, $_ := .Files.Glob "texts/*" }}
  {{ base $path }}: {{ $.Files.Get $path | fromYaml | toJson | b64enc | quote }}
{{- end }}
"""


def read_all(major: int, texts: Sequence[str], folder: Path) -> list[Any]:
    """Return what each text means, in one render; a text that Go refuses is {"Error": why}."""
    (folder / "templates").mkdir(parents=True)
    (folder / "texts").mkdir()
    (folder / "Chart.yaml").write_text(CHART)
    (folder / "templates" / "reader.yaml").write_text(TEMPLATE)
    for number, text in enumerate(texts):
        (folder / "texts" / f"t{number:06}").write_bytes(text.encode())
    (found,) = documents(template(major, folder))
    told = found["data"]
    return [json.loads(base64.b64decode(told[name])) for name in sorted(told)]


def as_json(value: Any) -> Any:
    """Return a value with its numbers as floats, since JSON has no other, told from booleans."""
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return ("number", float(value))
    return value
