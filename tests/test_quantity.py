"""Sizes: the notations of Kubernetes and of Prometheus, and what auto comes to."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable.quantity import auto_retention, parse_quantity, parse_retention_size

# From k8s.io/apimachinery pkg/api/resource: suffixes of quantities.
FACTORS = {
    "": Fraction(1),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 10**3),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "P": Fraction(10**15),
    "E": Fraction(10**18),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "Ti": Fraction(2**40),
    "Pi": Fraction(2**50),
    "Ei": Fraction(2**60),
}
EXPONENTS = {
    f"{e}{sign}{n}": Fraction(10) ** int(f"{sign}{n}")
    for e in "eE"
    for sign in ("", "+", "-")
    for n in (0, 3, 18)
}
# The operator's CRD: spec.retentionSize of a Prometheus.
CRD_PATTERN = re.compile(r"(^0|([0-9]*[.])?[0-9]+((K|M|G|T|E|P)i?)?B)$")
UNITS = {unit: Fraction(1024) ** power for power, unit in enumerate(("", *"KMGTPE"))}
GIB = 1024**3

digits = st.text("0123456789", min_size=1, max_size=20)
numbers = st.one_of(
    digits,
    st.builds("{}.{}".format, digits, digits),
    st.builds("{}.".format, digits),
    st.builds(".{}".format, digits),
)
sizes = st.one_of(
    digits, st.builds("{}.{}".format, digits, digits), st.builds(".{}".format, digits)
)


def _fraction(number: str) -> Fraction:
    return Fraction(f"0{number}0" if "." in number else number)


@given(st.sampled_from(["", "+", "-"]), numbers, st.sampled_from(sorted(FACTORS | EXPONENTS)))
def test_quantity(sign: str, number: str, suffix: str) -> None:
    """A quantity is its number times its suffix, rounded away from zero to whole bytes."""
    size = math.ceil(_fraction(number) * (FACTORS | EXPONENTS)[suffix])
    assert (-size if sign == "-" else size) == parse_quantity(f"{sign}{number}{suffix}")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("50Gi", 53687091200),
        ("50G", 50000000000),
        ("1.5Gi", 1610612736),
        ("0.1Gi", 107374183),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1E", 10**18),
        ("1Ei", 2**60),
        ("100m", 1),
        ("0", 0),
    ],
)
def test_quantities_by_hand(text: str, size: int) -> None:
    """Quantities that are easily mixed up are told apart."""
    assert size == parse_quantity(text)


NO_QUANTITIES = [
    "", ".", "Gi", "5gi", "5GB", "5 Gi", " 5Gi", "5Gi ", "5Gi\n", "1_000", "5,5Gi", "--5", "0x10",
    "1e", "1e+", "1e1000", "\u0663Gi", "5K", "5Mii", "NaN", "inf",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_QUANTITIES)
def test_no_quantities(text: str) -> None:
    """What Kubernetes would not take for a quantity is none."""
    assert parse_quantity(text) is None


@given(sizes, st.sampled_from(sorted(UNITS)), st.sampled_from(["", "i"]))
def test_retention_size(number: str, unit: str, binary: str) -> None:
    """A Prometheus size is 2^10 based, with and without the i."""
    text = f"{number}{unit}{binary if unit else ''}B"
    assert CRD_PATTERN.search(text)
    assert int(_fraction(number) * UNITS[unit]) == parse_retention_size(text)


@given(st.text("0123456789.KMGTPEiBk ", max_size=8))
def test_retention_size_is_the_crds(text: str) -> None:
    """A text is a size for us exactly where the operator's schema takes it whole."""
    matched = CRD_PATTERN.match(text)
    whole = bool(matched) and matched is not None and matched[0] == text
    assert whole == (parse_retention_size(text) is not None)


@pytest.mark.parametrize(
    ("size", "limit"),
    [
        ("50Gi", "40GiB"),
        ("200Gi", "160GiB"),
        ("250Gi", "200GiB"),  # from here on 50 GiB are less than 20%
        ("251Gi", "201GiB"),
        ("1Ti", "974GiB"),
        ("1Ei", "1073741774GiB"),
        ("50G", "38146MiB"),
        ("5Gi", "4GiB"),
        ("1Gi", "819MiB"),
        ("8Mi", "6MiB"),
        ("1", "1MiB"),
    ],
)
def test_auto_retention(size: str, limit: str) -> None:
    """Auto is the larger of 80% of the size and the size less 50 GiB."""
    assert limit == auto_retention(parse_quantity(size) or 0)


@given(st.integers(min_value=2 * 1024**2, max_value=2**62))
def test_auto_retention_leaves_room(size: int) -> None:
    """The limit is a size that the operator takes, below the volume's, by a fifth or 50 GiB."""
    limit = parse_retention_size(auto_retention(size))
    assert limit is not None
    room = max(size * 4 // 5, size - 50 * GIB)
    assert room - 1024**2 < limit <= room
