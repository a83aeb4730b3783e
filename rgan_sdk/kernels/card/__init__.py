"""What a model card states of kernels: spectra of its groups, and what speaks for a match."""
