"""A writer of YAML that no dumper would be: each node in a style of its own, comments anywhere."""

from __future__ import annotations

import random
import re
from typing import Any

import yaml

WORD = re.compile(r"[A-Za-z][A-Za-z0-9_/.]*")
LITERAL = re.compile(r"[!-~](?:[ -~]*[!-~])?(?:\n+[ -~]*[!-~])*\n*")
BARE = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def quoted(text: str) -> str:
    """Return a text in double quotes, on one line."""
    told = yaml.dump(text, Dumper=yaml.SafeDumper, default_style='"', width=10**6)
    return str(told).removesuffix("\n")


class Hand:
    """Writes one document; the dice decide on the style of each node."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311  no secret is made of it
        self.notes = 0

    def document(self, value: Any) -> str:
        """Return the text of a document."""
        head = self.one("", "", "---\n", "--- # head\n", "# head\n---\n")
        lines = self.block(value, 0) if value and self.maybe(0.9) else [self.flow(value)]
        return head + "\n".join(lines) + self.one("\n", "\n", "", "\n...\n", "\n\n", "\n# tail\n")

    def maybe(self, chance: float) -> bool:
        """Throw the dice."""
        return self.dice.random() < chance

    def one(self, *options: str) -> str:
        """Choose."""
        return self.dice.choice(options)

    def note(self) -> str:
        """Return a comment that stands nowhere else."""
        self.notes += 1
        return f"# note {self.notes}!"

    def between(self, column: int) -> list[str]:
        """Return lines without content: blank ones, comments at any depth."""
        if self.maybe(0.8):
            return []
        depth = self.dice.choice((column, column, 0, column + 2, column + 5))
        return [self.one("", "   ", " " * depth + self.note(), " " * depth + self.note())]

    def behind(self) -> str:
        """Return what may stand behind a value on its line."""
        return (
            self.one(" ", "\t", "   ") + self.note() if self.maybe(0.15) else self.one("", "", " ")
        )

    def block(self, value: Any, column: int) -> list[str]:
        """Return the lines of a collection, each of them indented."""
        lines: list[str] = []
        pad = " " * column
        for key, child in value.items() if isinstance(value, dict) else ((None, v) for v in value):
            lines += self.between(column)
            first, *rest = self.entry(key, child, column)
            lines += [pad + first, *rest]
        return lines

    def entry(self, key: str | None, child: Any, column: int) -> list[str]:
        """Return the lines of an entry; the first one is not indented."""
        if key is None:
            return self.valued("-", child, column, compact=True)
        name = self.key(key)
        if self.maybe(0.1):
            first, *rest = self.valued(":", child, column, compact=False)
            return [f"? {name}{self.behind()}", " " * column + first, *rest]
        return self.valued(name + self.one(":", ":", ":", " :"), child, column, compact=False)

    def valued(self, head: str, child: Any, column: int, *, compact: bool) -> list[str]:
        """Return the lines that a key or a dash starts."""
        if child and isinstance(child, dict | list) and self.maybe(0.75):
            return self.nested(head, child, column, compact=compact)
        if isinstance(child, str) and LITERAL.fullmatch(child) and self.maybe(0.5):
            return self.literal(head, child, column + self.dice.choice((1, 2, 4)))
        if child is None and self.maybe(0.5):
            return [head + self.behind()]
        text = self.flow(child) if isinstance(child, dict | list) else self.scalar(child)
        gap = self.one(
            " ", " ", "  ", "\t", f"\n{' ' * (column + 1)}", f" {self.note()}\n   {' ' * column}"
        )
        return [head + gap + self.property() + text + self.behind()]

    def nested(self, head: str, child: Any, column: int, *, compact: bool) -> list[str]:
        """Return a block below a key or a dash, or beginning behind the dash."""
        if compact and self.maybe(0.7):
            gap = self.dice.choice((1, 1, 1, 3))
            first, *rest = self.block(child, column + 1 + gap)
            if first.strip() and not first.lstrip().startswith("#"):
                return [head + " " * gap + first.lstrip(" "), *rest]
        flat = isinstance(child, list) and head != "-" and self.maybe(0.5)
        deeper = column if flat else column + self.dice.choice((1, 2, 2, 4))
        tag = " !!map" if isinstance(child, dict) else " !!seq"
        marks = head + self.one("", "", "", "", tag, f" &a{self.dice.randrange(10**6)}")
        return [marks + self.behind(), *self.between(deeper), *self.block(child, deeper)]

    def literal(self, head: str, text: str, column: int) -> list[str]:
        """Return a literal block."""
        chomp = {0: "-", 1: ""}.get(len(text) - len(text.rstrip("\n")), "+")
        lines = text.split("\n")[: -1 if chomp != "-" else None]
        return [f"{head} |{chomp}{self.behind()}", *(" " * column + i if i else "" for i in lines)]

    def property(self) -> str:
        """Return an anchor that nobody uses, or nothing."""
        return f"&a{self.dice.randrange(10**6)} " if self.maybe(0.05) else ""

    def key(self, text: str) -> str:
        """Return a key on one line."""
        bare = WORD.fullmatch(text) and text.lower() not in BARE
        return text if bare and self.maybe(0.8) else quoted(text)

    def scalar(self, value: Any) -> str:
        """Return a scalar on one line, or on two where it is a long plain one."""
        style = self.dice.choice((None, None, "'", '"'))
        told = yaml.dump(
            value,
            Dumper=yaml.SafeDumper,
            default_style=style if isinstance(value, str) else None,
            allow_unicode=True,
            width=10**6,
        )
        text = told.removesuffix("\n").removesuffix("\n...")
        return quoted(value) if "\n" in text else text

    def flow(self, value: Any) -> str:
        """Return a value in flow style, perhaps on several lines."""
        if isinstance(value, dict):
            items = [self.pair(k, v) for k, v in value.items()]
            return "{" + self.listed(items) + "}"
        if isinstance(value, list):
            return "[" + self.listed([self.flow(item) for item in value]) + "]"
        return self.scalar(value)

    def pair(self, key: str, value: Any) -> str:
        """Return an entry of braces."""
        name = quoted(key)
        if value is None and self.maybe(0.4):
            return self.one(name, f"{name}:", f"{name}: ", f"? {name} ")
        return self.one("", "", "", "? ") + name + self.one(": ", " : ", ":  ") + self.flow(value)

    def listed(self, items: list[str]) -> str:
        """Return entries with their commas."""
        text = self.gap()
        for place, item in enumerate(items):
            last = place == len(items) - 1
            text += item + self.gap() + ("" if last and self.maybe(0.7) else ",") + self.gap()
        return text

    def gap(self) -> str:
        """Return what may stand between the signs of a flow."""
        return self.one("", "", " ", " ", " ", "\n      ", f" {self.note()}\n         ")
