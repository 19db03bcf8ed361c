"""`wf-instrument run --compat -- python old.py`: programs of the legacy packages, unchanged.

None of the legacy packages is installed; without `--compat` such a program cannot even start.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from apptuit_service import ApptuitService
from librato_service import LibratoService
from loopback import LoopbackReceiver
from signalfx_service import SignalFxService

if TYPE_CHECKING:
    from pathlib import Path

#: Each is given the address of its service.
WAVEFRONT: Final = """
import sys
from wavefront_sdk.client_factory import WavefrontClientFactory
from wavefront_sdk.entities.histogram import histogram_granularity

factory = WavefrontClientFactory()
factory.add_client(url="proxy://" + sys.argv[1], flush_interval_seconds=5)
sender = factory.get_client()
sender.send_metric("new_york.power.usage", 42422.0, 1533529977, "localhost", {"datacenter": "dc1"})
sender.send_delta_counter("delta.counter", 1.0, "localhost", {})
sender.close()
print(histogram_granularity.MINUTE)
"""
LIBRATO: Final = """
import sys
import librato
from librato.queue import Queue

api = librato.connect("user@example.com", "s3cret-token", hostname=sys.argv[1], protocol="http")
assert isinstance(api.new_queue(), Queue)
with api.new_queue() as queue:
    queue.add("temperature", 22.1, source="upstairs")
    queue.add("connections", 7, type="counter")
print("done")
"""
APPTUIT: Final = """
import sys
from apptuit import Apptuit, DataPoint
from apptuit.pyformance.apptuit_reporter import ApptuitReporter
from pyformance import MetricsRegistry

url = "http://" + sys.argv[1]
client = Apptuit(token="t", api_endpoint=url)
client.send([DataPoint("power", {"dc": "dc1"}, 1533529977, 42.0)])
registry = MetricsRegistry()
registry.counter("orders").inc(3)
ApptuitReporter(registry=registry, token="t", api_endpoint=url).report_now()
print("done")
"""
SIGNALFX: Final = """
import sys
import signalfx

url = "http://" + sys.argv[1]
client = signalfx.SignalFx(api_endpoint=url, ingest_endpoint=url)
with client.ingest("TOKEN") as sfx:
    sfx.send(gauges=[{"metric": "power", "value": 42, "timestamp": 1442960607000}])
print("done")
"""


def run(
    folder: Path, program: str, address: str, *options: str
) -> subprocess.CompletedProcess[str]:
    old = folder / "old.py"
    old.write_text(program)
    command = [sys.executable, "-m", "wf_instrument", "run", *options]
    return subprocess.run(
        [*command, "--", sys.executable, "-W", "error", str(old), address],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=folder,
        env={**os.environ, "WF_REPORTER": "null://"},
    )


def outcome(done: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_a_program_of_the_wavefront_sdk_sends_what_it_did(tmp_path: Path) -> None:
    with LoopbackReceiver() as proxy:
        done = run(tmp_path, WAVEFRONT, f"127.0.0.1:{proxy.port}", "--compat")
        assert outcome(done) == (0, "!M\n", "")
        assert sorted(proxy.lines()) == [
            '"new_york.power.usage" 42422.0 1533529977 source="localhost" "datacenter"="dc1"\n',
            '"∆delta.counter" 1.0 source="localhost"\n',
        ]


@pytest.mark.slow
def test_a_program_of_the_librato_client_sends_what_it_did(tmp_path: Path) -> None:
    with LibratoService() as service:
        done = run(tmp_path, LIBRATO, service.hostname, "--compat")
        assert outcome(done) == (0, "done\n", "")
        assert sorted((kind, row["name"], row["value"]) for kind, row in service.points) == [
            ("counters", "connections", 7),
            ("gauges", "temperature", 22.1),
        ]
        assert service.refusals == []


@pytest.mark.slow
def test_a_program_of_the_apptuit_client_sends_what_it_did(tmp_path: Path) -> None:
    with ApptuitService() as service:
        done = run(tmp_path, APPTUIT, f"127.0.0.1:{service.port}", "--compat")
        assert outcome(done) == (0, "done\n", "")
        values = service.values()
    assert (values["power"], values["orders_count"]) == (42.0, 3)


@pytest.mark.slow
def test_a_program_of_the_signalfx_client_sends_what_it_did(tmp_path: Path) -> None:
    with SignalFxService() as service:
        address = service.url.removeprefix("http://")
        done = run(tmp_path, SIGNALFX, address, "--compat")
        assert outcome(done) == (0, "done\n", "")
        assert [(p["kind"], p["metric"], p["value"]) for p in service.points()] == [
            ("gauge", "power", 42)
        ]


@pytest.mark.slow
def test_without_compat_the_legacy_names_are_nobodys(tmp_path: Path) -> None:
    done = run(tmp_path, SIGNALFX, "127.0.0.1:1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "No module named 'signalfx'" in done.stderr
