"""Shells complete the public names of the package and its modules, and no others."""

import pytest

import sk_gd
from sk_gd import callbacks, exceptions, inspection, losses, optimizers, penalties, schedules

MODULES = [losses, optimizers, penalties, schedules, inspection, callbacks, exceptions]


def test_of_the_package():
    assert {*sk_gd.__all__, "inspection", "penalties", "exceptions"} < {*dir(sk_gd)}
    assert not [name for name in dir(sk_gd) if name.startswith("_") and name != "__version__"]
    assert not {"auto", "training", "objectives", "importlib", "TYPE_CHECKING"} & {*dir(sk_gd)}
    assert all(hasattr(sk_gd, name) for name in dir(sk_gd))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_of_a_module(module):
    assert dir(module) == sorted(module.__all__)
