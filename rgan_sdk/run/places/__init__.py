"""Where series lie: their folders in INPUT, and their folders and files in OUTPUT."""
