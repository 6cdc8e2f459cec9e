"""YAML text to values and back; YAML 1.1, YAML 1.2 and Go readers agree on what is written."""

from __future__ import annotations

import math
import re

from durable.errors import DocumentError
from durable.pattern import pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What sigs.k8s.io/yaml (goyaml.v2, which Helm and the API server read by) makes of plain scalars.
NULLS = frozenset({"", "~", "null", "Null", "NULL"})
TRUE = frozenset({"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
FALSE = frozenset({"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})
INT = pattern(r"[-+]?(0[bB][01]+|0[xX][0-9a-fA-F]+|0[oO]?[0-7]*|[1-9][0-9]*)")
FLOAT = pattern(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
LOOSE = pattern(r"(?<![0-9])_|_(?![0-9])")  # an underscore that does not part two digits
OCTAL = pattern(r"([-+]?)0([0-7]+)")
SPECIAL = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}
NUMBER_START = frozenset("0123456789.+-")

# A string is written bare only when no reader can take it for something else: an allow-list, since
# lists of words to quote were found wanting (YAML 1.1 and 1.2 disagree on more than one thinks of).
# Quantities such as 10Gi alone may start with a digit (not 10E: an exponent to some).
BARE = pattern(
    r"[A-Za-z/][A-Za-z0-9_./@%+-]*(:[A-Za-z0-9_./@%+-]+)*( [A-Za-z0-9_./@%+-]+)*"
    r"|[1-9][0-9]*[KMGTP]iB?",
    re.ASCII,
)
WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
# Lines of printable ASCII without blanks at their ends, the first and the last one not empty.
LITERAL = pattern(r"[!-~](?:[ -~]*[!-~])?(?:\n+[ -~]*[!-~])*\n")
# Written as escapes: controls, line breaks of YAML 1.1 only (NEL, LS, PS), and the BOM.
UNSAFE = pattern('[\x00-\x1f"\\\\\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]')
ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
# libyaml and goyaml give up on an implicit key that is longer than 1024 characters.
KEY_LIMIT = 1000


class Verbatim(str):
    """The source text of a plain scalar, copied as it stands (0644 stays 0644)."""

    __slots__ = ()


def resolve(text: str) -> Any:
    """Give the value of a plain scalar as goyaml.v2 reads it; dates stay strings.

    Not resolved as PyYAML does: 22:22 is a string, 1e3 a number, y a boolean.
    """
    if text in NULLS:
        return None
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    if text[0] not in NUMBER_START:
        return text
    return _number(text)


def _number(text: str) -> Any:
    if text.lower() in SPECIAL:
        return SPECIAL[text.lower()]
    digits = text.replace("_", "")
    try:
        if INT.fullmatch(digits):
            octal = OCTAL.fullmatch(digits)
            number = int(f"{octal[1]}0o{octal[2]}", 8) if octal else int(digits, 0)
            # Beyond 64 bits Go reads digits as a float, and other bases as text.
            fits = -(2**63) <= number < 2**64 or digits.lstrip("+-").isdigit()
            return number if fits else text
        if FLOAT.fullmatch(digits) and not (text[0] == "." and LOOSE.search(text)):
            return int(digits) if digits.lstrip("+-").isdigit() else float(digits)
    except ValueError:  # 0b, 0x, or more digits than Python converts: text to us
        return text
    return text


def write_string(text: str) -> str:
    """Write a string on one line, quoted unless it is plainly a word, a path or a sentence."""
    if BARE.fullmatch(text) and text.lower() not in WORDS:
        return text
    return quote(text)


def quote(text: str) -> str:
    r"""Write a string in double quotes, without what Go refuses there: \/ and surrogate pairs."""
    return '"' + UNSAFE.sub(lambda m: ESCAPES.get(m[0]) or f"\\u{ord(m[0]):04x}", text) + '"'


def write_key(key: str, *, flow: bool = False) -> str:
    """Write a mapping key; an overlong one is refused, because no reader takes it."""
    if isinstance(key, Verbatim):
        return str(key)
    text = quote(key) if flow else write_string(key)
    if len(text) > KEY_LIMIT:
        raise DocumentError(
            f"the key {key[:40]!r}... has {len(key)} characters; "
            f"YAML readers take at most {KEY_LIMIT}"
        )
    return text


def write_inline(value: Any) -> str:
    """Write any value on one line; collections in the part of flow style that is also JSON."""
    if isinstance(value, dict):
        pairs = (f"{write_key(k, flow=True)}: {_flow(v)}" for k, v in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str) and not isinstance(value, Verbatim):
        return write_string(value)
    return _scalar(value)


def write_flow(value: Any) -> str:
    """Write any value for the inside of a flow collection: strings always in double quotes."""
    return _flow(value)


def _flow(value: Any) -> str:
    if isinstance(value, str) and not isinstance(value, Verbatim):
        return quote(value)
    return write_inline(value)


def _scalar(value: Any) -> str:
    if isinstance(value, Verbatim):
        return str(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return _float(value)
    msg = f"{value!r} cannot be written: JSON has no such value"
    raise DocumentError(msg)


def _float(value: float) -> str:
    """1e+16 is a string to YAML 1.1 (it wants a dot), so write 1.0e+16."""
    mantissa, mark, exponent = repr(value).partition("e")
    if mark and "." not in mantissa:
        mantissa += ".0"
    return mantissa + mark + exponent


def write_block(
    value: dict[str, Any] | list[Any], column: int, *, literal: bool = True
) -> list[str]:
    """Write a non-empty collection in block style as lines; the first one is not indented.

    Without ``literal`` each string is on one line: what follows could be taken for its text.
    """
    lines: list[str] = []
    pad = " " * column
    entries = value.items() if isinstance(value, dict) else ((None, v) for v in value)
    for key, child in entries:
        head = "-" if key is None else write_key(key) + ":"
        body = _block_entry(child, column, sequence=key is None, literal=literal)
        lines += [(pad if lines else "") + head + body[0], *body[1:]]
    return lines


def _block_entry(child: Any, column: int, *, sequence: bool, literal: bool) -> list[str]:
    """Lines that follow ``key:`` or ``-``."""
    inner = column + 2
    if child and isinstance(child, (dict, list)):
        nested = write_block(child, inner, literal=literal)
        if sequence:
            return [" " + nested[0], *nested[1:]]
        return ["", " " * inner + nested[0], *nested[1:]]
    if literal and type(child) is str and LITERAL.fullmatch(child):
        body = (" " * inner + line if line else "" for line in child[:-1].split("\n"))
        return [" |", *body]
    return [" " + write_inline(child)]
