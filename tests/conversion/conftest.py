import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import conversions
import pytest


@pytest.fixture(scope="session")
def converted(tmp_path_factory):
    """Converts a small network in this process, once per session and choice: `converted("qana", 2, 8)`."""
    known = {}

    def convert(family, generation, bits):
        choice = (family, generation, bits)
        if choice not in known:
            network = conversions.quantized_network(*choice)
            known[choice] = conversions.convert(network, tmp_path_factory.mktemp("converted"))
        return known[choice]

    return convert


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A quantized network and its ONNX file, once per session and choice: `exported("qana", 2)`."""
    known = {}

    def export(family, generation):
        choice = (family, generation)
        if choice not in known:
            network = conversions.quantized_network(*choice, 4)
            known[choice] = network, conversions.export(network, tmp_path_factory.mktemp("exported"))
        return known[choice]

    return export
