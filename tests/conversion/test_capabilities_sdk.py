"""The capability tables say what the SDK does: each entry and the next thing beyond it are mapped here.

A newer SDK that takes more, or less, fails one of these.
"""

import itertools

import akida
import akida_programs as programs
import numpy as np
import pytest
from akida_programs import GLOBAL, chain, layer, max_pool, stem, what_the_mapper_says

from qana.conversion.capabilities import DEVICES, GENERATIONS

FOLLOWING = {1: "separable", 2: "convolution"}
CONVOLUTIONS = [(1, "convolution"), (1, "separable"), (2, "convolution"), (2, "depthwise")]


def refusal(generation, *layers, device=None):
    """None where the program maps on the device (the generation's first by default), else the SDK's words."""
    try:
        program = chain(*layers)  # some refusals come as soon as a layer is added
    except (RuntimeError, ValueError, TypeError) as error:
        return " ".join(str(error).split())
    return what_the_mapper_says(program, getattr(akida, device or programs.DEVICES[generation][0])())


def followed(generation, made, size=32):
    """A layer between a stem and one more."""
    kernel = 3 if generation == 1 else 1
    return stem(generation, size), made, layer(generation, FOLLOWING[generation], "behind", kernel=kernel)


def test_tables_are_those_of_this_sdk():
    assert akida.__version__ == "2.19.3"


@pytest.mark.parametrize("device", ["first", "second"])
@pytest.mark.parametrize(("generation", "kind"), CONVOLUTIONS)
def test_kernels_and_strides_of_the_table_map_and_no_others(generation, kind, device):
    table, name = GENERATIONS[generation].layers[kind], programs.DEVICES[generation][device == "second"]
    sizes, strides = (1, 2, 3, 4, 5, 6, 7, 9, 11), (1, 2, 3)
    mapped = set()
    for kernel in sizes:
        for stride in strides:
            try:
                made = layer(generation, kind, "tried", kernel=kernel, stride=stride)
            except (RuntimeError, ValueError):
                continue
            if refusal(generation, *followed(generation, made), device=name) is None:
                mapped.add((kernel, stride))
    assert mapped == {(kernel, stride) for kernel, legal in table.strides.items() for stride in legal}


@pytest.mark.parametrize("generation", [1, 2])
def test_kernels_of_the_first_layer_map_and_no_others(generation):
    table, behind = GENERATIONS[generation].layers["stem"], layer(generation, FOLLOWING[generation], "behind")
    mapped = set()
    for kernel in (1, 2, 3, 4, 5, 6, 7, 9, 11):
        for stride in (1, 2):
            try:
                first = stem(generation, kernel=kernel, stride=stride)
            except (RuntimeError, ValueError):
                continue
            if refusal(generation, first, behind) is None:
                mapped.add((kernel, stride))
            behind = layer(generation, FOLLOWING[generation], "behind")
    assert mapped == {(kernel, stride) for kernel, legal in table.strides.items() for stride in legal}


@pytest.mark.parametrize(("generation", "kernel"), [(1, 3), (1, 5), (1, 7), (2, 3), (2, 4), (2, 5), (2, 7)])
def test_most_filters_of_the_first_layer(generation, kernel):
    limit = GENERATIONS[generation].layers["stem"].filters[kernel]

    def said(filters):
        first = stem(generation, kernel=kernel, filters=filters)
        return refusal(generation, first, layer(generation, FOLLOWING[generation], "behind"))

    assert said(limit.value) is None
    assert limit.sdk in said(limit.value + 1)


@pytest.mark.parametrize(("generation", "kind"), [(1, "convolution"), (1, "separable"), (2, "convolution")])
def test_most_filters_of_other_layers(generation, kind):
    limit = GENERATIONS[generation].layers[kind].filters[3]
    device = programs.DEVICES[generation][generation == 2]  # the one with processors enough

    def said(filters):
        made = layer(generation, kind, "tried", filters=filters)
        return refusal(generation, *followed(generation, made, size=8), device=device)

    assert said(limit.value) is None
    assert limit.sdk in said(limit.value + 1)


FAN_IN = [
    (generation, kind, bits, kernel)
    for generation, table in GENERATIONS.items()
    for kind, rows in table.layers.items()
    for bits, by_kernel in rows.fan_in.items()
    for kernel in by_kernel
]


@pytest.mark.parametrize(("generation", "kind", "bits", "kernel"), FAN_IN)
def test_most_input_channels(generation, kind, bits, kernel):
    limit = GENERATIONS[generation].layers[kind].fan_in[bits][kernel]

    def said(channels):
        first = stem(generation, size=8, bits=bits)
        widened = layer(generation, FOLLOWING[generation], "wide", filters=channels, bits=bits, kernel=3)
        tried = layer(generation, kind, "tried", kernel=kernel, bits=bits)
        return refusal(
            generation, first, widened, tried, device=programs.DEVICES[generation][generation == 2]
        )

    assert said(limit.value) is None
    assert limit.sdk in said(limit.value + 1)


@pytest.mark.parametrize(
    ("device", "kind"),
    [
        (device, kind)
        for generation, devices in programs.DEVICES.items()
        for device in devices
        for kind in ("stem", *(kind for tabled, kind in CONVOLUTIONS if tabled == generation))
    ],
)
def test_max_pools_of_the_table_map_and_no_others(device, kind):
    row = DEVICES[device]
    table = GENERATIONS[row.generation].layers[kind]
    extra = row.max_pools if kind != "stem" else ()
    mapped = set()
    for size, stride in ((2, 2), (3, 1), (3, 2), (3, 3), (4, 2), (4, 4)):
        pool = max_pool(row.generation, size, stride)
        if kind == "stem":
            first = stem(row.generation, pool=pool)
            layers = [first, layer(row.generation, FOLLOWING[row.generation], "behind")]
        else:
            layers = followed(row.generation, layer(row.generation, kind, "tried", pool=pool))
        if refusal(row.generation, *layers, device=device) is None:
            mapped.add((size, stride))
    assert mapped == {*table.max_pools, *extra}


@pytest.mark.parametrize(("generation", "kind"), CONVOLUTIONS)
def test_pool_behind_a_strided_convolution(generation, kind):
    table = GENERATIONS[generation].layers[kind]
    made = layer(generation, kind, "tried", stride=2, pool=max_pool(generation, 2, 2))
    said = refusal(generation, *followed(generation, made))
    assert (said is None) == table.pool_with_stride
    assert said is None or "cannot support both pooling and stride" in said


@pytest.mark.parametrize(("generation", "kind"), CONVOLUTIONS)
def test_max_pool_wants_a_convolution_behind_it(generation, kind):
    def said(*behind):
        made = layer(generation, kind, "tried", pool=max_pool(generation, 2, 2))
        return refusal(generation, stem(generation, 16), made, *behind)

    assert "with max pooling cannot be the last layer of a sequence" in said()
    assert "max pooling" in said(layer(generation, "dense", "head"))
    assert said(layer(generation, FOLLOWING[generation], "behind")) is None


def test_first_layer_takes_no_global_pool():
    assert not any(table.layers["stem"].global_pool for table in GENERATIONS.values())
    said = refusal(1, stem(1, 16, pool=GLOBAL), layer(1, "dense", "head"))
    assert "pool_type cannot be Average" in said
    with pytest.raises(ValueError, match="can't perform a Global Average Pooling"):
        stem(2, 16, pool=GLOBAL)


@pytest.mark.parametrize("generation", [1, 2])
def test_fewest_rows_of_a_global_pool(generation):
    rows = GENERATIONS[generation].pooled_rows.value
    kinds = {1: "separable", 2: "convolution"}

    def said(rows):
        made = layer(generation, kinds[generation], "tried", pool=GLOBAL)
        shrink = [layer(generation, kinds[generation], f"shrink{i}", stride=2) for i in range(2)]
        head = layer(generation, "dense", "head")
        return refusal(generation, stem(generation, 8 * rows), *shrink, made, head)

    assert said(rows) is None
    if rows > 1:
        assert GENERATIONS[generation].pooled_rows.sdk in said(rows - 1)


@pytest.mark.parametrize("generation", [1, 2])
def test_smallest_and_largest_images(generation):
    fewest, most = GENERATIONS[generation].image_side
    device = programs.DEVICES[generation][generation == 2]

    def said(size):
        made = layer(generation, FOLLOWING[generation], "tried", pool=max_pool(generation, 2, 2))
        return refusal(generation, *followed(generation, made, size=size), device=device)

    for limit, next_one in ((fewest, fewest.value - 1), (most, most.value + 1)):
        assert said(limit.value) is None
        assert limit.sdk in said(next_one)


@pytest.mark.parametrize(("generation", "kind"), CONVOLUTIONS)
@pytest.mark.parametrize("padding", ["Same", "SameUpper", "Valid"])
def test_paddings_of_the_table_map_and_no_others(generation, kind, padding):
    bits = 8 if generation == 2 else 4

    def said():
        made = layer(generation, kind, "tried", stride=2, padding=padding, bits=bits)
        behind = layer(generation, FOLLOWING[generation], "behind", bits=bits)
        return refusal(generation, stem(generation, bits=bits), made, behind)

    assert (said() is None) == (padding in GENERATIONS[generation].paddings)


@pytest.mark.parametrize(("generation", "kind"), CONVOLUTIONS)
def test_bits_of_the_table_map_and_no_others(generation, kind):
    table = GENERATIONS[generation]
    legal = set(table.bits) - set(table.layers[kind].refused_bits)
    for weight_bits, act_bits in itertools.product((2, 4, 8), (1, 2, 4) if generation == 1 else (2, 4, 8)):
        made, behind = (
            layer(generation, each, name, bits=weight_bits, act_bits=act_bits)
            for each, name in ((kind, "tried"), (FOLLOWING[generation], "behind"))
        )
        said = refusal(generation, stem(generation, bits=act_bits), made, behind)
        assert (said is None) == ((weight_bits, act_bits) in legal), (weight_bits, act_bits, said)


def test_generation_1_has_no_activations_of_8_bits_and_none_of_3_that_map():
    with pytest.raises(ValueError, match="act_bits must be 1, 2 or 4"):
        layer(1, "separable", "tried", act_bits=8)
    said = refusal(1, stem(1, bits=3), layer(1, "separable", "behind", act_bits=4))
    assert "The parameter act_bits should be 1, 2 or 4." in said


def test_weights_of_one_bit_are_zero_or_one_on_generation_1():
    program = akida.Model()
    program.add(stem(1))
    program.add(layer(1, "convolution", "tried", bits=1))
    weights = program.layers[1].variables["weights"]
    program.layers[1].variables["weights"] = np.ones_like(weights)
    with pytest.raises(ValueError, match="Minimum authorized value is 0"):
        program.layers[1].variables["weights"] = -np.ones(weights.shape, np.int8)


@pytest.mark.parametrize(
    ("generation", "kind", "bits", "text"),
    [
        (1, "convolution", 8, "Standard CNP weights bitwidth must be 1, 2 or 4."),
        (1, "separable", 8, "Separable CNP weights bitwidth must be 2 or 4."),
        (2, "convolution", 2, "Weights bitwidth should be 4-bit or 8-bit."),
        (2, "depthwise", 2, "Weights bitwidth should be 4-bit or 8-bit."),
    ],
)
def test_other_weight_bits_are_refused(generation, kind, bits, text):
    program = akida.Model()
    program.add(stem(generation))
    program.add(layer(generation, kind, "tried", bits=bits) if generation == 1 else two_bit(kind))
    program.add(layer(generation, FOLLOWING[generation], "behind"))
    for each in program.layers:
        for name in each.variables.names:
            if name.startswith("weights"):
                each.variables[name] = abs(each.variables[name]) + each.variables[name].dtype.type(1)
    assert text in what_the_mapper_says(program, getattr(akida, programs.DEVICES[generation][0])())


def two_bit(kind):
    if kind == "depthwise":
        return akida.DepthwiseConv2D(3, weights_bits=2, output_bits=4, name="tried")
    return akida.Conv2D(8, 3, weights_bits=2, output_bits=4, name="tried")


def test_8_bit_weights_over_4_bit_maps_are_refused_on_generation_2():
    made = akida.Conv2D(8, 3, weights_bits=8, output_bits=4, name="tried")
    said = refusal(2, stem(2, bits=4), made, layer(2, "convolution", "behind"))
    assert "Input bits should be >= weights bits." in said
