"""`compat.install()`: the legacy names give this library's modules, and nothing else changes."""

from __future__ import annotations

import importlib
import inspect
import json
import pickle
import sys
from typing import TYPE_CHECKING

import pytest

from compat.legacy_program import INSTALL, run
from compat.legacy_table import CONSTANTS, LEGACY
from wf_instrument import compat

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def installed() -> Iterator[None]:
    compat.install()
    yield
    compat.uninstall()


@pytest.fixture
def legacy_site(tmp_path: Path) -> Path:
    """A folder in which the legacy package is installed."""
    package = tmp_path / "wavefront_sdk"
    package.mkdir()
    (package / "__init__.py").write_text("IS_LEGACY = True\n", encoding="utf-8")
    (package / "only_legacy.py").write_text("", encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def found() -> dict[str, list[str]]:
    """Import every module in one program that does nothing else, and say what is in it."""
    program = f"""
import importlib, json
names = {list(LEGACY)!r}
print(json.dumps({{name: dir(importlib.import_module(name)) for name in names}}))
"""
    answer: dict[str, list[str]] = json.loads(run(INSTALL + program))
    return answer


@pytest.mark.parametrize("module", list(LEGACY))
def test_every_module_has_its_names(module: str, found: dict[str, list[str]]) -> None:
    assert set(LEGACY[module]) <= set(found[module])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "name"),
    [(module, name) for module, names in LEGACY.items() for name in names],
)
@pytest.mark.usefixtures("installed")
def test_every_name_can_be_imported_from_its_module(module: str, name: str) -> None:
    space: dict[str, object] = {}
    exec(f"from {module} import {name}", space)
    assert space[name] is not None


@pytest.mark.parametrize("module", ["wavefront_sdk", "wavefront_sdk.entities.histogram"])
def test_a_module_can_be_the_first_to_be_imported(module: str) -> None:
    program = f"import {module}, sys; print(sys.modules[{module!r}].__name__)"
    assert run(INSTALL + program) == f"wf_instrument.compat.{module}\n"


@pytest.mark.usefixtures("installed")
def test_the_constants_have_their_values() -> None:
    constants = importlib.import_module("wavefront_sdk.common.constants")
    assert {name: getattr(constants, name) for name in CONSTANTS} == CONSTANTS


@pytest.mark.usefixtures("installed")
def test_the_client_has_its_class_constants() -> None:
    client = importlib.import_module("wavefront_sdk.client").WavefrontClient
    assert (client.WAVEFRONT_METRIC_FORMAT, client.REPORT_END_POINT) == ("wavefront", "/report")
    assert (client.EVENT_END_POINT, client.AUTH_TYPE_PROXY) == ("/api/v2/event", "proxy")
    assert client.HTTP_TIMEOUT > 0
    own = importlib.import_module("wf_instrument.backends.wavefront").WavefrontClient
    assert client is own


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("module", list(LEGACY))
def test_a_module_is_one_object_under_both_names(module: str) -> None:
    legacy = importlib.import_module(module)
    assert legacy is importlib.import_module(f"wf_instrument.compat.{module}")
    assert legacy.__spec__ is not None
    assert legacy.__spec__.name == legacy.__name__ == f"wf_instrument.compat.{module}"
    parent, _, child = module.rpartition(".")
    if parent:
        assert getattr(sys.modules[parent], child) is legacy


@pytest.mark.usefixtures("installed")
def test_what_came_from_a_legacy_module_can_be_pickled_inspected_and_reloaded() -> None:
    tags = importlib.import_module("wavefront_sdk.common").ApplicationTags("shop", "styles")
    assert pickle.loads(pickle.dumps(tags)).get_as_list() == tags.get_as_list()
    # As a pickle of the legacy package has it.
    by_old_name = b"cwavefront_sdk.common.application_tags\nApplicationTags\n."
    assert pickle.loads(by_old_name) is type(tags)
    module = importlib.import_module("wavefront_sdk.common.utils")
    assert inspect.getsource(module).startswith('"""`wavefront_sdk.common.utils`')
    assert importlib.reload(module) is module


def test_a_plain_import_statement_of_a_submodule_binds_the_package() -> None:
    program = """
import wavefront_sdk.common.metrics.registry
from wavefront_sdk import common, client_factory as factories
from wavefront_sdk.entities.histogram import histogram_granularity
print(wavefront_sdk.common is common, wavefront_sdk.client_factory is factories)
print(wavefront_sdk.common.metrics.registry.__name__, histogram_granularity.MINUTE)
"""
    assert run(INSTALL + program) == (
        "True True\nwf_instrument.compat.wavefront_sdk.common.metrics.registry !M\n"
    )


def test_an_installed_legacy_package_is_hidden_whole(legacy_site: Path) -> None:
    program = """
import importlib.util
import wavefront_sdk
print(hasattr(wavefront_sdk, "IS_LEGACY"))
print(importlib.util.find_spec("wavefront_sdk.only_legacy"))
try:
    import wavefront_sdk.only_legacy
except ModuleNotFoundError as error:
    print(error.name)
"""
    answer = run(INSTALL + program, path=legacy_site)
    assert answer == "False\nNone\nwavefront_sdk.only_legacy\n"


def test_coming_after_the_import_of_a_legacy_package_is_told(legacy_site: Path) -> None:
    program = """
import wavefront_sdk
from wf_instrument import compat, errors
try:
    compat.install()
except errors.ConfigError as error:
    print(error)
import wavefront_sdk
print(wavefront_sdk.IS_LEGACY)
import importlib
print(importlib.import_module("wavefront_sdk.only_legacy").__name__)
"""
    said, *rest = run(program, path=legacy_site).splitlines()
    assert str(legacy_site / "wavefront_sdk" / "__init__.py") in said
    assert "'wavefront_sdk'" in said
    assert "before the first import" in said
    assert rest == ["True", "wavefront_sdk.only_legacy"]


def test_installing_twice_is_as_once_and_uninstalling_undoes_it() -> None:
    before = list(sys.meta_path)
    compat.install()
    importlib.import_module("wavefront_sdk.common")
    later = type("Later", (), {"find_spec": staticmethod(lambda *_: None)})()
    sys.meta_path.insert(0, later)
    try:
        compat.install()
        assert sys.meta_path[1] is later
        assert len(sys.meta_path) == len(before) + 2
    finally:
        compat.uninstall()
        sys.meta_path.remove(later)
    assert sys.meta_path == before
    assert not [name for name in sys.modules if name.startswith("wavefront_sdk")]
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("wavefront_sdk")


def test_without_installing_nothing_changes() -> None:
    program = """
import importlib.util
import wf_instrument.compat, wf_instrument.compat.wavefront_sdk
print(importlib.util.find_spec("wavefront_sdk"))
"""
    assert run(program) == "None\n"


@pytest.mark.parametrize("threads", [8])
def test_threads_that_import_at_once_get_the_same_whole_module(threads: int) -> None:
    program = f"""
import threading
start, seen = threading.Barrier({threads}), []
def look():
    start.wait()
    from wavefront_sdk.entities import WavefrontHistogramImpl
    import wavefront_sdk.common.utils
    seen.append((WavefrontHistogramImpl, wavefront_sdk.common.utils.chunks))
workers = [threading.Thread(target=look) for _ in range({threads})]
[worker.start() for worker in workers]
[worker.join() for worker in workers]
print(len(seen), len(set(seen)))
"""
    assert run(INSTALL + program) == f"{threads} 1\n"


@pytest.mark.parametrize("pkg_resources", ["absent", "as it is"])
def test_pyformance_and_its_submodules_can_be_imported(pkg_resources: str) -> None:
    absent = "import sys; sys.modules['pkg_resources'] = None\n"
    program = """
import pyformance
from pyformance import MetricsRegistry, counter
from pyformance.reporters.console_reporter import ConsoleReporter
import pyformance.reporters.carbon_reporter, pyformance.meters.timer
counter("a").inc()
print(pyformance.dump_metrics())
"""
    text = (absent if pkg_resources == "absent" else "") + INSTALL + program
    assert run(text) == "{'a': {'count': 1}}\n"
