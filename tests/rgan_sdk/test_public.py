"""The public interface: what `rgan_sdk.__all__` promises is there, and nothing else is shown."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import rgan_sdk
from rgan_sdk import errors

PROMISED = {
    "Engine",
    "FileEntry",
    "HUWindow",
    "HarmonizationModel",
    "HarmonizedSeries",
    "Harmonizer",
    "HarmonizerConfig",
    "ModelCard",
    "Observer",
    "Report",
    "RunOptions",
    "SeriesEntry",
    "Shard",
    "SilentObserver",
    "WorkList",
    "create_engine",
    "harmonize_datasets",
    "harmonize_directory",
    "harmonize_stream",
    "packaged_models",
    "plan_directory",
    "CohortModel",
    "harmonize_cohort",
    "plan_cohort",
}
ERRORS = {
    name
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, errors.RganError)
}


def test_all_is_the_promise():
    assert set(rgan_sdk.__all__) == PROMISED | ERRORS
    assert rgan_sdk.__all__ == sorted(rgan_sdk.__all__)


def test_dir_shows_it():
    assert dir(rgan_sdk) == sorted([*rgan_sdk.__all__, "__version__"])


@pytest.mark.parametrize("name", rgan_sdk.__all__)
def test_each_name_is_there_and_documented(name):
    value = getattr(rgan_sdk, name)
    assert value.__name__ == name
    assert value.__module__.startswith("rgan_sdk.")
    assert inspect.getdoc(value)


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_each_says_what_threads_may_do(name):
    assert re.search("[Tt]hread", inspect.getdoc(getattr(rgan_sdk, name)))


def test_type_checkers_see_the_same_names():
    """What is imported for type checkers only must be what is imported at run time."""
    tree = ast.parse(Path(rgan_sdk.__file__).read_text())
    (guarded,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {name.name: node.module for node in guarded.body for name in node.names}
    assert set(seen) == set(rgan_sdk.__all__)
    for name, module in seen.items():
        assert getattr(rgan_sdk, name) is getattr(__import__(module, fromlist=[name]), name)


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Harmoniser'"):
        _ = rgan_sdk.Harmoniser
