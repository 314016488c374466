"""What to write instead of an operation that has no exact counterpart."""

from __future__ import annotations

BOUNDED_RELU = "use a ReLU with a bound, such as torch.nn.ReLU6, and train again"
SOFTMAX = "export the network without it; accuracy and probabilities are computed from the logits"
GATE = "remove the gate, or fold its mean into the weights once trained (as QANA's attention does)"
QUANTIZED = "give the float network; it is quantized here, for the target"
REWRITES = {
    "AveragePool": "use a max pool or a strided convolution; an average only over the whole map",
    "BatchNormalization": "put it directly behind a convolution or a dense layer, in evaluation mode",
    "ConvTranspose": "remove it; a classifier needs no upsampling",
    "DequantizeLinear": QUANTIZED,
    "DynamicQuantizeLinear": QUANTIZED,
    "Elu": BOUNDED_RELU,
    "Erf": BOUNDED_RELU,
    "Gelu": BOUNDED_RELU,
    "GlobalMaxPool": "use a global average pool",
    "HardSigmoid": GATE,
    "HardSwish": BOUNDED_RELU,
    "InstanceNormalization": "use batch normalization behind a convolution",
    "LayerNormalization": "use batch normalization behind a convolution",
    "LeakyRelu": BOUNDED_RELU,
    "LogSoftmax": SOFTMAX,
    "Mish": BOUNDED_RELU,
    "PRelu": BOUNDED_RELU,
    "QuantizeLinear": QUANTIZED,
    "Resize": "resize the images before the network, or use strided convolutions",
    "Selu": BOUNDED_RELU,
    "Sigmoid": GATE,
    "Slice": "give each branch a convolution of its own instead of a part of the channels",
    "Softmax": SOFTMAX,
    "Softplus": BOUNDED_RELU,
    "Split": "give each branch a convolution of its own instead of a part of the channels",
    "Swish": BOUNDED_RELU,
    "Tanh": BOUNDED_RELU,
    "Transpose": "keep the channels where they are, on axis 1; no shuffling of channels or axes",
    "Upsample": "resize the images before the network, or use strided convolutions",
}
OTHERWISE = "build it from convolutions, bounded ReLUs, max pools, a global average pool and dense layers"


def rewrite_of(operation: str) -> str:
    """Advice for an unsupported ONNX operator."""
    return REWRITES.get(operation, OTHERWISE)
