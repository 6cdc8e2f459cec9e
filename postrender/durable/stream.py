"""Bytes to documents and back; a document that nobody edits keeps its bytes.

Nothing is parsed into nodes here: kinds are peeked, and libyaml is only asked whether a document is YAML at all.
"""

from __future__ import annotations

import re

from durable.document import Document
from durable.errors import DocumentError, StreamError
from durable.libyaml import CParser, MarkedYAMLError, YAMLError
from durable.pattern import pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LINE_BREAK = b"\n"
BOM = b"\xef\xbb\xbf"
KIND = pattern(rb"""^kind:[ \t]*["']?([A-Za-z]+)["']?[ \t]*(?:#.*)?\r?$""", re.MULTILINE)
NAME = pattern(
    rb"""^metadata:[ \t]*\r?\n(?:[ \t#-].*\n)*?[ \t]+name:[ \t]*["']?([^\s"'#]+)""", re.MULTILINE
)
CONTENT = pattern(rb"[A-Za-z{\[\"']")
# What stands before the blank before an alias.
BEFORE_ALIAS = (b":", b"-", b",", b"[")
# Upstream's own files of hundreds of kilobytes each: their kind is peeked, their text is passed on unread.
UNREAD = "CustomResourceDefinition"


class Chunk:
    """One document's place in the stream: its bytes, its number (from 1) and what was peeked."""

    __slots__ = ("_document", "data", "end", "kind", "number", "start")

    def __init__(self, data: bytes, start: int, end: int, number: int) -> None:
        self.data = data
        self.start = start
        self.end = end
        self.number = number
        self._document: Document | None = None
        found = KIND.search(data, start, end)
        self.kind = found[1].decode() if found else ""

    @property
    def raw(self) -> bytes:
        """The bytes as they were read."""
        return self.data[self.start : self.end]

    def holds(self, *needles: bytes) -> bool:
        """Whether one of these byte strings stands in the document."""
        return any(self.data.find(needle, self.start, self.end) >= 0 for needle in needles)

    @property
    def document(self) -> Document:
        """The document, ready to be read and edited."""
        if self._document is None:
            self._document = Document(self.raw.removeprefix(BOM).decode())
        return self._document

    @property
    def edited(self) -> bool:
        """Whether an edit changed the text."""
        return self._document is not None and self._document.edited

    def line(self, inner: int = 1) -> int:
        """The stream's line number of a line of this document (both from 1)."""
        return self.data.count(b"\n", 0, self.start) + inner

    def label(self) -> str:
        """Kind, name and place, for a message."""
        name = NAME.search(self.data, self.start, self.end)
        what = " ".join(filter(None, [self.kind, name[1].decode(errors="replace") if name else ""]))
        return f"document {self.number} ({what or 'no kind'}, line {self.line()})"

    def encoded(self) -> bytes:
        """The document's bytes, edited or not."""
        if not self.edited or self._document is None:
            return self.raw
        prefix = BOM if self.data.startswith(BOM, self.start) else b""
        return prefix + self._document.text.encode()


class Stream:
    """The documents in their order, and the bytes that they came from."""

    def __init__(self, data: bytes, chunks: list[Chunk]) -> None:
        self.data = data
        self.chunks = chunks
        self.added: dict[
            int, list[Document]
        ] = {}  # chunk number -> documents that go before it (0: at the end)

    def add_before(self, chunk: Chunk | None, text: str) -> Document:
        """Put a new document before a chunk, or at the end of the stream."""
        document = Document(text)
        self.added.setdefault(chunk.number if chunk else 0, []).append(document)
        return document

    def pieces(self) -> Iterator[bytes | memoryview]:
        """The stream's bytes; runs of untouched documents come as one view of the input."""
        view = memoryview(self.data)
        clean = 0
        for chunk in self.chunks:
            before = self.added.get(chunk.number)
            if not before and not chunk.edited:
                continue
            yield view[clean : chunk.start]
            for document in before or ():
                yield document.text.encode()
            yield from _separated(chunk, self, after_added=bool(before))
            clean = chunk.end
        yield view[clean:]
        yield from self._tail()

    def _tail(self) -> Iterator[bytes]:
        last = self.chunks[-1].encoded() if self.chunks else b""
        if last and not last.endswith(b"\n"):
            yield b"\n"
        for document in self.added.get(0, ()):
            yield document.text.encode()


def _separated(chunk: Chunk, stream: Stream, *, after_added: bool) -> Iterator[bytes]:
    """A chunk's bytes; the first document of a stream may lack the separator that it now needs."""
    raw = chunk.encoded()
    if after_added and chunk is stream.chunks[0] and not raw.removeprefix(BOM).startswith(b"---"):
        yield b"---\n"
    yield raw


def read(data: bytes) -> Stream:
    """Split a stream into documents.

    Raises StreamError where the bytes are not UTF-8, hold no object, or hold a document that is not YAML.
    """
    _refuse_encoding(data)
    chunks = [Chunk(data, *span, n) for n, span in enumerate(_spans(data), 1)]
    _refuse_glued(data, chunks)
    for chunk in chunks:
        _check(chunk)
    if not any(chunk.kind for chunk in chunks):
        raise StreamError(
            "stdin holds no Kubernetes object, only comments or empty documents: Helm would delete the whole "
            "release if this were passed on; look at what comes before the pipe"
        )
    return Stream(data, chunks)


def _spans(data: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of each document; a separator line belongs to the document that follows it."""
    start = at = 0
    while True:
        at = data.find(b"\n---", at)
        if at < 0:
            break
        follows = data[at + 4 : at + 5]
        if follows in (b"", b" ", b"\t", b"\n", b"\r"):
            yield start, at + 1
            start = at + 1
        elif CONTENT.match(follows):
            line = data.count(LINE_BREAK, 0, at + 1) + 1
            msg = f"stdin, line {line}: '---' must be followed by a line break, not by text: split the line"
            raise StreamError(msg)
        at += 4
    if start < len(data):
        yield start, len(data)


def _refuse_encoding(data: bytes) -> None:
    try:
        if not data.isascii():
            data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = (
            "UTF-16: write it as UTF-8" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "not UTF-8"
        )
        raise StreamError(f"stdin, line {line}: the text is {what}") from None


def _refuse_glued(data: bytes, chunks: list[Chunk]) -> None:
    for chunk in chunks:
        if (
            data.count(b"\nkind:", chunk.start, chunk.end) + data.startswith(b"kind:", chunk.start)
            > 1
        ):
            second = data.rfind(b"\nkind:", chunk.start, chunk.end)
            msg = (
                f"{chunk.label()}: 'kind' stands twice, the second time in line {data.count(LINE_BREAK, 0, second) + 2}: "
                "two documents are glued together; put a line '---' between them"
            )
            raise StreamError(msg)


def _check(chunk: Chunk) -> None:
    """Ask libyaml whether the document is YAML, and learn its kind where peeking did not."""
    if chunk.kind == UNREAD:
        return
    try:
        CParser(chunk.raw.removeprefix(BOM)).raw_parse()
        # libyaml's parser knows no anchors and stops at '...': such a document is read in full at once.
        if not chunk.kind or chunk.holds(b"\n...") or _may_hold_alias(chunk):
            _read_kind(chunk)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise StreamError(
            _not_yaml(chunk, error.problem or error.context, mark.line + 1 if mark else 1)
        ) from None
    except YAMLError as error:
        raise StreamError(_not_yaml(chunk, str(error).splitlines()[0], 1)) from None
    except DocumentError as error:
        raise StreamError(f"{chunk.label()}: {error}") from None


def _may_hold_alias(chunk: Chunk) -> bool:
    at = chunk.start
    while (at := chunk.data.find(b" *", at, chunk.end)) >= 0:
        if chunk.data[at - 1 : at] in BEFORE_ALIAS:
            return True
        at += 2
    return False


def _not_yaml(chunk: Chunk, problem: str, line: int) -> str:
    text = chunk.raw.split(b"\n")[line - 1 : line]
    cure = "; indent with spaces, not tabs" if text and b"\t" in text[0] else ""
    return f"{chunk.label()}: not YAML in line {chunk.line(line)}: {problem}{cure}"


def _read_kind(chunk: Chunk) -> None:
    root = chunk.document.tree.root
    if root is None or (root.kind == "scalar" and root.plain and not root.text):
        return
    if root.kind != "map":
        what = {"seq": "a list", "scalar": "plain text"}.get(root.kind, "an alias")
        raise DocumentError(f"{what}, not a Kubernetes object: an object has apiVersion and kind")
    pair = root.find("kind")
    if pair is None or pair[1].kind != "scalar" or not pair[1].text:
        raise DocumentError("no 'kind': not a Kubernetes object")
    chunk.kind = pair[1].text
