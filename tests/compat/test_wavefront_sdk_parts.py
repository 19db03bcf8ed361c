"""The smaller parts of the Wavefront SDK, under its own names."""

from __future__ import annotations

import gzip
import queue
import sys
import threading
from uuid import UUID

import pytest

from loopback import LoopbackReceiver
from wf_instrument.backends.wavefront import (
    WavefrontClient,
    WavefrontMultiClient,
    WavefrontProxyClient,
)
from wf_instrument.compat.wavefront_sdk.client import remaining_capacity_getter
from wf_instrument.compat.wavefront_sdk.common import utils
from wf_instrument.compat.wavefront_sdk.common.connection_handler import ConnectionHandler
from wf_instrument.compat.wavefront_sdk.entities import (
    SpanLog,
    WavefrontEventSender,
    WavefrontHistogramSender,
    WavefrontMetricSender,
    WavefrontTracingSpanSender,
)

SENDERS = [
    WavefrontMetricSender, WavefrontHistogramSender, WavefrontTracingSpanSender,
    WavefrontEventSender,
]  # fmt: skip
ID = UUID("7b3bf470-9456-11e8-9eb6-529269fb1459")


@pytest.mark.parametrize("sender", SENDERS)
def test_every_client_is_a_sender_of_every_kind(sender: type) -> None:
    for client in (WavefrontClient, WavefrontMultiClient, WavefrontProxyClient):
        assert issubclass(client, sender)
    assert not issubclass(dict, sender)
    with pytest.raises(TypeError, match="abstract"):
        sender()


def test_a_sender_of_ones_own_needs_only_to_send_metrics() -> None:
    class Mine(WavefrontMetricSender):
        def __init__(self) -> None:
            self.sent: list[tuple[object, ...]] = []

        def send_metric(self, *arguments: object) -> None:
            self.sent.append(arguments)

    mine = Mine()
    mine.send_delta_counter("d", 2, "s", None)
    mine.send_delta_counter("d", 0, "s", None)
    assert mine.sent == [("∆d", 2, None, "s", None)]


def test_span_logs_are_sent_as_they_are_given() -> None:
    log = SpanLog(timestamp=1635123456789000, fields={"event": "error"})
    assert (log.timestamp, log.fields) == (1635123456789000, {"event": "error"})
    assert log == SpanLog(1635123456789000, {"event": "error"})
    assert log != SpanLog(1, {"event": "error"})
    assert SpanLog(5).fields == {}
    with LoopbackReceiver() as receiver:
        client = WavefrontClient(receiver.url, flush_interval_seconds=3600)
        client.send_span("n", 1, 2, "s", ID, ID, None, None, None, [log])
        client.close()
        (line,) = receiver.lines("spanLogs")
        assert '"logs": [{"timestamp": 1635123456789000, "fields": {"event": "error"}}]' in line


def test_chunks_are_made_when_asked_for_and_hold_everything_once() -> None:
    parts = utils.chunks(list(range(7)), 3)
    assert next(parts) == [0, 1, 2]
    assert list(parts) == [[3, 4, 5], [6]]
    assert list(utils.chunks([], 3)) == []
    with pytest.raises(ValueError, match="1 or more"):
        list(utils.chunks([1], 0))


def test_compressed_data_are_gzip_and_always_the_same() -> None:
    data = b"line\n" * 100
    packed = utils.gzip_compress(data)
    assert gzip.decompress(packed) == data
    assert packed == utils.gzip_compress(data, compresslevel=9)
    assert len(utils.gzip_compress(data, 0)) > len(packed)


def test_an_atomic_counter_loses_nothing_between_threads() -> None:
    counter = utils.AtomicCounter()
    threads = [
        threading.Thread(target=lambda: [counter.increment() for _ in range(5000)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.get() == 20_000
    assert utils.AtomicCounter(5).increment(2) == 7


def test_a_hashable_dict_is_found_in_a_set_whatever_its_order() -> None:
    sets = {utils.HashableDict({"a": 1, "b": 2})}
    assert utils.HashableDict({"b": 2, "a": 1}) in sets
    assert utils.HashableDict({"a": 1}) not in sets
    assert sets == {utils.HashableDict(a=1, b=2)}


@pytest.mark.parametrize("tags", [None, [], ["a", "b"], "word", {"k": "v"}])
def test_good_tags_pass(tags: object) -> None:
    utils.validate_tags(tags)


@pytest.mark.parametrize("tags", [[""], ["a", None], " ", {"k": " "}, {"": "v"}])
def test_blank_tags_are_told(tags: object) -> None:
    with pytest.raises(ValueError, match="blank"):
        utils.validate_tags(tags)


def test_blank_annotations_are_told() -> None:
    utils.validate_annotations(None)
    utils.validate_annotations({"severity": "info"})
    for bad in ({"": "x"}, {"severity": None}, {"severity": "  "}):
        with pytest.raises(ValueError, match="annotation"):
            utils.validate_annotations(bad)


def test_versions_are_those_of_installed_distributions() -> None:
    assert utils.get_version("opentracing").startswith("v2.")
    assert utils.get_version("no-such-distribution") == "unknown"
    assert utils.get_version("") == "unknown"
    assert utils.get_sem_ver("opentracing").startswith("2.0")
    assert utils.get_sem_ver("no-such-distribution") == "0.0"
    assert utils.get_sem_ver_value("1.10.1") == "1.1001"


def test_names_and_values_are_made_safe() -> None:
    assert utils.sanitize("~a/b c") == '"~a-b-c"'
    assert utils.sanitize_internal("∆~a b", False) == "∆~a-b"
    assert utils.sanitize_without_quotes("a b") == "a-b"
    assert utils.sanitize_value(' a"b\n') == '"a\\"b"'
    assert utils.is_blank(" ")


def test_the_remaining_capacity_is_asked_of_the_queue_each_time() -> None:
    small: queue.Queue[int] = queue.Queue(maxsize=2)
    remaining = remaining_capacity_getter(small)
    assert remaining() == 2
    small.put(1)
    assert remaining() == 1
    assert remaining_capacity_getter(queue.Queue())() == sys.maxsize


def test_a_connection_handler_counts_its_failures() -> None:
    class Mine(ConnectionHandler):
        def connect(self) -> None:
            """Connect."""

        def close(self) -> None:
            """Close."""

    mine = Mine()
    mine.increment_failure_count()
    assert mine.get_failure_count() == 1
    with pytest.raises(TypeError, match="abstract"):
        ConnectionHandler()  # type: ignore[abstract]
