"""What is read of distributions is what `importlib.metadata` says, without its cost."""

from __future__ import annotations

from importlib.metadata import Distribution, distributions
from typing import TYPE_CHECKING

from wf_instrument.auto.distribution_facts import Facts, facts_of

if TYPE_CHECKING:
    from pathlib import Path


def test_facts_of_all_that_is_installed_are_those_that_importlib_tells() -> None:
    installed = list(distributions())
    told = [Facts(one.name, one.version, tuple(one.requires or ())) for one in installed]
    assert [facts_of(one) for one in installed] == told


def test_the_description_is_not_taken_for_facts(tmp_path: Path) -> None:
    folder = tmp_path / "parcels-1.2.dist-info"
    folder.mkdir()
    text = "Metadata-Version: 2.1\nName: Parcels\nVersion: 1.2\n\nVersion: 9\nRequires-Dist: x\n"
    (folder / "METADATA").write_text(text)
    assert facts_of(Distribution.at(folder)) == ("Parcels", "1.2", ())


def test_a_distribution_of_an_older_installer_is_read_too(tmp_path: Path) -> None:
    folder = tmp_path / "parcels.egg-info"
    folder.mkdir()
    (folder / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: parcels\nVersion: 0.9\n")
    (folder / "requires.txt").write_text("flask>=2\n")
    assert facts_of(Distribution.at(folder)) == ("parcels", "0.9", ("flask>=2",))
