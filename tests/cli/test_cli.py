"""The command as a user runs it: real processes, and one sentence when something is wrong."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from wf_instrument.reporting.red_table import WIDTH, RedRow, encodable, red_table

COMMAND = [sys.executable, "-m", "wf_instrument"]
#: `-m` puts the current folder first: a checkout there would hide the installed package.
ELSEWHERE = Path(sys.executable).parent


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=ELSEWHERE,
        env={**os.environ, **variables},
    )


def assert_one_sentence(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("framework", "template"),
    [("flask", "/styles/<int:number>"), ("fastapi", "/styles/{number}")],
)
def test_the_demo_records_exactly_what_was_sent(framework: str, template: str) -> None:
    done = run("demo", "--app", framework, "--headless", "--for", "3s", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    recorded = {(r["method"], r["route"]): r["statuses"] for r in result["routes"]}
    sent = {(r["method"], r["route"]): r["statuses"] for r in result["sent"]}
    assert (recorded, result["unanswered"]) == (sent, 0)
    assert {"/", template, "UNKNOWN"} <= {route for _, route in sent}
    assert all(0 < r["p50_ms"] <= r["p95_ms"] <= r["p99_ms"] for r in result["routes"])


@pytest.mark.slow
def test_the_demo_serves_its_page_and_ends_cleanly_on_interrupt() -> None:
    process = subprocess.Popen(
        [*COMMAND, "demo", "--for", "60s", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=ELSEWHERE,
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    url = first.split()[-1]
    with urllib.request.urlopen(url, timeout=10) as page:
        assert b"wf-instrument" in page.read()
    # As a terminal does: to the whole group.
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "requests answered" in out
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_terminated_demo_leaves_neither_a_process_nor_its_store(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "demo", "--for", "60s", "--port", "0"],
        stderr=subprocess.PIPE,
        cwd=ELSEWHERE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert process.stderr is not None
    assert b"http://127.0.0.1:" in process.stderr.readline()
    assert list(tmp_path.iterdir())
    process.terminate()
    _, errors = process.communicate(timeout=30)  # the server holds the pipe while it lives
    assert process.returncode == 128 + signal.SIGTERM
    assert b"Traceback" not in errors
    assert b"Fatal" not in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_terminal_without_unicode_gets_the_table_all_the_same() -> None:
    done = run("demo", "--headless", "--for", "1s", PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "GET /" in done.stdout
    assert "---" in done.stdout


def test_a_reporter_that_cannot_be_used_ends_the_demo_before_its_server(tmp_path: Path) -> None:
    done = run("demo", "--headless", "--reporter", f"file://{tmp_path}/none/x")
    assert_one_sentence(done, "none/x", "name another file")


def test_a_pipe_is_no_file_to_report_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = run("demo", "--headless", "--reporter", f"file://{tmp_path}/pipe")
    assert_one_sentence(done, "pipe", "name another file")


def test_a_token_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xff")
    done = run("ui", "--token-file", str(tmp_path / "token"))
    assert_one_sentence(done, "--token-file", "cannot be read")


def test_an_unknown_reporter_url_is_told_with_the_known_ones() -> None:
    done = run("demo", "--headless", "--for", "1s", "--reporter", "carrier-pigeon://home")
    assert_one_sentence(done, "carrier-pigeon", "local", "wavefront")


def test_a_token_never_appears_in_a_message() -> None:
    done = run("demo", "--headless", "--reporter", "wavefrnt+https://s3cret@host")
    assert_one_sentence(done, "wavefrnt+https")
    assert "s3cret" not in done.stderr


def test_an_unparsable_setting_is_told_with_its_variable() -> None:
    done = run("ui", WF_TICK="soon")
    assert_one_sentence(done, "WF_TICK", "soon", "a number from 0.05 to 60 s")


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("ui", str(tmp_path / "new.db"), "--port", port)
    assert_one_sentence(done, port, "--port")


def test_a_store_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"no database" * 500)
    assert_one_sentence(run("ui", str(broken), "--port", "0"), "broken.db", "move the file away")
    assert_one_sentence(
        run("ui", "/proc/none/x.db", "--port", "0"), "/proc/none/x.db", "cannot be opened"
    )


def test_the_network_needs_a_token(tmp_path: Path) -> None:
    done = run("ui", str(tmp_path / "new.db"), "--host", "0.0.0.0", "--port", "0")
    assert_one_sentence(done, "--token-file")


def test_a_missing_extra_is_told_with_the_command_that_brings_it(tmp_path: Path) -> None:
    program = (
        "import sys, importlib.util as u; real = u.find_spec;"
        "u.find_spec = lambda name, *a: None if name == 'flask' else real(name, *a);"
        "from wf_instrument.cli import main; sys.argv = ['wf-instrument', 'demo']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=ELSEWHERE,
    )
    assert_one_sentence(done, "'flask'", "pip install 'wf-instrument[demo]'")


def test_the_flask_integration_without_flask_names_the_extra() -> None:
    program = "import sys; sys.modules['flask'] = None; import wf_instrument.integrations.flask"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=ELSEWHERE,
    )
    last = done.stderr.strip().splitlines()[-1]
    assert last.endswith("run: pip install 'wf-instrument[flask]'")


def test_wrong_usage_has_status_2_and_help_has_0() -> None:
    assert run("demo", "--for", "soon").returncode == 2
    assert run("--help").returncode == 0
    assert run("--version").stdout.startswith("wf-instrument")


@pytest.mark.parametrize("route", ["/short", "/very/" + "long" * 60, "/\x1b[31mred\r\n/x", "/ünï"])
def test_the_table_fits_a_terminal_and_obeys_no_route(route: str) -> None:
    row = RedRow(route, "DELETE", 123_456_789, 99_999.5, 123_456_789, 1e-7, 59.0, 3600.0, 1.0)
    lines = red_table([row, row]).splitlines()
    assert len(lines) == 4
    assert all(len(line) <= WIDTH for line in lines)
    assert all(line.isprintable() for line in lines)


def test_wide_characters_take_two_columns_and_marks_none() -> None:
    rows = [
        RedRow(route, "GET", 1, 1.0, 0, 0.1, 0.1, 0.1, 0.5)
        for route in ("/日本語", "/e\u0301t", "/a")
    ]
    rates = [line.rindex("100ms") for line in red_table(rows).splitlines()[2:]]
    assert rates == [rates[2] - 3, rates[2] + 1, rates[2]]


def test_what_the_output_cannot_encode_is_replaced_at_equal_width() -> None:
    text = "─ 1.5µs … é"
    assert encodable(text, "utf-8") == text
    assert encodable(text, "ascii") == "- 1.5us ~ ?"
    assert encodable(text, "no-such-encoding") == "- 1.5us ~ ?"
