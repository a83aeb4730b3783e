"""Paired series: find, list and split them, and read them slice by slice."""

from __future__ import annotations

from rgan_train.pairs.csv import PairList, read_pairs, write_pairs
from rgan_train.pairs.dataset import (
    Dataset,
    PairedFiles,
    choose_direction,
    list_series,
    load_dataset,
    reference_spacing,
    spread_over_patients,
)
from rgan_train.pairs.find import Failure, NearMiss, Pair, Pairing, Remark, find_pairs, make_pair
from rgan_train.pairs.samples import PairedSample, SliceReader, WholeSlices

__all__ = [
    "Dataset",
    "Failure",
    "NearMiss",
    "Pair",
    "PairList",
    "PairedFiles",
    "PairedSample",
    "Pairing",
    "Remark",
    "SliceReader",
    "WholeSlices",
    "choose_direction",
    "find_pairs",
    "list_series",
    "load_dataset",
    "make_pair",
    "read_pairs",
    "reference_spacing",
    "spread_over_patients",
    "write_pairs",
]
