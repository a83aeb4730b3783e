"""GANs whose discriminator compares real slices of different patients."""
