"""`compat.install()`: the legacy names give this library's modules, and nothing else changes."""

from __future__ import annotations

import importlib
import inspect
import json
import pickle
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from compat.legacy_program import INSTALL, run
from compat.legacy_table import CONSTANTS, LEGACY
from wf_instrument import compat

if TYPE_CHECKING:
    from collections.abc import Iterator


ROOT = Path(__file__).parents[2]

PYFORMANCE_PROGRAM = """
import pyformance
from pyformance import MetricsRegistry, counter
from pyformance.reporters.console_reporter import ConsoleReporter
import pyformance.reporters.carbon_reporter, pyformance.meters.timer
counter("a").inc()
print(pyformance.dump_metrics())
"""


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


def test_an_installed_legacy_package_is_left_alone(legacy_site: Path) -> None:
    program = """
from wf_instrument import compat
print(*compat.install())
import wavefront_sdk.only_legacy
import wavefront_pyformance.delta
print(wavefront_sdk.IS_LEGACY, wavefront_pyformance.__name__)
"""
    taken, used = run(program, path=legacy_site).splitlines()
    assert taken.split() == sorted(set(compat.LEGACY_PACKAGES) - {"wavefront_sdk"})
    assert used == "True wf_instrument.compat.wavefront_pyformance"


def test_an_installed_legacy_package_is_hidden_whole_when_asked_for(legacy_site: Path) -> None:
    program = """
from wf_instrument import compat
print(*compat.install(shadow=True))
import wavefront_sdk
print(hasattr(wavefront_sdk, "IS_LEGACY"))
try:
    import wavefront_sdk.only_legacy
except ModuleNotFoundError as error:
    print(error.name)
"""
    taken, *used = run(program, path=legacy_site).splitlines()
    assert taken.split() == sorted(compat.LEGACY_PACKAGES)
    assert used == ["False", "wavefront_sdk.only_legacy"]


def test_a_folder_that_is_no_package_is_no_installed_one(tmp_path: Path) -> None:
    (tmp_path / "apptuit").mkdir()
    program = "import apptuit; print(apptuit.__name__)"
    assert run(INSTALL + program, path=tmp_path) == "wf_instrument.compat.apptuit\n"


def test_a_legacy_package_that_was_imported_stays_what_it_is(legacy_site: Path) -> None:
    program = """
import wavefront_sdk
from wf_instrument import compat
print("wavefront_sdk" in compat.install())
import wavefront_sdk
print(wavefront_sdk.IS_LEGACY)
"""
    assert run(program, path=legacy_site) == "False\nTrue\n"


def test_hiding_a_legacy_package_after_its_import_is_told(legacy_site: Path) -> None:
    program = """
import wavefront_sdk
from wf_instrument import compat, errors
try:
    compat.install(shadow=True)
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


def test_installing_loads_no_backend_before_it_is_imported() -> None:
    program = """
import sys
print([name for name in sys.modules if "backends" in name or "compat.apptuit" in name])
import apptuit
print("wf_instrument.backends.apptuit" in sys.modules, "pandas" in sys.modules)
"""
    assert run(INSTALL + program) == "[]\nTrue False\n"


def test_installing_says_what_it_took_over_each_time() -> None:
    try:
        first = compat.install()
        importlib.import_module("apptuit")
        assert compat.install() == first == tuple(sorted(compat.LEGACY_PACKAGES))
    finally:
        compat.uninstall()


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
    text = (absent if pkg_resources == "absent" else "") + INSTALL + PYFORMANCE_PROGRAM
    assert run(text) == "{'a': {'count': 1}}\n"


def test_pyformance_may_have_been_imported_before(tmp_path: Path) -> None:
    # As an old setuptools has it.
    text = "def declare_namespace(name): pass\n"
    (tmp_path / "pkg_resources.py").write_text(text, encoding="utf-8")
    program = f"""
import warnings
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import pyformance
    mine = pyformance.MetricsRegistry
{INSTALL}
from apptuit.pyformance import ApptuitReporter
reporter = ApptuitReporter(token="t")
print(type(reporter.registry) is mine)
{PYFORMANCE_PROGRAM}
"""
    assert run(program, path=tmp_path) == "True\n{'a': {'count': 1}}\n"


@pytest.mark.parametrize(
    ("statement", "kind", "parts"),
    [
        (
            "from wavefront_sdk.common import metric_to_line",
            "ImportError",
            ["'wavefront_sdk.common.metric_to_line'", "did you mean metric_to_line_data"],
        ),
        (
            "from apptuit import requests",
            "ImportError",
            ["'apptuit.requests'", "Apptuit, ", "docs/migration-apptuit.md"],
        ),
        (
            "from apptuit.utils import _validate_metric",
            "ImportError",
            ["'apptuit.utils._validate_metric'", "checked by the client"],
        ),
        (
            "import wavefront_pyformance.deltas",
            "ModuleNotFoundError",
            ["'wavefront_pyformance.deltas'", "did you mean delta?", "wf_instrument.metrics"],
        ),
        (
            "import wavefront_sdk; wavefront_sdk.nothing",
            "AttributeError",
            ["'wavefront_sdk.nothing'", "docs/migration-wavefront-sdk.md"],
        ),
        (
            "import wavefront_opentracing_sdk.propagation as p; p.B3",
            "AttributeError",
            ["'wavefront_opentracing_sdk.propagation.B3'", "wf_instrument.tracing"],
        ),
    ],
)
def test_a_name_that_is_not_there_is_told_with_what_to_use(
    statement: str, kind: str, parts: list[str]
) -> None:
    program = f"""
try:
    {statement}
except Exception as error:
    print(type(error).__name__, error)
"""
    said = run(INSTALL + program)
    assert said.startswith(f"{kind} wf_instrument stands in for ")
    assert [part for part in parts if part not in said] == []


@pytest.mark.usefixtures("installed")
def test_asking_whether_a_name_is_there_raises_nothing() -> None:
    package = importlib.import_module("wavefront_sdk")
    assert not hasattr(package, "nothing")
    assert getattr(package, "nothing", None) is None
    assert not hasattr(package, "__wrapped__")


def test_after_uninstalling_modules_answer_as_before() -> None:
    compat.install()
    module = importlib.import_module("wavefront_sdk.common.constants")
    assert "__getattr__" in vars(module)
    compat.uninstall()
    assert "__getattr__" not in vars(module)


@pytest.mark.parametrize("package", list(compat.LEGACY_PACKAGES))
def test_every_legacy_package_has_a_page_on_leaving_it(package: str) -> None:
    page = ROOT / "docs" / f"migration-{package.replace('_', '-')}.md"
    text = page.read_text(encoding="utf-8")
    assert f"| `{package}" in text
    assert "## What behaves better" in text
    assert "## What is gone" in text
    assert f"({page.name})" in (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")
    assert f": {page.name}" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
