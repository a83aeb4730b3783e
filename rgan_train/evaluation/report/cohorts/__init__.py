"""The HTML report of a comparison of two groups without pairs."""
