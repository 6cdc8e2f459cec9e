"""Frozen records without the price of importing dataclasses.

``dataclasses`` imports inspect and compiles code for each class: 10 ms, a sixth of a whole run, for
nothing that the run needs. To a type checker a record *is* a frozen dataclass.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass
    from typing import Any, TypeVar, dataclass_transform

    T = TypeVar("T")

    @dataclass_transform(frozen_default=True)
    def record(cls: type[T]) -> type[T]:
        """Make a class a frozen dataclass."""
        return dataclass(frozen=True)(cls)

else:

    def record(cls: Any) -> Any:
        """Give a class a constructor from its annotations, equality, a text form, no setters."""
        names = tuple(cls.__annotations__)
        defaults = {name: vars(cls)[name] for name in names if name in vars(cls)}

        def init(self: Any, *args: Any, **fields: Any) -> None:
            values = defaults | dict(zip(names, args, strict=False)) | fields
            if len(args) > len(names) or values.keys() != set(names):
                wrong = sorted(values.keys() ^ set(names))
                raise TypeError(
                    f"{cls.__name__}: missing or unknown: {wrong or args[len(names) :]}"
                )
            self.__dict__.update(values)

        cls.__init__ = init
        cls.__setattr__ = _frozen
        cls.__eq__ = lambda self, other: type(self) is type(other) and vars(self) == vars(other)
        cls.__hash__ = lambda self: hash(tuple(vars(self)[name] for name in names))
        cls.__repr__ = lambda self: (
            f"{cls.__name__}({', '.join(f'{n}={vars(self)[n]!r}' for n in names)})"
        )
        return cls

    def _frozen(self: Any, name: str, _value: Any) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be changed")


def replaced(value: T, **fields: Any) -> T:
    """Give a copy of a record with some fields changed."""
    return type(value)(**(vars(value) | fields))
