"""Lists of the service, page by page, as one sequence.

Threads: one at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar, overload

from wf_instrument.backends.librato.exceptions import BadAnswer
from wf_instrument.backends.librato.json_text import JsonObject, to_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Listing"]

_T = TypeVar("_T")


class Listing(Generic[_T]):
    """All of a kind: iterated, indexed or counted; nothing is asked for before that.

    Pages are asked for as they are needed and kept: a second look makes no request.

    Args:
        fetch: Asks for a page.
        key: Where a page keeps its items.
        make: Makes the object of an item.
        parameters: Of the first request; `offset` and `length` among them.
        keep: Says which are listed; all when None.
    """

    def __init__(
        self,
        fetch: Callable[[dict[str, object]], object],
        key: str,
        make: Callable[[JsonObject], _T],
        parameters: Mapping[str, object],
        *,
        keep: Callable[[_T], bool] | None = None,
    ) -> None:
        self._fetch = fetch
        self._key = key
        self._make = make
        self._keep = keep
        self._parameters = dict(parameters)
        self._items: list[_T] = []
        self._is_complete = False
        self._own: Iterator[_T] | None = None

    def __iter__(self) -> Iterator[_T]:
        index = 0
        while self._has(index):
            yield self._items[index]
            index += 1

    def __next__(self) -> _T:
        if self._own is None:
            self._own = iter(self)
        return next(self._own)

    def __len__(self) -> int:
        while not self._is_complete:
            self._next_page()
        return len(self._items)

    def __bool__(self) -> bool:
        return self._has(0)

    @overload
    def __getitem__(self, index: int) -> _T: ...

    @overload
    def __getitem__(self, index: slice) -> list[_T]: ...

    def __getitem__(self, index: int | slice) -> _T | list[_T]:
        if isinstance(index, slice) or index < 0:
            len(self)
        else:
            self._has(index)
        return self._items[index]

    def __repr__(self) -> str:
        known = f"{len(self._items)}{'' if self._is_complete else ' or more'}"
        return f"<{known} {self._key}>"

    def _has(self, index: int) -> bool:
        while len(self._items) <= index and not self._is_complete:
            self._next_page()
        return len(self._items) > index

    def _next_page(self) -> None:
        page = to_object(self._fetch(dict(self._parameters)), f"a page of {self._key}")
        items = page.get(self._key)
        if not isinstance(items, list):
            raise BadAnswer(None, f"a page of {self._key} lacks them; it holds {sorted(page)}")
        query = page.get("query")
        query = query if isinstance(query, dict) else {}
        made = [self._make(one) for one in items]
        # The number of items, in case it says nothing of its own length.
        length = _number(query.get("length"), len(items))
        offset = _number(self._parameters.get("offset"), _number(query.get("offset"), 0)) + length
        self._parameters["offset"] = offset
        self._items += made if self._keep is None else filter(self._keep, made)
        # `total` counts all there are, those that do not match too.
        end = _number(query.get("found"), _number(query.get("total"), 0))
        if offset >= end or not length:
            self._is_complete = True


def _number(value: object, default: int) -> int:
    try:
        return int(value)  # type: ignore[call-overload,no-any-return]  # None raises
    except (TypeError, ValueError, OverflowError):  # the last is of what is infinite in JSON
        return default
