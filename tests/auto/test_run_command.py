"""`wf-instrument run` as a user meets it: what it says, and that the program runs all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from run_server import UNAWARE

#: A program that makes an application, and has one request of it served.
SERVE = f"""
import sys
sys.path.insert(0, {str(UNAWARE)!r})
from flask_shop import app
assert app.test_client().get("/items/7").data == b"item 7"
print("served")
"""


def run(
    program: str, *options: str, folder: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wf_instrument", "run", *options, "--", sys.executable]
    return subprocess.run(
        [*command, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=folder,
        env={**os.environ, "WF_REPORTER": f"file://{folder}/out.jsonl", **variables},
    )


def requests(folder: Path) -> list[dict[str, object]]:
    file = folder / "out.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return [row for row in map(json.loads, lines) if row["kind"] == "request"]


@pytest.mark.slow
def test_it_says_nothing_when_all_is_well(tmp_path: Path) -> None:
    done = run(SERVE, "--service", "shop", folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "served\n", "")
    (row,) = requests(tmp_path)
    assert (row["route"], row["application_tags"]["service"]) == ("/items/<int:number>", "shop")


@pytest.mark.slow
def test_without_a_reporter_it_names_the_store_and_the_command_that_shows_it(
    tmp_path: Path,
) -> None:
    done = run(SERVE, "--service", "shop", folder=tmp_path, WF_REPORTER="")
    path = f"{os.environ['XDG_STATE_HOME']}/wf-instrument/shop.db"
    assert done.stdout == "served\n"
    assert done.stderr.count("\n") == 1
    assert f"`wf-instrument ui {path}` shows it" in done.stderr
    assert Path(path).stat().st_size > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "variables", "file", "words"),
    [
        ([], {"WF_DISABLED": "flsk"}, "", "no installed integration; did you mean 'flask'?"),
        ([], {}, 'servise = "x"', "'servise': no such setting; did you mean 'service'?"),
        ([], {}, "service = ", "wf_instrument.toml cannot be read"),
        (["--tick-s", "soon"], {}, "", "WF_TICK is 'soon'; expected a number from 0.05 to 60 s"),
    ],
    ids=["unknown integration", "typo in the file", "broken file", "wrong option"],
)  # fmt: skip
def test_what_is_wrong_is_one_line_and_the_program_runs_and_is_seen(
    options: list[str], variables: dict[str, str], file: str, words: str, tmp_path: Path
) -> None:
    if file:
        (tmp_path / "wf_instrument.toml").write_text(file)
    done = run(SERVE, *options, folder=tmp_path, **variables)
    assert (done.returncode, done.stdout) == (0, "served\n")
    assert done.stderr.startswith("wf-instrument: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert len(requests(tmp_path)) == 1


@pytest.mark.slow
def test_a_reporter_that_cannot_be_made_is_one_line_and_the_program_runs(tmp_path: Path) -> None:
    done = run(SERVE, folder=tmp_path, WF_REPORTER="nowhere://x")
    assert (done.returncode, done.stdout) == (0, "served\n")
    assert "not instrumented: no reporter for the scheme 'nowhere'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"WF_DISABLED": "flask"}, ""),
        ({"WF_ENABLED": "off"}, "nothing is instrumented"),
        ({"OTEL_SDK_DISABLED": "true"}, "nothing is instrumented"),
    ],
)
def test_what_is_turned_off_is_left_alone(
    variables: dict[str, str], line: str, tmp_path: Path
) -> None:
    done = run(SERVE, folder=tmp_path, **variables)
    assert (done.returncode, done.stdout) == (0, "served\n")
    assert line in done.stderr
    assert requests(tmp_path) == []


@pytest.mark.slow
def test_nothing_is_imported_that_the_program_does_not_import(tmp_path: Path) -> None:
    program = """
import sys
print(sorted({name.split(".")[0] for name in sys.modules} &
    {"flask", "starlette", "fastapi", "django", "quart", "litestar", "sqlite3", "urllib3",
     "opentracing", "pyformance", "click", "wrapt", "asyncio", "logging"}))
"""
    bare = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    done = run(program, folder=tmp_path)
    # The border logs what it catches.
    assert set(json.loads(done.stdout.replace("'", '"'))) - {"logging"} == set(
        json.loads(bare.stdout.replace("'", '"'))
    ) - {"logging"}


@pytest.mark.slow
def test_another_sitecustomize_still_runs(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('theirs', __file__)")
    done = run(
        SERVE + "print(sys.modules['sitecustomize'].__file__)\n"
        "print([path for path in sys.path if 'auto/site' in path])",
        folder=tmp_path,
        PYTHONPATH=str(tmp_path),
    )
    file = tmp_path / "sitecustomize.py"
    # First in the process of the command itself.
    assert done.stdout == f"theirs {file}\ntheirs {file}\nserved\n{file}\n[]\n"
    assert len(requests(tmp_path)) == 1


@pytest.mark.slow
def test_one_that_raises_does_not_keep_ours_from_running(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("1 / 0")
    done = run(SERVE, folder=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.stdout == "served\n"
    assert "ZeroDivisionError" in done.stderr
    assert len(requests(tmp_path)) == 1


@pytest.mark.slow
def test_an_interpreter_without_the_library_says_so_and_runs(tmp_path: Path) -> None:
    # The base interpreter of this environment has none of its packages.
    base = os.path.realpath(sys.executable)
    done = subprocess.run(
        [sys.executable, "-m", "wf_instrument", "run", "--", base, "-c", "print('runs')"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**os.environ, "WF_REPORTER": "null://"},
    )  # fmt: skip
    assert done.stdout == "runs\n"
    assert "nothing is instrumented by" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_the_exit_status_is_the_programs_and_a_missing_one_is_told(tmp_path: Path) -> None:
    assert run("raise SystemExit(7)", folder=tmp_path).returncode == 7
    done = subprocess.run(
        [sys.executable, "-m", "wf_instrument", "run", "--", "no-such-command"],
        capture_output=True, text=True, check=False, env={**os.environ, "WF_REPORTER": "null://"},
    )  # fmt: skip
    assert done.returncode == 127
    assert "cannot run 'no-such-command': No such file or directory" in done.stderr


@pytest.mark.slow
def test_what_the_code_asks_for_wins(tmp_path: Path) -> None:
    program = SERVE.replace(
        "assert", "import wf_instrument\nwf_instrument.instrument(app, service='named')\nassert"
    )
    done = run(program, "--service", "shop", folder=tmp_path)
    assert (done.stdout, done.stderr) == ("served\n", "")
    (row,) = requests(tmp_path)
    assert (row["count"], row["application_tags"]["service"]) == (1, "named")


@pytest.mark.slow
@pytest.mark.parametrize(("options", "length"), [(["--log-ids"], 32), ([], 0)])
def test_log_records_carry_ids_if_wanted(options: list[str], length: int, tmp_path: Path) -> None:
    program = SERVE.replace(
        "assert",
        "import logging\n"
        "app.before_request(lambda: print(len(getattr(\n"
        "    logging.getLogger().makeRecord('x', 20, '', 1, 'm', (), None), 'trace_id', ''))))\n"
        "assert",
    )
    done = run(program, *options, folder=tmp_path)
    assert (done.stdout, done.stderr) == (f"{length}\nserved\n", "")


@pytest.mark.slow
def test_auto_instrument_in_code_does_the_same(tmp_path: Path) -> None:
    program = (
        "import wf_instrument\n"
        f"wf_instrument.auto_instrument(reporter='file://{tmp_path}/out.jsonl', service='shop')\n"
        + SERVE
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert (done.stdout, done.stderr) == ("served\n", "")
    (row,) = requests(tmp_path)
    assert row["application_tags"]["service"] == "shop"
