"""TensorRT on an NVIDIA GPU: plans are built here, kept in a local cache, and run."""
