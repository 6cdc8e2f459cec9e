"""Kubernetes quantities (10Gi, 500M, 1e9) and Prometheus sizes (40GB) in bytes."""

from __future__ import annotations

import re

QUANTITY = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(Ki|Mi|Gi|Ti|Pi|Ei|m|k|M|G|T|P|E|[eE][+-]?\d{1,3})?", re.ASCII)
SUFFIXES = {
    **{unit + "i": 1024**power for power, unit in enumerate("KMGTPE", 1)},
    **{unit: 1000**power for power, unit in enumerate("kMGTPE", 1)},
    "m": 0.001,
    None: 1,
}
# The pattern of the field in the operator's CRD; its units are powers of two, also without the i
# (prometheus-operator pkg/apis/monitoring/v1/types.go: "1KB is 1024B").
RETENTION = re.compile(r"0|(\d*\.)?\d+((K|M|G|T|E|P)i?)?B", re.ASCII)
GIB = 1024**3
MIB = 1024**2


def parse_quantity(text: str) -> int | None:
    """Bytes of a Kubernetes quantity, or None where the text is none."""
    found = QUANTITY.fullmatch(text)
    if not found:
        return None
    number, suffix = found.groups()
    if suffix and suffix[0] in "eE" and len(suffix) > 1:
        return int(float(number + suffix)) if abs(int(suffix[1:])) <= 100 else None  # noqa: PLR2004  far above any disk
    factor = SUFFIXES[suffix]
    return int(number) * int(factor) if number.isdigit() and factor >= 1 else int(float(number) * factor)


def parse_retention_size(text: str) -> int | None:
    """Bytes of a Prometheus retention size, or None where the operator would refuse the text."""
    if not RETENTION.fullmatch(text):
        return None
    number = text.rstrip("KMGTPEiB")
    unit = text[len(number) :].removesuffix("B").removesuffix("i")
    return int(float(number) * 1024 ** (" KMGTPE".index(unit) if unit else 0))


def auto_retention(size: int) -> str:
    """The larger of 80% of a size and the size less 50 GiB, as a Prometheus size.

    Blocks are removed after the limit is passed, and compaction needs room for a copy: Prometheus
    advises 80 to 85% of the disk. On big disks a fixed room is enough (Deckhouse uses the same rule).
    """
    room = max(size * 8 // 10, size - 50 * GIB)
    return f"{room // GIB}GiB" if room % GIB == 0 else f"{max(1, room // MIB)}MiB"
