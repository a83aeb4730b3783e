"""TensorRT on NVIDIA GPUs: plans are built, kept in a local cache, and run.

The engine itself is ``rgan_sdk.engines.tensorrt.engine``.
"""
