"""Put series into OUTPUT, say in ``mapping.csv`` what became of each, and let the group read."""
