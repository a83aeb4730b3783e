"""A processing module: one folder in, one flat folder out, as mercure and its like run containers.

See docs/containers.md for what such programs do with the folders.
"""
