"""Radiomic features by pyradiomics, for many regions at a time."""
