"""A warning after which the SDK goes on with another network is an error; all others stay warnings."""

import warnings

import pytest

from qana.conversion.sdk_warnings import fatal_sdk_warnings
from qana.errors import QanaError


@pytest.mark.parametrize(
    "text",
    [
        "Conversion stops at layer gate because of a dequantizer. The end of the model is ignored:\n ...",
        "'gate' of type Activation is not supported to quantize, a Dequantizer is added before it and "
        "quantization will stop at this layer.Continuing execution.",
        "The layer_3 layer holds very high threshold values which are not compatible with the hardware. "
        "Those are clipped to the maximum supported value 524287. Continuing execution.",
        "Variable 'layer_3/kernel' not found in the model. Continuing execution",
    ],
    ids=["truncated", "left float", "clipped", "weights lost"],
)
def test_warning_that_the_network_changes_is_an_error(text):
    with pytest.raises(QanaError, match="changed the network during conversion") as refusal:  # noqa: SIM117
        with fatal_sdk_warnings("conversion"):
            warnings.warn(text, stacklevel=1)
    assert " ".join(text.split()) in refusal.value.what


def test_warning_is_caught_although_it_was_told_before():
    for _ in range(2):
        with pytest.raises(QanaError), fatal_sdk_warnings("quantization"):
            warnings.warn("The end of the model is ignored", stacklevel=1)


def test_other_warnings_are_passed_on():
    with pytest.warns(UserWarning, match="calibration samples"), fatal_sdk_warnings("quantization"):
        warnings.warn("Quantizing with random calibration samples is not accurate.", stacklevel=1)
