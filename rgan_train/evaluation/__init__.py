"""Measures of harmonized images. Needs no torch."""
