"""Training and evaluation of harmonization models. Needs ``pip install 'rgan-sdk[train]'``."""
