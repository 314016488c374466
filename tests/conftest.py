import pytest
import torch

from qana.backbone.timm_import import import_torchvision

import_torchvision()  # Lightning and torchmetrics import it

# The tensors of tests are tiny; where cores are shared, waiting for a second thread takes most of the time.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def torch_seed():
    torch.manual_seed(0)
