"""A run over folders: choose the series, harmonize them, account for every file."""
