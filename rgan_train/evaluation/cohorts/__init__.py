"""Evaluate models on two groups of series that show different patients: no pairs are needed."""
