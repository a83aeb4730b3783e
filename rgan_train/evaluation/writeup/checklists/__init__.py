"""The checklists CLEAR and METRICS, filled as far as a report can tell."""
