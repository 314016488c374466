import pytest
import torch
from hypothesis import settings

from qana.backbone.timm_import import import_torchvision

import_torchvision()  # Lightning and torchmetrics import it

# The tensors of tests are tiny; where cores are shared, waiting for a second thread takes most of the time.
torch.set_num_threads(1)

# The same examples in every run, and no time limit: it would fail on a busy machine.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def torch_seed():
    torch.manual_seed(0)
