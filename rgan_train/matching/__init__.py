"""Models from two groups of series that show different patients: no pairs are needed."""
