import os

import pytest
import torch
from hypothesis import settings

from qana.backbone.timm_import import import_torchvision

import_torchvision()  # Lightning and torchmetrics import it

# The tensors of tests are tiny; where cores are shared, waiting for a second thread takes most of the time.
torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the commands that tests start

# The same examples in every run, and no time limit: it would fail on a busy machine.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def torch_seed():
    torch.manual_seed(0)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef):
    """What tests share draws the same numbers, whichever of them asks for it first."""
    if fixturedef.scope == "function":
        return (yield)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return (yield)


# Files that take a minute or more start first: one that is left to the end keeps a single process busy.
LONG = ("test_default_run", "test_cli", "test_run", "test_akida_target", "test_convert", "test_launchers")


@pytest.hookimpl(trylast=True)  # after the order of files has been drawn
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))
