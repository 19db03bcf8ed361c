"""What OpenTelemetry's own variables say, for whoever has set them already.

Source: OpenTelemetry specification, "Environment Variable Specification", "General SDK
    Configuration"; "Resource SDK", `OTEL_RESOURCE_ATTRIBUTES`: pairs like W3C baggage,
    percent-encoded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["otel_settings"]

#: Attributes of the resource that are settings of ours; others become custom tags.
_SETTINGS: Final = {
    "service.name": "service",
    "service.namespace": "application",
    "host.name": "source",
    "wf.cluster": "cluster",
    "wf.shard": "shard",
}
#: What each process says of itself.
_OWN: Final = frozenset({"process.pid", "service.instance.id"})


def otel_settings(environ: Mapping[str, str]) -> Iterator[tuple[str, str, object]]:
    """Yield settings that OpenTelemetry's variables imply, what counts less first.

    Yields:
        The setting's name, where it comes from, and its value.
    """
    variable = "OTEL_RESOURCE_ATTRIBUTES"
    text = environ.get(variable, "").strip()
    if text:
        custom: dict[str, str] = {}
        where = f"environment variable {variable}"
        for key, value in _pairs(text):
            if key in _SETTINGS:
                yield _SETTINGS[key], where, value
            elif key not in _OWN:
                custom[key] = value
        if custom:
            yield "custom_tags", where, custom
    name = environ.get("OTEL_SERVICE_NAME", "").strip()
    if name:
        yield "service", "environment variable OTEL_SERVICE_NAME", name
    # Its specification: any other value than "true", in whatever case, is false.
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        yield "enabled", "environment variable OTEL_SDK_DISABLED", False


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    # Imported here: only who has set the variable pays for it.
    from urllib.parse import unquote

    for part in text.split(","):
        key, equals, value = part.partition("=")
        # What is no pair is left out, as OpenTelemetry's SDK leaves it out.
        if equals and key.strip() and value.strip():
            yield key.strip(), unquote(value.strip())
