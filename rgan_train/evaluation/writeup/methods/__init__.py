"""The paragraphs of a Methods section, one module for each."""
