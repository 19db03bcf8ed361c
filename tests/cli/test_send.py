"""`wf-instrument send`: what is given by arguments or in a file arrives, or is told."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loopback import Answer, LoopbackReceiver, Received

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = [sys.executable, "-m", "wf_instrument", "send"]
ELSEWHERE = Path(sys.executable).parent
TRACE = "7b3bf470-9456-11e8-9eb6-529269fb1459"
SPAN = "0313bafe-9457-11e8-9eb6-529269fb1459"


def run(
    *arguments: str, stdin: str | bytes = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        check=False,
        timeout=60,
        cwd=ELSEWHERE,
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **variables},
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


@pytest.fixture
def proxy() -> Iterator[LoopbackReceiver]:
    with LoopbackReceiver() as made:
        yield made


def url(proxy: LoopbackReceiver) -> str:
    return f"wavefront://127.0.0.1:{proxy.port}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            (
                "metric new_york.power.usage 42422 --timestamp 1533529977 --source localhost "
                "--tag datacenter=dc1"
            ),
            '"new_york.power.usage" 42422.0 1533529977 source="localhost" "datacenter"="dc1"\n',
        ),
        (
            "metric delta.counter 1 --delta --source localhost",
            '"∆delta.counter" 1.0 source="localhost"\n',
        ),
        (
            (
                "histogram request.latency 20:30 10:5.1 --timestamp 1533529977 --source appServer1 "
                "--tag region=us-west --granularity hour"
            ),
            (
                '!H 1533529977 #20 30.0 #10 5.1 "request.latency" source="appServer1" '
                '"region"="us-west"\n'
            ),
        ),
        (
            (
                f"span getAllUsers --start-ms 1552949776000 --duration-ms 343 --source localhost "
                f"--trace-id {TRACE} --span-id {SPAN} --parent {TRACE} --tag http.method=GET"
            ),
            (
                f'"getAllUsers" source="localhost" traceId={TRACE} spanId={SPAN} parent={TRACE} '
                '"http.method"="GET" 1552949776000 343\n'
            ),
        ),
        (
            (
                "event backup --start-ms 1592200048 --end-ms 1592201048 --source localhost "
                "--annotation severity=info --tag env --tag dev"
            ),
            (
                '@Event 1592200048 1592201048 "backup" severity="info" host="localhost" tag="env" '
                'tag="dev"\n'
            ),
        ),
    ],
)
def test_one_datum_from_arguments_arrives_as_its_line(
    proxy: LoopbackReceiver, arguments: str, line: str
) -> None:
    done = run(*arguments.split(), "--reporter", url(proxy))
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 accepted, 0 rejected\n", "")
    assert proxy.lines() == [line]


LINES = f"""\
# of every kind
"cpu" 1.5 1533529977 source="h" "k"="v"
mem 2 source=h k=v

∆jobs 3 source=h
!M 1533529977 #20 30 #10 5.1 request.latency source=h
getAllUsers source=h traceId={TRACE} spanId={SPAN} 15 34
{{"traceId": "{TRACE}", "spanId": "{SPAN}", "logs": [{{"timestamp": 5, "fields": {{"a": "b"}}}}]}}
@Event 15 16 "backup" host="h"
cpu high
op traceId=1 spanId=2 3 4
"""


@pytest.mark.slow
def test_a_file_of_lines_arrives_and_what_cannot_be_read_is_told_with_its_line(
    proxy: LoopbackReceiver, tmp_path: Path
) -> None:
    path = tmp_path / "data.txt"
    path.write_text(LINES, encoding="utf-8")
    done = run("lines", str(path), "--reporter", url(proxy))
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        "7 accepted, 2 rejected",
        "  line 10: the value is 'high', which is no finite number",
        "  line 11: traceId is '1', which is no UUID",
    ]
    assert sorted(line.split()[0] for line in proxy.lines()) == sorted([
        '"cpu"', '"mem"', '"∆jobs"', "!M", '"getAllUsers"', '{"traceId":', "@Event",
    ])  # fmt: skip
    assert '"mem" 2.0 source="h" "k"="v"\n' in proxy.lines()


@pytest.mark.slow
def test_the_summary_as_json_is_all_there_is_on_standard_output(proxy: LoopbackReceiver) -> None:
    done = run("lines", "-", "--json", "--reporter", url(proxy), stdin="cpu 1\ncpu high\nx\nx\n")
    assert done.returncode == 1
    summary = json.loads(done.stdout)
    assert (summary["accepted"], summary["rejected"]) == (1, 3)
    assert summary["first_rejected"][0]["line"] == 2
    assert {"reason": "a metric line begins with a name and a value", "count": 2} in (
        summary["reasons"]
    )
    assert summary["reporters"] == [
        {"url": url(proxy), "given": 1, "lost": 0, "flushed": True}
    ]  # fmt: skip


CSV = """\
timestamp,host,cpu,mem,region
1533529977,h1,1.5,2,us-west
1533529978000,h2,,3,
2018-08-06T04:32:59Z,h3,n/a,4,"a ""quoted"", one"
yesterday,h4,1,1,x
1533529980,h5
"""


@pytest.mark.slow
def test_columns_of_csv_become_metrics_sources_times_and_tags(proxy: LoopbackReceiver) -> None:
    done = run(
        "csv", "-", "--value-column", "cpu", "--value-column", "mem", "--source-column", "host",
        "--prefix", "node.", "--reporter", url(proxy), stdin="\ufeff" + CSV,
    )  # fmt: skip
    assert done.returncode == 1
    assert proxy.lines() == [
        '"node.cpu" 1.5 1533529977 source="h1" "region"="us-west"\n',
        '"node.mem" 2.0 1533529977 source="h1" "region"="us-west"\n',
        '"node.mem" 3.0 1533529978 source="h2"\n',
        '"node.mem" 4.0 1533529979 source="h3" "region"="a \\"quoted\\", one"\n',
    ]
    assert done.stdout.splitlines() == [
        "4 accepted, 3 rejected",
        "  line 4: the value is 'n/a', which is no finite number",
        "  line 5: the time is 'yesterday'; give Unix seconds or 2026-01-31T12:00:00Z",
        "  line 6: the row has 3 columns less than the header",
    ]


@pytest.mark.slow
def test_the_usual_columns_need_no_options(proxy: LoopbackReceiver, tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("name;value;source;env\ncpu;1;h;prod\nmem;2;;\n")
    done = run("csv", str(path), "--delimiter", ";", "--source", "me", "--reporter", url(proxy))
    assert done.returncode == 0, done.stdout
    assert proxy.lines() == ['"cpu" 1.0 source="h" "env"="prod"\n', '"mem" 2.0 source="me"\n']


@pytest.mark.slow
def test_a_large_file_passes_a_small_queue_in_order(
    proxy: LoopbackReceiver, tmp_path: Path
) -> None:
    path = tmp_path / "large.csv"
    with path.open("w") as file:
        file.write("name,value\n")
        file.writelines(f"m{number},{number}\n" for number in range(20_000))
    done = run("csv", str(path), "--reporter", url(proxy) + "?max_queue_size=500&batch_size=100")
    assert (done.returncode, done.stdout, done.stderr) == (0, "20,000 accepted, 0 rejected\n", "")
    assert [line.split()[0] for line in proxy.lines()] == [f'"m{n}"' for n in range(20_000)]


@pytest.mark.slow
def test_what_the_receiver_refuses_or_never_takes_is_told(proxy: LoopbackReceiver) -> None:
    def answer(one: Received) -> Answer:
        return Answer(400 if any("bad" in line for line in one.lines) else 200)

    proxy.answer = answer
    done = run("lines", "-", "--reporter", url(proxy), stdin="good 1\nbad 2\n")
    assert done.returncode == 1
    assert "1 were lost, or refused by the receiver" in done.stdout
    proxy.answer = lambda _: Answer(503)
    done = run("metric", "m", "1", "--timeout", "1s", "--reporter", url(proxy))
    assert done.returncode == 1
    assert "not everything was delivered in time" in done.stdout


@pytest.mark.slow
def test_other_reporters_take_what_they_can_and_say_what_they_cannot(tmp_path: Path) -> None:
    file, store = tmp_path / "out.jsonl", tmp_path / "store.db"
    done = run("lines", "-", stdin=LINES, WF_REPORTER=f"file://{file} local://{store}")
    assert done.returncode == 1
    assert done.stdout.startswith("5 accepted, 4 rejected\n")
    assert "only Wavefront takes events and span logs" in done.stdout
    data = [json.loads(line) for line in file.read_text().splitlines()]
    found = {(one["kind"], one.get("name")): one for one in data}
    assert set(found) == {
        ("point", "cpu"), ("point", "mem"), ("point", "jobs"),
        ("distribution", "request.latency"), ("span", "getAllUsers"),
    }  # fmt: skip
    cpu = found["point", "cpu"]
    assert (cpu["source"], cpu["ended_ns"], cpu["value"]) == ("h", 1533529977 * 10**9, 1.5)
    assert found["point", "jobs"]["of"] == "delta"
    assert found["span", "getAllUsers"]["trace_id"] == TRACE.replace("-", "")
    with closing(sqlite3.connect(store)) as connection:
        rows = connection.execute("SELECT name, kind, value FROM points ORDER BY name").fetchall()
    # The point of 2018 is older than a store keeps.
    assert [row for row in rows if row[0] != "cpu"] == [
        ("jobs", "delta", 3.0), ("mem", "gauge", 2.0),
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lines", "/none"], "cannot be read"),
        (["csv", "/none"], "cannot be read"),
        (["csv", "-", "--value-column", "x"], "the CSV file is empty"),
        (["metric", "m", "1", "--reporter", "pigeon://"], "pigeon"),
        (["metric", "m", "one"], "not a valid float"),
        (["metric", "m", "1", "--dleta"], "No such option"),
        (["metric", "m", "1", "--tag", "novalue"], "no key=value"),
        (["histogram", "h", "20"], "no COUNT:MEAN"),
        (["csv", "-", "--delimiter", "ab"], "one character"),
    ],
)
def test_wrong_use_has_status_2_and_says_what_is_wrong(arguments: list[str], words: str) -> None:
    done = run(*arguments, WF_REPORTER="null://")
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("value", ["-5", "-.5", "-1e3"])
def test_a_value_may_be_negative(proxy: LoopbackReceiver, value: str) -> None:
    done = run("metric", "m", value, "--source", "h", "--timestamp", "1", "--reporter", url(proxy))
    assert (done.returncode, done.stderr) == (0, "")
    assert proxy.lines() == [f'"m" {float(value)} 1 source="h"\n']


@pytest.mark.slow
def test_a_missing_column_is_told_with_those_there_are() -> None:
    done = run("csv", "-", "--value-column", "cpu", stdin="name,val\n", WF_REPORTER="null://")
    assert done.returncode == 2
    assert "no column 'cpu'; it has: name, val" in done.stderr


@pytest.mark.slow
def test_bytes_that_are_no_text_cost_their_line_alone(proxy: LoopbackReceiver) -> None:
    data = b'good 1 source=h\nx 1 source="\xff\xfe"\n' + b"a" * 3_000_000 + b"\nlast 2 source=h\n"
    done = run("lines", "-", "--reporter", url(proxy), stdin=data)
    assert [line.split()[0] for line in proxy.lines()] == ['"good"', '"x"', '"last"']
    assert done.returncode == 1
    assert all(len(line) < 200 for line in done.stdout.splitlines())


@pytest.mark.slow
def test_an_interrupt_ends_with_the_account_of_what_was_sent(proxy: LoopbackReceiver) -> None:
    process = subprocess.Popen(
        [*COMMAND, "lines", "-", "--reporter", url(proxy) + "?flush_interval=0.05"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ELSEWHERE,
    )
    assert process.stdin is not None
    process.stdin.write(b"cpu 1 source=h\n")
    process.stdin.flush()
    assert proxy.wait_for_lines(1, 20)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    assert (process.returncode, out, errors.strip()) == (130, b"1 accepted, 0 rejected\n", b"")
