"""Akida programs layer by layer, without TensorFlow: what the mapper says of each takes milliseconds."""

import akida
import numpy as np

MAX, AVERAGE = akida.PoolType.Max, akida.PoolType.Average
DEVICES = {1: ("AKD1000", "AKD1500"), 2: ("TwoNodesIPv2", "SixNodesIPv2")}


def filled(program, seed=0):
    """Give every layer random weights: the mapper refuses weights that are all zero."""
    random = np.random.default_rng(seed)
    for layer in program.layers:
        for name in layer.variables.names:
            if name.startswith("weights"):
                shape = layer.variables[name].shape
                top = min(2 ** (layer.parameters.weights_bits - 1) - 1, 7)
                layer.variables[name] = random.integers(-top, top + 1, shape).astype(
                    layer.variables[name].dtype
                )
    return program


def what_the_mapper_says(program, device):
    """None where it maps hardware-only, else the message."""
    try:
        program.map(device, hw_only=True, mode=akida.MapMode.Minimal)
    except RuntimeError as error:
        return " ".join(str(error).split())
    return None


NO_POOL = {}
GLOBAL = {"pool_type": AVERAGE}


def max_pool(generation, size, stride):
    if generation == 1:
        return {"pool_type": MAX, "pool_size": (size, size), "pool_stride": (stride, stride)}
    return {"pool_type": MAX, "pool_size": size, "pool_stride": stride}


def stem(generation, size=32, filters=8, kernel=3, stride=2, bits=4, columns=None, pool=NO_POOL):
    """The first layer, over images of `size` rows."""
    shape = (columns or size, size, 3)
    if generation == 1:
        arguments = {"weights_bits": 8, "act_bits": min(bits, 4)}
        arguments |= {"kernel_stride": (stride, stride), "name": "stem"}
        return akida.InputConvolutional(shape, (kernel, kernel), filters, **arguments, **pool)
    arguments = {"output_bits": bits, "kernel_stride": stride, "name": "stem"}
    return akida.InputConv2D(shape, filters, kernel, **arguments, **pool)


def layer(
    generation, kind, name, filters=8, kernel=3, stride=1, bits=4, padding="Same", pool=NO_POOL, act_bits=None
):
    """A layer of a kind of the capability table; `bits` of weights, and of maps where `act_bits` is None."""
    act_bits = act_bits or (4 if generation == 1 else bits)
    if kind == "dense":
        if generation == 1:
            return akida.FullyConnected(filters, name=name, weights_bits=min(bits, 4), activation=False)
        no_activation = akida.ActivationType.NoActivation
        return akida.Dense1D(filters, weights_bits=bits, output_bits=32, activation=no_activation, name=name)
    arguments = {"weights_bits": bits, "padding": getattr(akida.Padding, padding), "name": name, **pool}
    if generation == 1:
        made = {"separable": akida.SeparableConvolutional, "convolution": akida.Convolutional}[kind]
        return made((kernel, kernel), filters, act_bits=act_bits, kernel_stride=(stride, stride), **arguments)
    arguments |= {"output_bits": act_bits, "kernel_stride": stride}
    if kind == "depthwise":
        return akida.DepthwiseConv2D(kernel, **arguments)
    return akida.Conv2D(filters, kernel, **arguments)


def chain(*layers, seed=0):
    program = akida.Model()
    for each in layers:
        program.add(each)
    return filled(program, seed)


def ghosts(count):
    """As many ghost modules in a row: a layer, and a concatenation with the depthwise one behind it."""
    program = akida.Model()
    last = stem(2, 64)
    program.add(last)
    for number in range(count):
        transition = layer(2, "convolution", f"transition{number}", stride=1 + number % 2)
        primary = layer(2, "convolution", f"primary{number}", kernel=1)
        cheap = layer(2, "depthwise", f"cheap{number}")
        joined = akida.Concatenate(name=f"concat{number}")
        program.add(transition, [last])
        program.add(primary, [transition])
        program.add(cheap, [primary])
        program.add(joined, [primary, cheap])
        last = joined
    program.add(layer(2, "convolution", "end", kernel=1), [last])
    return filled(program)


def nested_skip():
    """A merge that reads another merge: the smallest network that the mapper was seen to die of."""
    program = akida.Model()
    first = akida.InputConv2D((16, 16, 3), 8, 3, kernel_stride=2, name="stem")
    outer = akida.Conv2D(8, 1, name="outer")
    inner = akida.Conv2D(8, 3, name="inner")
    branch = akida.Conv2D(8, 3, name="branch")
    add, add_again = akida.Add(name="add"), akida.Add(name="add_again")
    end = akida.Conv2D(8, 1, name="end")
    program.add(first)
    program.add(outer, [first])
    program.add(inner, [outer])
    program.add(branch, [inner])
    program.add(add, [inner, branch])
    program.add(add_again, [outer, add])
    program.add(end, [add_again])
    return filled(program)
