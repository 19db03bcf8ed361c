"""What OpenTelemetry's variables say is a fall-back; what is wrong can be told and passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wf_instrument.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from wf_instrument.errors import ConfigError


def test_variables_of_opentelemetry_name_who_reports(folder: Path) -> None:
    settings = load_settings(
        environ={
            "OTEL_SERVICE_NAME": "styling",
            "OTEL_RESOURCE_ATTRIBUTES": "service.name=x,service.namespace=Ordering,wf.shard=a,"
            "host.name=web-1,deployment.environment.name=pre%20prod,process.pid=7,broken",
        },
        folder=folder,
    )
    assert (settings.service, settings.application, settings.shard, settings.source) == (
        "styling", "Ordering", "a", "web-1",
    )  # fmt: skip
    assert settings.custom_tags == (("deployment.environment.name", "pre prod"),)
    assert settings.enabled


@pytest.mark.parametrize("said", [{"WF_SERVICE": "ours"}, {}])
def test_they_count_less_than_ours(said: dict[str, str], folder: Path) -> None:
    if not said:
        (folder / "wf_instrument.toml").write_text('service = "ours"')
    environ = {"OTEL_SERVICE_NAME": "styling", **said}
    assert load_settings(environ=environ, folder=folder).service == "ours"


@pytest.mark.parametrize(
    ("value", "enabled"), [("true", False), ("TRUE", False), ("false", True), ("1", True)]
)
def test_the_sdk_is_disabled_by_true_alone(value: str, enabled: bool, folder: Path) -> None:
    assert load_settings(environ={"OTEL_SDK_DISABLED": value}, folder=folder).enabled is enabled


def test_what_is_wrong_is_passed_over_where_somebody_is_told(folder: Path) -> None:
    (folder / "wf_instrument.toml").write_text(
        'servise = "x"\ncluster = "eu"\ntick_s = 0\nerror_statuses = "all"'
    )
    told: list[ConfigError] = []
    settings = load_settings(
        environ={"WF_SPANS": "maybe", "WF_SHARD": "a"}, folder=folder, on_problem=told.append
    )
    assert (settings.cluster, settings.shard, settings.spans, settings.tick_s) == (
        "eu", "a", True, 1.0,
    )  # fmt: skip
    assert len(told) == 4
    assert "setting 'servise': no such setting; did you mean 'service'?" in str(told[0])
    assert "wf_instrument.toml" in str(told[0])


def test_a_file_that_cannot_be_read_is_passed_over_too(folder: Path) -> None:
    (folder / "wf_instrument.toml").write_text("service = ")
    told: list[ConfigError] = []
    assert load_settings(environ={}, folder=folder, on_problem=told.append).service == "default"
    assert "wf_instrument.toml" in str(told[0])
    assert len(told) == 1


def test_names_are_separated_by_commas_or_white_space(folder: Path) -> None:
    environ = {"WF_DISABLED": "django, logging  flask"}
    assert load_settings(environ=environ, folder=folder).disabled == ("django", "logging", "flask")
