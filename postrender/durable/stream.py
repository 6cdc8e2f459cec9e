"""Bytes to documents and back; a document that nobody edits keeps its bytes.

Nothing is parsed into nodes here: kinds are peeked, and libyaml is only asked whether a document
is YAML at all.
"""

from __future__ import annotations

import re

from durable import nodes
from durable.document import Document
from durable.errors import DocumentError, StreamError
from durable.libyaml import CParser, YAMLError
from durable.pattern import pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

BOM = b"\xef\xbb\xbf"
WIDE = (b"\xff\xfe", b"\xfe\xff")  # how UTF-16 and UTF-32 begin
KIND = pattern(rb"""^kind:[ \t]*["']?([A-Za-z]+)["']?[ \t]*(?:#.*)?\r?$""", re.MULTILINE)
NAME = pattern(
    rb"""^metadata:[ \t]*\r?\n(?:[ \t#-].*\n)*?[ \t]+name:[ \t]*["']?([^\s"'#]+)""", re.MULTILINE
)
# A separator that text is glued to: a key to YAML, two documents to Helm.
GLUED = pattern(rb"(?:\xef\xbb\xbf)?---[A-Za-z{\[\"']")
GLUED_SAYS = "stdin, line {}: '---' must be followed by a line break, not by text: split the line"
# A document that holds nothing: Helm and kubectl pass it over.
NULLS = ("", "~", "null", "Null", "NULL")
# What stands before the blank before an alias.
BEFORE_ALIAS = (b":", b"-", b",", b"[")
# Upstream's own files, hundreds of kilobytes each: their text is passed on unread.
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

    def owns(self, document: Document) -> bool:
        """Whether the document stands in the stream here (and was not added beside it)."""
        return document is self._document

    def placed(self, error: DocumentError) -> str:
        """The text of an error in this document, its line counted in the stream."""
        line = f"line {self.line(error.line)}: " if error.line else ""
        return f"{self.label()}: {line}{error.says}"

    def label(self) -> str:
        """Kind, name and place, for a message."""
        what = " ".join(filter(None, (self.kind, self._name())))
        return f"document {self.number} ({what or 'no kind'}, line {self.line()})"

    def _name(self) -> str:
        peeked = NAME.search(self.data, self.start, self.end)
        if peeked:
            return peeked[1].decode(errors="replace")
        try:  # in flow style
            return str(self.document.value["metadata"]["name"])
        except (DocumentError, LookupError, TypeError):
            return ""

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
        # Chunk number -> documents that go before it (0: at the end).
        self.added: dict[int, list[Document]] = {}

    def add_before(self, chunk: Chunk | None, text: str) -> Document:
        """Put a new document before a chunk, or at the end of the stream."""
        document = Document(text)
        self.added.setdefault(chunk.number if chunk else 0, []).append(document)
        return document

    def pieces(self) -> Iterator[bytes | memoryview]:
        """The stream's bytes; runs of untouched documents come as one view of the input."""
        self._end_last_line()
        return self._pieces()

    def _pieces(self) -> Iterator[bytes | memoryview]:
        view = memoryview(self.data)
        clean = 0
        for chunk in self.chunks:
            before = self.added.get(chunk.number)
            if not before and not chunk.edited:
                continue
            yield view[clean : chunk.start]
            yield from _with_added(chunk, before or [], first=chunk is self.chunks[0])
            clean = chunk.end
        yield view[clean:]
        for document in self.added.get(0, ()):
            yield document.text.encode()

    def _end_last_line(self) -> None:
        """End the output with a line break, but for a block scalar whose text would gain it."""
        last = self.chunks[-1] if self.chunks else None
        if last is None or last.encoded().endswith(b"\n"):
            return
        if self.added.get(0) or not last.document.open_ended:
            last.document.end_line()


def _with_added(chunk: Chunk, before: list[Document], *, first: bool) -> Iterator[bytes]:
    """Added documents and a chunk; the first one may lack the separator that it now needs."""
    raw = chunk.encoded()
    if not before:
        yield raw
        return
    bare = raw.removeprefix(BOM)
    yield raw[: len(raw) - len(bare)]
    for document in before:
        yield document.text.encode()
    if first and not bare.startswith(b"---"):
        yield b"---\n"
    yield bare


def read(data: bytes) -> Stream:
    """Split a stream into documents.

    Raises StreamError where the bytes are not UTF-8, not YAML, or hold no object.
    """
    _refuse_encoding(data)
    chunks = [Chunk(data, *span, n) for n, span in enumerate(_spans(data), 1)]
    for chunk in chunks:
        _refuse_glued(chunk)
    for chunk in chunks:
        _check(chunk)
    if not any(chunk.kind for chunk in chunks):
        raise StreamError(
            "stdin holds no Kubernetes object, only comments or empty documents: Helm would delete "
            "the whole release if this were passed on; look at what comes before the pipe"
        )
    return Stream(data, chunks)


def _spans(data: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of each document; a separator line belongs to the document that follows it."""
    start = at = 0
    if GLUED.match(data):
        raise StreamError(GLUED_SAYS.format(1))
    while True:
        at = data.find(b"\n---", at)
        if at < 0:
            break
        follows = data[at + 4 : at + 5]
        if follows in (b"", b" ", b"\t", b"\n", b"\r"):
            yield start, at + 1
            start = at + 1
        elif GLUED.match(data, at + 1):
            raise StreamError(GLUED_SAYS.format(data.count(b"\n", 0, at + 1) + 1))
        at += 4
    if start < len(data):
        yield start, len(data)


def _refuse_encoding(data: bytes) -> None:
    if data.startswith(WIDE) or b"\0" in data[:2]:
        raise StreamError("stdin, line 1: the text is UTF-16 or UTF-32: write it as UTF-8")
    try:
        if not data.isascii():
            data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise StreamError(f"stdin, line {line}: the text is not UTF-8: save it as UTF-8") from None


def _refuse_glued(chunk: Chunk) -> None:
    """Refuse two objects in one document: readers would take the last one's keys silently."""
    first = chunk.data.startswith(b"kind:", chunk.start)
    if chunk.data.count(b"\nkind:", chunk.start, chunk.end) + first < 2:  # noqa: PLR2004  two objects
        return
    try:
        root = chunk.document.tree.root
    except DocumentError as error:
        raise StreamError(_not_yaml(chunk, error)) from None
    kinds = [key for key, _ in root.pairs if key.text == "kind"] if root else []
    if len(kinds) > 1:
        raise StreamError(
            f"{chunk.label()}: 'kind' stands twice, the second time in line "
            f"{chunk.line(kinds[1].line + 1)}: two documents are glued together; "
            "put a line '---' between them"
        )


def _check(chunk: Chunk) -> None:
    """Ask libyaml whether the document is YAML, and learn its kind where peeking did not."""
    if chunk.kind == UNREAD:
        return
    try:
        CParser(chunk.raw.removeprefix(BOM)).raw_parse()
        # libyaml's parser knows no anchors and stops at '...': such a document is read in full.
        if not chunk.kind or chunk.holds(b"\n...") or _may_hold_alias(chunk):
            _read_kind(chunk)
    except YAMLError as error:
        raise StreamError(_not_yaml(chunk, _marked(chunk, error))) from None
    except DocumentError as error:
        raise StreamError(_not_yaml(chunk, error)) from None


def _marked(chunk: Chunk, error: YAMLError) -> DocumentError:
    """The error of libyaml with its line, also where it tells the byte only."""
    told = nodes.not_yaml(error)
    position = getattr(error, "position", None)
    if position is None:
        return told
    return DocumentError(told.says, chunk.raw.removeprefix(BOM).count(b"\n", 0, position) + 1)


def _may_hold_alias(chunk: Chunk) -> bool:
    at = chunk.start
    while (at := chunk.data.find(b" *", at, chunk.end)) >= 0:
        if chunk.data[at - 1 : at] in BEFORE_ALIAS:
            return True
        at += 2
    return False


def _not_yaml(chunk: Chunk, error: DocumentError) -> str:
    text = chunk.raw.split(b"\n")[error.line - 1 : error.line] if error.line else []
    return chunk.placed(error) + cure(error, b"".join(text))


def cure(error: DocumentError, line: bytes) -> str:
    """What to do about a text that is not YAML, by what libyaml says and by the line."""
    if "control characters" in error.says:
        return "; take the character out, or write it as an escape in double quotes"
    return "; indent with spaces, not tabs" if b"\t" in line else ""


def _read_kind(chunk: Chunk) -> None:
    root = chunk.document.tree.root
    if root is None or (root.kind == "scalar" and root.plain and root.text in NULLS):
        return
    if root.kind != "map":
        what = {"seq": "a list", "scalar": "plain text"}.get(root.kind, "an alias")
        raise DocumentError(f"{what}, not a Kubernetes object: an object has apiVersion and kind")
    pair = root.find("kind")
    if pair is None or pair[1].kind != "scalar" or not pair[1].text:
        raise DocumentError("no 'kind': not a Kubernetes object")
    chunk.kind = pair[1].text
