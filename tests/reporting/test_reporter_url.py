"""Reporter URLs: parsed, looked up by entry point, and free of secrets when shown."""

from __future__ import annotations

import contextlib
import traceback
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import IDENTITY
from wf_instrument.backends.wavefront import WavefrontPipelineReporter
from wf_instrument.errors import ConfigError, UnknownReporterError
from wf_instrument.reporting import ReporterUrl, known_schemes, make_reporter
from wf_instrument.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def test_a_url_is_taken_apart_and_its_secrets_are_not_shown() -> None:
    url = ReporterUrl.parse("Wavefront+https://to%2Fken:pass@[::1]:99/path%20x?interval=5&a=b")
    assert (url.scheme, url.host, url.port, url.path) == ("wavefront+https", "::1", 99, "/path x")
    assert (url.user, url.password, url.query) == ("to/ken", "pass", {"interval": "5", "a": "b"})
    for shown in (str(url), repr(url)):
        assert "to/ken" not in shown
        assert "pass" not in shown


def test_all_reporters_of_this_package_are_found() -> None:
    assert set(known_schemes()) >= {
        "console", "file", "local", "memory", "null", "proxy", "wavefront", "wavefront+https",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "no scheme"),
        ("wavefront://[::1", "cannot be read"),
        ("wavefront://host:99999", "port"),
        ("wavefront://", "names no host"),
        ("wavefront://token@host", "takes none"),
        ("wavefront+https://host", "has no token"),
        ("wavefront+https://host?token_file=/none", "cannot be read"),
        ("wavefront://host?batch_size=0", "from 1 to"),
        ("wavefront://host?interval=often", "interval='often'"),
        ("null://?speed=1", "unknown parameter 'speed'"),
        ("file://name", "names no file"),
        ("file:///proc/none/x", "cannot write"),
        ("wavefront+https://to#ken@host", "write '#' as %23"),
        ("wavefront+https://token@/x@host", "names no host"),
        ("wavefront+https://to/token@host", "'/' in its token"),
        ("local://?interval=0", "interval='0'"),
    ],
)
def test_a_wrong_url_is_told_in_one_sentence(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        make_reporter(text, IDENTITY, Settings())
    assert "\n" not in str(caught.value)
    assert "token@" not in str(caught.value)


def test_an_unknown_scheme_lists_the_known_ones_and_the_extra() -> None:
    with pytest.raises(UnknownReporterError, match=r"wf-instrument\[otlp\]"):
        make_reporter("otlp://host", IDENTITY, Settings())


def test_another_package_adds_schemes_and_does_not_replace_built_in_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "aaa_first-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: aaa-first\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(
        "[wf_instrument.reporters]\n"
        "null = nowhere:from_url\n"
        "else = wf_instrument.reporting.null:from_url\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    (_, built_in, _), (_, added, _) = (
        make_reporter(f"{scheme}://", IDENTITY, Settings()) for scheme in ("null", "else")
    )
    assert type(built_in) is type(added)


def test_the_interval_and_the_token_file_are_read(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("s3cret\n")
    url = f"wavefront+https://cluster.example?token_file={secret}&interval=30"
    parsed, reporter, interval_s = make_reporter(url, IDENTITY, Settings())
    assert isinstance(reporter, WavefrontPipelineReporter)
    assert interval_s == 30
    assert "s3cret" not in f"{parsed!r} {reporter.client!r}"
    reporter.close(0)


@given(text=st.text())
def test_any_text_is_a_url_or_a_config_error(text: str) -> None:
    with contextlib.suppress(ConfigError):
        ReporterUrl.parse(text)


def test_a_host_that_is_none_does_not_show_the_token() -> None:
    url = "wavefront+https://s3cret@ho\u2100st"
    with pytest.raises(ConfigError) as caught:
        ReporterUrl.parse(url)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
