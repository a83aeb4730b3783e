"""Radiomic features of regions, by pyradiomics, many regions at a time."""
