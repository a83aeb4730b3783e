"""What is found out of the next series while one is worked on."""

import threading

import pytest

from rgan_sdk.run.jobs import look_ahead


def test_the_next_item_is_looked_at_while_one_is_worked_on():
    seen = threading.Event()

    def judge(item):
        if item == 2:
            seen.set()
        return 10 * item

    items = look_ahead([1, 2, 3], judge)
    assert next(items) == (1, 10)
    assert seen.wait(10)
    assert list(items) == [(2, 20), (3, 30)]
    assert list(look_ahead([], judge)) == []


def test_an_error_comes_with_its_item():
    items = look_ahead([2, 0], lambda item: 1 / item)
    assert next(items) == (2, 0.5)
    with pytest.raises(ZeroDivisionError):
        next(items)
