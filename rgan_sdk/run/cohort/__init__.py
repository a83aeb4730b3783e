"""A run as a whole: its models, what it may continue, and its work, part by part."""
