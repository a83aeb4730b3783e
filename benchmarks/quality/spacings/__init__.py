"""The parts of spacing.py: its plan, training, measuring, features, gates and tables."""
