"""Writes torch_dynamo.onnx, as torch 2.13 exports by default.

Its exporter needs an onnx_ir newer than quantizeml allows, so it cannot run in the environment of the tests:

    pip install --no-deps --target NEWER onnxscript==0.7.2 onnx_ir==1.1.0
    PYTHONPATH=NEWER python tests/conversion/golden/make_torch_dynamo.py
"""

from pathlib import Path

import torch
from torch import nn

HEIGHT, WIDTH = 24, 20


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))
        self.features = nn.Sequential(
            nn.ZeroPad2d((0, 1, 0, 1)),
            nn.Conv2d(3, 8, 3, 2, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU6(),
            nn.Conv2d(8, 8, 3, 1, 1, groups=8, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU6(),
            nn.Conv2d(8, 12, 1, bias=False),
            nn.BatchNorm2d(12),
            nn.ReLU6(),
            nn.Dropout(0.1),
        )
        self.head = nn.Linear(12, 5)

    def forward(self, x):
        x = self.features((x / 255 - self.mean) / self.std)
        return self.head(torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1))


def network():
    torch.manual_seed(0)
    made = Scaled()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.3, 0.3)
            nn.init.uniform_(module.running_var, 0.3, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.6)
    return made.eval()


if __name__ == "__main__":
    torch.onnx.export(
        network(),
        (torch.zeros(1, 3, HEIGHT, WIDTH),),
        str(Path(__file__).with_name("torch_dynamo.onnx")),
        dynamo=True,
        input_names=["image"],
        output_names=["scores"],
        dynamic_shapes={"x": {0: torch.export.Dim("batch")}},
        external_data=False,
    )
