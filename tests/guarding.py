"""A guard of the chart as its tests tell it: what is set, and the words of the refusal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tests.rendering import Settings, static


@dataclass(frozen=True)
class Guard:
    """What is set, and the words that the refusal has in it."""

    settings: Settings
    says: str
    release: str = "kps"

    def beside(self, settings: Settings) -> Guard:
        """Return the guard with more settings."""
        return replace(self, settings=self.settings | settings)


def volume_guard(entry: Any, says: str, consumer: str = "prometheus") -> Guard:
    """Return a guard of a consumer's one volume; `says` follows its place."""
    return Guard(static(entry, consumer=consumer), f"persistence.{consumer}.volumes[0]{says}")


def classes(reclaim: str, *names: str) -> Settings:
    """Return the settings of classes with one reclaim policy."""
    return {"storageClasses": [{"name": name, "reclaimPolicy": reclaim} for name in names]}
