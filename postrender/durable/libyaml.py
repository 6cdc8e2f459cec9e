"""libyaml's parser and its events: the one module that imports PyYAML.

PyYAML also brings its Python half, whose patterns nobody here asks: compiling them at import would
take 6 of a run's 50 milliseconds, so they are deferred. Nothing else of PyYAML is changed.
"""

from __future__ import annotations

import re

from durable.pattern import Deferred

_compile = re.compile
try:
    re.compile = lambda *arguments, **named: Deferred(_compile, *arguments, **named)  # type: ignore[assignment]
    from yaml._yaml import CParser
    from yaml.error import MarkedYAMLError, YAMLError
    from yaml.events import (
        AliasEvent,
        DocumentStartEvent,
        MappingEndEvent,
        MappingStartEvent,
        ScalarEvent,
        SequenceEndEvent,
        SequenceStartEvent,
        StreamEndEvent,
    )
finally:
    re.compile = _compile

__all__ = [
    "AliasEvent",
    "CParser",
    "DocumentStartEvent",
    "MappingEndEvent",
    "MappingStartEvent",
    "MarkedYAMLError",
    "ScalarEvent",
    "SequenceEndEvent",
    "SequenceStartEvent",
    "StreamEndEvent",
    "YAMLError",
]
