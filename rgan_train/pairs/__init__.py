"""Paired series: found, listed, split into parts, and read slice by slice."""

from __future__ import annotations

from rgan_train.pairs.csv import read_pairs, write_pairs
from rgan_train.pairs.dataset import Dataset, PairedSlice, choose_direction, load_dataset
from rgan_train.pairs.find import NearMiss, Pair, Pairing, find_pairs
from rgan_train.pairs.samples import PairedSample, SliceReader, WholeSlices

__all__ = [
    "Dataset",
    "NearMiss",
    "Pair",
    "PairedSample",
    "PairedSlice",
    "Pairing",
    "SliceReader",
    "WholeSlices",
    "choose_direction",
    "find_pairs",
    "load_dataset",
    "read_pairs",
    "write_pairs",
]
