"""Kubernetes quantities (10Gi, 500M, 1e9) and Prometheus sizes (40GB) in bytes."""

from __future__ import annotations

import re

from durable.pattern import pattern

NUMBER = r"(\d+)(?:\.(\d*))?|\.(\d+)"
QUANTITY = pattern(rf"([+-]?)(?:{NUMBER})([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d{{1,2}})?", re.ASCII)
FACTORS = {
    **{f"{unit}i": (1024**power, 1) for power, unit in enumerate("KMGTPE", 1)},
    **{unit: (1000**power, 1) for power, unit in enumerate("kMGTPE", 1)},
    **{unit: (1, 1000**power) for power, unit in enumerate("mun", 1)},
    "": (1, 1),
}
# The pattern of the field in the operator's CRD; its units are powers of two, also without the i
# (prometheus-operator pkg/apis/monitoring/v1/types.go: "1KB is 1024B").
RETENTION = pattern(r"0|(?:(\d*)\.)?(\d+)(?:([KMGTPE])i?)?B", re.ASCII)
# Python converts no longer digits, and nobody means them.
LONGEST = 1000
GIB = 1024**3
MIB = 1024**2


def parse_quantity(text: str) -> int | None:
    """Bytes of a Kubernetes quantity, fractions rounded up, or None where the text is none."""
    found = QUANTITY.fullmatch(text)
    if not found or len(text) > LONGEST:
        return None
    sign, whole, decimals, bare, suffix = (group or "" for group in found.groups())
    decimals = decimals or bare
    factor, divisor = FACTORS.get(suffix) or _power(int(suffix[1:]))
    tenths: int = 10 ** len(decimals)
    size = -(-int(whole + decimals) * factor // (divisor * tenths))
    return -size if sign == "-" else size


def _power(exponent: int) -> tuple[int, int]:
    return (10**exponent, 1) if exponent >= 0 else (1, 10**-exponent)


def parse_retention_size(text: str) -> int | None:
    """Bytes of a Prometheus retention size, or None where the operator would refuse the text."""
    found = RETENTION.fullmatch(text)
    if not found or len(text) > LONGEST:
        return None
    whole, last, unit = (group or "" for group in found.groups())
    # Without a point the digits are the whole number, with one they are its decimals.
    tenths: int = 10 ** (len(last) if "." in text else 0)
    factor: int = 1024 ** " KMGTPE".index(unit or " ")
    return int(whole + last or "0") * factor // tenths


def auto_retention(size: int) -> str:
    """The larger of 80% of a size and the size less 50 GiB, as a Prometheus size.

    Blocks are removed after the limit is passed, and compaction needs room for a copy: Prometheus
    advises 80 to 85% of the disk. On big disks a fixed room is enough (Deckhouse uses the same
    rule).
    """
    room = max(size * 8 // 10, size - 50 * GIB)
    return f"{room // GIB}GiB" if room and room % GIB == 0 else f"{max(1, room // MIB)}MiB"
