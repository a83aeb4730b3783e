"""Which of a run's models takes a series, and why not the others."""
