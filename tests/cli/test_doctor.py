"""`wf-instrument doctor` and `wf-instrument list`: what there is, and what is wrong with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loopback import LoopbackReceiver

if TYPE_CHECKING:
    from collections.abc import Iterator

THIRD_PARTY = Path(__file__).parents[1] / "third_party"


def run(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wf_instrument", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(THIRD_PARTY), **variables},
    )


@pytest.mark.slow
def test_all_is_well(tmp_path: Path) -> None:
    names = tmp_path / "names"
    with LoopbackReceiver() as proxy:
        done = run(
            tmp_path,
            "doctor",
            WF_REPORTER=f"local://{tmp_path}/s.db wavefront://127.0.0.1:{proxy.port} "
            f"parcels://{names}",
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert any(line.startswith('"wf_instrument.doctor" 1.0') for line in proxy.lines())
    # Somebody else's reporter and integration, too.
    assert "wf_instrument.doctor" in names.read_text()
    assert "ok     integration parcels: installed, by wf-parcels 1.2" in done.stdout
    assert "ok     integration flask: 3" in done.stdout
    assert "ok     worker slot: 0 is free" in done.stdout
    assert "note   spool: none" in done.stdout


@pytest.mark.slow
def test_what_is_wrong_is_told_and_the_status_says_so(tmp_path: Path) -> None:
    (tmp_path / "wf_instrument.toml").write_text('servise = "x"')
    (tmp_path / "parcels-2.0.dist-info").mkdir()
    metadata = "Metadata-Version: 2.1\nName: parcels\nVersion: 2.0\n"
    (tmp_path / "parcels-2.0.dist-info" / "METADATA").write_text(metadata)
    with LoopbackReceiver() as gone:
        port = gone.port
    done = run(
        tmp_path,
        "doctor", "--json", "--timeout", "1s",
        WF_REPORTER=f"wavefront://127.0.0.1:{port} nowhere://x",
        WF_DISABLED="flsk,django",
        PYTHONPATH=f"{THIRD_PARTY}{os.pathsep}{tmp_path}",
    )  # fmt: skip
    assert done.returncode == 1
    assert "nobody listens there" in done.stderr
    wrong = [
        f"{one['about']}: {one['text']}"
        for one in json.loads(done.stdout)
        if one["level"] == "wrong"
    ]
    for words in (
        "'servise': no such setting; did you mean 'service'?",
        "did you mean 'flask'?",
        "parcels 2.0 is too old; 2.1 or later is needed",
        f"reporter wavefront://127.0.0.1:{port}: ",
        "no reporter for the scheme 'nowhere'",
    ):
        assert any(words in one for one in wrong), (words, wrong)
    assert len(wrong) == 5


class SkewedProxy(BaseHTTPRequestHandler):
    """Takes everything; its clock is an hour behind ours."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_POST  # noqa: N815 - the name that http.server looks for

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(time.time() - 3600, usegmt=True)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def skewed_port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), SkewedProxy)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.slow
def test_a_clock_that_is_apart_from_the_receivers_is_wrong(
    skewed_port: int, tmp_path: Path
) -> None:
    done = run(tmp_path, "doctor", "--json", WF_REPORTER=f"wavefront://127.0.0.1:{skewed_port}")
    found = {one["about"]: (one["level"], one["text"]) for one in json.loads(done.stdout)}
    level, text = found["clock of 127.0.0.1"]
    assert (done.returncode, level) == (1, "wrong")
    # Whole seconds, and the machine's own time until the answer.
    assert text.startswith(("+3600 s apart", "+3601 s apart", "+3602 s apart"))
    # That alone is wrong: the point arrived.
    assert [one for one in found.values() if one[0] == "wrong"] == [(level, text)]


@pytest.mark.slow
def test_the_list_names_everything_and_shows_no_secret(tmp_path: Path) -> None:
    done = run(tmp_path, "list", WF_REPORTER="wavefront+https://s3cret@host", WF_SERVICE="shop")
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("  parcels ", "by wf-parcels 1.2", "  wavefront+https", "'shop' * (WF_SERVICE)"):
        assert words in done.stdout, words
    assert "s3cret" not in done.stdout


@pytest.mark.slow
def test_the_list_is_json_if_wanted(tmp_path: Path) -> None:
    done = run(tmp_path, "list", "reporters", "--json")
    names = [row["name"] for row in json.loads(done.stdout)["reporters"]]
    assert {"local", "null", "parcels", "wavefront"} <= set(names)
