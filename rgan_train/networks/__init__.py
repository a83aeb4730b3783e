"""The networks that the methods are built from."""
