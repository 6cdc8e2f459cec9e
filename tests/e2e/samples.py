"""The series that must not lose a sample: read raw, and written by remote write.

Remote write is protobuf in a snappy block. Both are small enough to write here: a snappy block may
consist of literals only, and a write request has three kinds of message.
"""

from __future__ import annotations

import struct
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.cluster.cluster import Cluster, Endpoint
from tests.cluster.errors import ClusterError

PORT = 9090
JOB = "durable-self"
# Seconds between two scrapes of the job.
INTERVAL = 1
KNOWN = "durable_known"
UP = f'up{{job="{JOB}"}}'
# What is compared sample by sample: written series, and scraped ones that differ in each scrape.
COMPARED = (
    f'{{__name__=~"{KNOWN}|up|scrape_duration_seconds|process_cpu_seconds_total'
    '|go_memstats_alloc_bytes|prometheus_tsdb_head_samples_appended_total"}'
)
WINDOW = "2h"
# Samples of a batch, and milliseconds between two of them.
BATCH = 50
STEP = 10
LITERAL = 1 << 15
WRITE_HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}

Series = Mapping[int, str]
"""Milliseconds since the epoch -> value, as the server writes it."""
Samples = Mapping[str, Series]
"""Labels -> series."""


def scrape_config() -> list[dict[str, object]]:
    """Return the job by which each Prometheus scrapes itself, whatever its shard."""
    labels = {"__tmp_disable_sharding": "yes"}
    target = {"targets": [f"localhost:{PORT}"], "labels": labels}
    return [{"job_name": JOB, "scrape_interval": f"{INTERVAL}s", "static_configs": [target]}]


@dataclass(frozen=True)
class Prometheus:
    """One Prometheus, by its pod."""

    cluster: Cluster
    pod: str
    namespace: str

    def read(self, selector: str = COMPARED, window: str = WINDOW) -> Samples:
        """Return every raw sample of the series that a selector picks."""
        query = urllib.parse.urlencode({"query": f"{selector}[{window}]"})
        answer = self._ask(f"/api/v1/query?{query}")
        return {
            label_text(each["metric"]): {round(at * 1000): value for at, value in each["values"]}
            for each in answer["data"]["result"]
        }

    def scrapes(self, window: str = WINDOW) -> list[int]:
        """Return when the server scraped itself with success, in milliseconds, in order."""
        found = self.read(UP, window)
        return sorted(at for each in found.values() for at, value in each.items() if value == "1")

    def scrapes_after(self, moment: int) -> int:
        """Return how many scrapes there are since a moment; none while the server is away."""
        try:
            return sum(at > moment for at in self.scrapes("5m"))
        except (ClusterError, KeyError):  # no pod, no address of it yet, no answer, or an error
            return 0

    def write(self, salt: int) -> Series:
        """Write a batch of known samples that ends now, and return it."""
        end = now()
        batch = {end - STEP * (BATCH - i): float(salt * 1000 + i * i) + 0.5 for i in range(BATCH)}
        endpoint = Endpoint(self.pod, self.namespace, PORT)
        body = snappy(write_request({"__name__": KNOWN, "pod": self.pod}, batch))
        answer = self.cluster.http(endpoint, "/api/v1/write", body=body, headers=WRITE_HEADERS)
        if answer.status not in (200, 204):
            raise ClusterError(f"{self.pod} refused samples: {answer.status} {answer.body!r}")
        return {at: f"{value:.10g}" for at, value in batch.items()}

    def retention(self) -> str:
        """Return what the server says of its retention, by time or size."""
        return str(self._ask("/api/v1/status/runtimeinfo")["data"]["storageRetention"])

    def configuration(self) -> str:
        """Return the configuration that the server runs with; it shows no password."""
        return str(self._ask("/api/v1/status/config")["data"]["yaml"])

    def _ask(self, path: str) -> Any:
        answer = self.cluster.http(Endpoint(self.pod, self.namespace, PORT), path)
        if answer.status != 200:
            raise ClusterError(f"{self.pod}{path}: {answer.status} {answer.body!r}")
        return answer.json()


def now() -> int:
    """Return the time in milliseconds since the epoch."""
    return round(time.time() * 1000)


def label_text(labels: Mapping[str, str]) -> str:
    """Return a series' labels in one order."""
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))


def count(samples: Samples) -> int:
    """Return the number of samples."""
    return sum(len(each) for each in samples.values())


def lost(before: Samples, after: Samples) -> list[str]:
    """Return each sample of before that is missing afterwards, or has another value."""
    return [
        f"{labels} at {at}: {value}, now {after.get(labels, {}).get(at, 'missing')}"
        for labels, series in before.items()
        for at, value in series.items()
        if after.get(labels, {}).get(at) != value
    ]


def gap(scrapes: list[int], since: int) -> float:
    """Return the longest time between two scrapes since a moment, in scrape intervals."""
    around = [at for at in scrapes if at >= since]
    longest = max((later - at for at, later in pairwise(around)), default=0)
    return longest / 1000 / INTERVAL


def write_request(labels: Mapping[str, str], series: Mapping[int, float]) -> bytes:
    """Return prometheus.WriteRequest of one series: labels and samples, both in order."""
    pairs = b"".join(
        message(1, message(1, name.encode()) + message(2, value.encode()))
        for name, value in sorted(labels.items())
    )
    values = b"".join(
        message(2, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(at))
        for at, value in sorted(series.items())
    )
    return message(1, pairs + values)


def message(number: int, content: bytes) -> bytes:
    """Return a protobuf field that has a length."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    """Return a number as protobuf and snappy write it: seven bits a byte, the low ones first."""
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def snappy(content: bytes) -> bytes:
    """Return a snappy block that holds the content as it is, in literals of a two-byte length."""
    parts = [content[i : i + LITERAL] for i in range(0, len(content), LITERAL)]
    literals = (b"\xf4" + struct.pack("<H", len(part) - 1) + part for part in parts)
    return varint(len(content)) + b"".join(literals)
