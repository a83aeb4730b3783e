"""CT series that no scanner made: samples to try things on, and simulated kernels."""
