"""CT series that no scanner made: synthetic samples and simulated kernels."""
