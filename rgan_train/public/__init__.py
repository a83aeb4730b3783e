"""Pairs among the scans of the Imaging Data Commons: chosen from its index, and fetched."""
