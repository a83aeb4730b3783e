import sys

import pytest
from support.public_index import DOI, make_index

from rgan_sdk.errors import ConfigurationError
from rgan_train.public.index import read_index, read_tables


def test_sizes_are_bytes_and_citations_are_plain(monkeypatch):
    index = make_index(monkeypatch)
    assert {one.size for one in index.series} == {60}
    assert index.citations == {DOI: "Nobody & Nobody. (2026). Made-up scans [Data set]."}
    assert index.version == "0.0.0"


def test_an_unknown_collection_gets_a_hint(monkeypatch):
    make_index(monkeypatch)
    with pytest.raises(ConfigurationError, match=r"'nlts'.* did you mean nlst\?"):
        read_index("nlts")


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "idc_index_data", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'rgan-sdk\[public\]'"):
        read_tables("nlst")
