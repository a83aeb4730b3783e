"""One network for many kernels: what it is told of two kernels, its weights, and its training."""
