"""The name of a convolution kernel: all values of ConvolutionKernel (0018,1210)."""

from __future__ import annotations


def kernel_name(text: str) -> str:
    r"""Return a kernel in its one spelling, such as ``Br40d\3`` for iterative strength 3.

    Parameters
    ----------
    text
        All values of ConvolutionKernel, with a backslash between them, as DICOM writes them.

    Returns
    -------
    str
        Each value without blanks around it, and no empty values at the end. Empty if there is no
        value but empty ones.
    """
    return "\\".join(value.strip() for value in text.split("\\")).rstrip("\\")
