"""Options, profiles and fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, configuration, settings

from tests.tools import corpus as recorded

ROOT = Path(__file__).resolve().parents[1]

configuration.set_hypothesis_home_dir(ROOT / ".tools" / "cache" / "hypothesis")
# The suite tries the same examples in each run; a slow machine is no failure.
settings.register_profile(
    "suite",
    derandomize=True,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
# By hand: DURABLE_EXAMPLES=100000 .venv/bin/python -m pytest --hypothesis-profile=hand
settings.register_profile(
    "hand",
    settings.get_profile("suite"),
    derandomize=False,
    max_examples=int(os.environ.get("DURABLE_EXAMPLES", "20000")),
)
settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch that rewrites the golden files."""
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden files anew, then compare"
    )


@pytest.fixture(scope="session")
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Say whether the golden files are to be written anew."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the root of the project."""
    return ROOT


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Return the folder of the recorded streams, or skip where nobody has them."""
    if not recorded.names():
        pytest.skip(recorded.ABSENT)
    return recorded.FOLDER
