"""Features that separate two groups of cases."""
