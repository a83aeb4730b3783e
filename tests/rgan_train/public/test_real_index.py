"""The index and the client of the Imaging Data Commons themselves: `make public`."""

import inspect
import json
import os
import re
import statistics
import sys
import tomllib
from pathlib import Path

import pytest
from support.requirements import require_data, require_module

from rgan_train.public import download
from rgan_train.public.index import COLUMNS, read_index, read_tables
from rgan_train.public.select import (
    by_kernels,
    find_public_pairs,
    first_patients,
    of_manufacturer,
    total,
    with_kernels,
)

pytestmark = pytest.mark.public

ROOT = Path(__file__).parents[3]
RECIPES = ROOT / "recipes"
PAGE = ROOT / "docs" / "public-data.md"

VERSION = "25.0.5"
PAIRS = {
    ("B30f", "B50f"): 15_759,
    ("BONE", "STANDARD"): 12_699,
    ("LUNG", "STANDARD"): 2_748,
    ("C", "D"): 2_469,
    ("FC10", "FC51"): 1_218,
}
"""Of NLST, in this version of the index."""


@pytest.fixture(scope="module")
def index():
    require_module("idc_index_data", "make public")
    return read_index("nlst")


@pytest.fixture(scope="module")
def pairs(index):
    return find_public_pairs(index.series)


def test_the_figures_of_nlst(index, pairs):
    assert index.version == VERSION
    assert (total(pairs).pairs, total(pairs).patients) == (36_802, 15_299)
    groups = by_kernels(pairs)
    assert {kernels: len(groups[kernels]) for kernels in PAIRS} == PAIRS
    assert list(groups)[: len(PAIRS)] == list(PAIRS)


def test_manufacturers(pairs):
    counts = {name: len(of_manufacturer(pairs, name)) for name in ("siemens", "ge", "ph", "tosh")}
    assert sum(counts.values()) == len(pairs)
    assert len(with_kernels(of_manufacturer(pairs, "siemens"), ("B50F", "b30f"))) == 15_759


def test_fifty_patients(pairs):
    chosen = first_patients(with_kernels(pairs, ("B30f", "B50f")), 50)
    assert (total(chosen).pairs, total(chosen).patients) == (135, 50)
    assert total(chosen).size == pytest.approx(19.6e9, rel=0.01)


def test_each_data_set_of_nlst_has_licence_and_citation(index, pairs):
    used = {one.doi: one.licence for pair in pairs for one in (pair.a, pair.b)}
    assert set(used.values()) == {"CC BY 4.0"}
    assert all(index.citations[doi] for doi in used)
    assert "<" not in "".join(index.citations[doi] for doi in used)


@pytest.mark.parametrize("name", sorted(path.name for path in RECIPES.glob("*-to-*.sh")))
def test_the_page_says_what_a_recipe_takes(pairs, name):
    script = (RECIPES / name).read_text()
    maker, *kernels = re.search(r"manufacturer=(\w+) source=(\w+) target=(\w+)", script).groups()
    patients = int(re.search(r"--patients (\d+)", (RECIPES / "steps.sh").read_text())[1])
    found = with_kernels(of_manufacturer(pairs, maker), tuple(kernels))
    chosen = first_patients(found, patients)
    figures = (
        f"{total(found).pairs:,}",
        f"{total(found).patients:,}",
        f"{total(chosen).pairs}",
        f"{total(chosen).size / 1e9:.1f}",
        f"{statistics.median(pair.a.slices for pair in chosen):.0f}",
    )
    (row,) = (line for line in PAGE.read_text().splitlines() if f"| `{name}` |" in line)
    assert tuple(re.findall(r"[\d.,]+(?= \|)", row)) == figures


def test_recipes_cite_what_the_index_cites(index):
    cited = tomllib.loads((RECIPES / "nlst.toml").read_text())["data"]["citation"]
    assert cited == index.citations["10.7937/tcia.hmq8-j677"]


def test_descriptions_of_siemens_in_another_collection():
    found = find_public_pairs(read_index("acrin_nsclc_fdg_pet").series)
    assert len(by_kernels(found)["B35f", "B60f"]) == 10


def test_a_collection_with_thick_slices():
    """They have the kernels of the packaged models."""
    found = by_kernels(find_public_pairs(read_index("lung_pet_ct_dx").series))["B40f", "B70f"]
    assert (total(found).pairs, total(found).patients) == (7, 7)
    assert [min(one.a.slices for one in found), max(one.a.slices for one in found)] == [21, 31]


def test_all_columns_are_there():
    assert set(read_tables("lidc_idri").series[0]) == set(COLUMNS)


def test_sizes_are_those_of_the_files():
    (series,) = (one for one in read_index("lidc_idri").series if one.patient == "LIDC-IDRI-0001")
    files = list(require_data("lidc_idri_0001_ge_standard").rglob("*.dcm"))
    assert (len(files), sum(path.stat().st_size for path in files)) == (series.slices, series.size)


S5CMD = """#!{python}
import json
import shlex
import sys
from pathlib import Path

if sys.argv[1:] != ["--help"]:
    archive = json.loads(Path(__file__).with_name("archive.json").read_text())
    for line in Path(sys.argv[-1]).read_text().splitlines():
        _, address, place = shlex.split(line)
        Path(place).mkdir(parents=True)
        for number, size in enumerate(archive[address]):
            Path(place, f"{{number}}.dcm").write_bytes(bytes(size))
"""
"""Stands in for the program that fetches: it writes files of the sizes in ``archive.json``."""


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Give the client itself, which runs ``S5CMD`` as it would run the program of that name."""
    require_module("idc_index", "make public")
    program = tmp_path_factory.mktemp("tools") / "s5cmd"
    program.write_text(S5CMD.format(python=sys.executable))
    program.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        opened = download.open_client()
    assert opened.s5cmdPath == str(program)
    return opened


def test_the_client_takes_what_it_is_given(client):
    ours = inspect.signature(download.Client.download_from_selection).parameters
    theirs = inspect.signature(client.download_from_selection)
    theirs.bind(**dict.fromkeys(set(ours) - {"self"}))
    assert next(iter(theirs.parameters)) == "downloadDir"


def test_the_client_puts_series_where_they_are_looked_for(client, index, tmp_path):
    """All but the last file of one series come: it is told, and the others are in place."""
    asked = sorted((one for one in index.series if one.slices > 1), key=lambda one: one.size)[:3]
    addresses = client.index.set_index("SeriesInstanceUID")["series_aws_url"]
    sizes = [[one.size - one.slices + 1] + [1] * (one.slices - 1) for one in asked]
    archive = {
        addresses[one.series_instance_uid]: some
        for one, some in zip(asked, [*sizes[:2], sizes[2][:-1]], strict=True)
    }
    Path(client.s5cmdPath).with_name("archive.json").write_text(json.dumps(archive))
    folder = tmp_path / "a reader's scans"
    (failure,) = download.download(asked, folder, client)
    assert failure.series == asked[2]
    assert failure.reason.startswith(f"{asked[2].slices - 1} files")
    came = [list(download.place_of(one, folder).glob("*.dcm")) for one in asked]
    assert [len(files) for files in came] == [asked[0].slices, asked[1].slices, 0]
