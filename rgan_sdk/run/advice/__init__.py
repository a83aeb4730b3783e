"""What to do with the series of a folder: models that fit, pairs, matches, a common kernel."""
