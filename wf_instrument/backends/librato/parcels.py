"""Submissions in parts: what is delivered is gone, what is not is kept, what is bad is sorted out.

Threads: any; who keeps the parcels locks them.
Loss: measurements the service calls bad, which the error that is raised holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.librato.exceptions import (
    ClientError,
    ConnectionFailed,
    DeliveryReport,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wf_instrument.backends.librato.json_text import JsonObject
    from wf_instrument.backends.librato.requester import Requester

__all__ = ["LISTS", "Parcel", "deliver"]

#: Where a body keeps measurements.
LISTS: Final = ("gauges", "counters", "measurements")
#: Answers about what the request holds. Source: Librato API reference, "HTTP Status Codes".
_ABOUT_THE_BODY: Final = frozenset({400, 413, 422})


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one request takes.

    Attributes:
        path: Where it goes.
        body: Lists of measurements and, beside them, what all have in common.
    """

    path: str
    body: JsonObject

    def __len__(self) -> int:
        return sum(len(self.body.get(name, ())) for name in LISTS)

    def items(self) -> list[tuple[str, JsonObject]]:
        """Return the measurements with the list each is in."""
        return [(name, one) for name in LISTS for one in self.body.get(name, ())]

    def split(self, most: int) -> Iterator[Parcel]:
        """Yield the same in parcels of so many measurements at most."""
        items = self.items()
        if len(items) <= most:
            yield self
            return
        for begin in range(0, len(items), most):
            body = {name: [] if name in LISTS else value for name, value in self.body.items()}
            for name, one in items[begin : begin + most]:
                body[name].append(one)
            yield Parcel(self.path, body)


def deliver(
    connection: Requester,
    take: Callable[[], Parcel | None],
    put_back: Callable[[list[Parcel]], int],
) -> None:
    """Send parcels until there are no more.

    Of a parcel that the service calls bad only the bad measurements are given up.

    Args:
        connection: Sends.
        take: Takes the next parcel away; None when there is none.
        put_back: Takes back what was not delivered, and returns how many measurements wait.

    Raises:
        ClientError: Some measurements were not delivered; `delivery` says what became of them.
    """
    delivered = 0
    rejected: list[JsonObject] = []
    refusal: ClientError | None = None
    parcel = take()
    while parcel is not None:
        todo = [parcel]
        while todo:
            part = todo.pop()
            try:
                connection._mexe(part.path, method="POST", query_props=part.body)  # noqa: SLF001 - the door that programs and tests replace
            except ClientError as error:
                if error.code not in _ABOUT_THE_BODY:
                    if isinstance(error, ConnectionFailed) and not error.is_unsent:
                        error.add_context("the service may have taken the last request")
                    waiting = put_back([part, *reversed(todo)])
                    error.delivery = DeliveryReport(
                        delivered=delivered, waiting=waiting, rejected=tuple(rejected)
                    )
                    raise
                refusal = error
                if len(part) > 1:
                    todo.extend(reversed(list(part.split((len(part) + 1) // 2))))
                else:
                    rejected += [one for _, one in part.items()]
            except BaseException:
                put_back([part, *reversed(todo)])
                raise
            else:
                delivered += len(part)
        parcel = take()
    if refusal is not None and rejected:
        refusal.delivery = DeliveryReport(delivered=delivered, rejected=tuple(rejected))
        raise refusal
