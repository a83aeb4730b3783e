import pytest

from rgan_sdk.kernels import kernel_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("B40f", "B40f"),
        (" Br40d \\ 3 ", "Br40d\\3"),
        ("FC08-H", "FC08-H"),
        ("B40f\\", "B40f"),
        ("B40f\\ \\", "B40f"),
        ("\\3", "\\3"),
        ("Br40d\\\\3", "Br40d\\\\3"),
        ("\\", ""),
        (" ", ""),
        ("", ""),
    ],
)
def test_a_kernel_has_one_spelling(text, name):
    assert kernel_name(text) == name
