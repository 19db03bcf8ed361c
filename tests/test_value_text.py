"""What a value of any type reads as."""

from __future__ import annotations

from typing import Any

import pytest

from awkward import VALUES, Colour, Loud
from wf_instrument.value_text import as_str, text_of


@pytest.mark.parametrize("value", [Colour.RED, Loud("red"), "red"])
def test_a_text_of_any_subclass_reads_as_what_it_holds(value: str) -> None:
    assert (as_str(value), text_of(value)) == ("red", "red")
    assert type(as_str(value)) is str


def test_what_is_no_text_reads_as_str_has_it() -> None:
    assert [as_str(value) for value in (1, 1.0, True, None)] == ["1", "1.0", "True", "None"]


@pytest.mark.expects_caught
@pytest.mark.parametrize("make", VALUES.values(), ids=VALUES)
def test_any_value_reads_as_bounded_text_that_utf8_can_encode(make: Any) -> None:
    text = text_of(make())
    text.encode()
    assert len(text) <= 1000
    assert text == "" or text.strip()
