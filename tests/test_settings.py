"""Settings: argument over environment over file over default, and errors at the start."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest

from wf_instrument.errors import ConfigError, MissingTagError
from wf_instrument.identity import ApplicationTags
from wf_instrument.settings import load_settings, setting_rows

if TYPE_CHECKING:
    from pathlib import Path


def test_the_nearest_place_wins(folder: Path) -> None:
    (folder / "wf_instrument.toml").write_text('service = "file"\ncluster = "file"\nshard = "file"')
    environ = {"WF_SERVICE": "environment", "WF_CLUSTER": "environment"}
    settings = load_settings({"service": "argument", "shard": None}, environ, folder)
    assert (settings.service, settings.cluster, settings.shard) == (
        "argument", "environment", "file",
    )  # fmt: skip
    assert settings.application == "default"


def test_pyproject_serves_where_there_is_no_file_of_our_own(folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[tool.wf_instrument]\nreporter = ["null://"]\n')
    assert load_settings(environ={}, folder=folder).reporter == ("null://",)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"servce": "x"}, "no such setting"),
        ({"tick_s": "soon"}, "a number from 0.05 to 60 s"),
        ({"tick_s": 0}, "a number from 0.05 to 60 s"),
        ({"tick_s": float("nan")}, "a number from 0.05 to 60 s"),
        ({"spans": "maybe"}, "true or false"),
        ({"max_series": 1.5}, "a whole number"),
        ({"service": 7}, "a string"),
        ({"custom_tags": "novalue"}, "key=value"),
        ({"excluded_urls": ["("]}, "no regular expression"),
        ({"error_statuses": "all"}, "'404,500-599'"),
        ({"custom_tags": {"key": " "}}, "key=value"),
        ({"custom_tags": [("a", "b", "c")]}, "key=value"),
    ],
)
def test_a_wrong_setting_is_told_in_one_sentence(
    arguments: dict[str, object], words: str, folder: Path
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        load_settings(arguments, {}, folder)
    assert "\n" not in str(caught.value)
    assert next(iter(arguments)) in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(folder: Path) -> None:
    (folder / "wf_instrument.toml").write_text("service = ")
    with pytest.raises(ConfigError, match=r"wf_instrument\.toml"):
        load_settings(environ={}, folder=folder)


def test_lists_and_pairs_are_read_from_text(folder: Path) -> None:
    environ = {
        "WF_REPORTER": "null://  console://",
        "WF_CUSTOM_TAGS": "env=prod, region=eu",
        "WF_ERROR_STATUSES": "404, 500-502",
    }
    settings = load_settings(environ=environ, folder=folder)
    assert settings.reporter == ("null://", "console://")
    assert settings.custom_tags == (("env", "prod"), ("region", "eu"))
    assert [list(part) for part in settings.error_status_ranges()] == [[404], [500, 501, 502]]


def test_the_reporters_tokens_are_never_shown(folder: Path) -> None:
    environ = {"WF_REPORTER": "wavefront+https://s3cret@host"}
    assert "s3cret" not in repr(load_settings(environ=environ, folder=folder))
    urls = [environ["WF_REPORTER"].encode()]
    with pytest.raises(ConfigError) as caught:
        load_settings({"reporter": urls}, {}, folder)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_tool_settings_that_are_no_table_are_told(folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[tool]\nwf_instrument = "on"\n')
    with pytest.raises(ConfigError, match=r"write a table \[tool.wf_instrument\]"):
        load_settings(environ={}, folder=folder)


def test_a_blank_variable_is_as_good_as_none(folder: Path) -> None:
    assert load_settings(environ={"WF_TICK": "  "}, folder=folder).tick_s == 1.0


def test_every_row_has_a_variable_of_its_own_and_help() -> None:
    rows = setting_rows()
    assert len({row.variable for row in rows}) == len(rows)
    assert all(row.variable.startswith("WF_") and row.help for row in rows)


def test_application_tags_need_application_and_service() -> None:
    with pytest.raises(MissingTagError, match="service"):
        ApplicationTags("a", " ")
    with pytest.raises(AttributeError):
        ApplicationTags("", "s")
    assert ApplicationTags("a", "s", custom_tags=[("k", "v")]).get_as_list() == [
        ("application", "a"), ("cluster", "none"), ("service", "s"), ("shard", "none"), ("k", "v"),
    ]  # fmt: skip


def test_custom_tags_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYAPP_TEAM", "blue")
    tags = ApplicationTags("a", "s")
    tags.add_custom_tags_from_env("myapp_.*")
    tags.add_custom_tag_from_env("team", "MYAPP_TEAM")
    assert tags.custom_tags == [("MYAPP_TEAM", "blue"), ("team", "blue")]
    with pytest.raises(ConfigError, match="NOT_THERE"):
        tags.add_custom_tag_from_env("x", "NOT_THERE")
    with pytest.raises(ConfigError, match="no regular expression"):
        tags.add_custom_tags_from_env("(")
