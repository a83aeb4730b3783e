"""Features that tell two groups of cases apart."""
