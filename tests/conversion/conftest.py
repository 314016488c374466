import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
import tiny_networks


@pytest.fixture(scope="session")
def converted(tmp_path_factory):
    """Converts a tiny network in this process, once per session and choice: `converted("qana", 2, 8)`."""
    known = {}

    def convert(family, generation, bits):
        choice = (family, generation, bits)
        if choice not in known:
            path = tmp_path_factory.mktemp("converted") / "model.onnx"
            known[choice] = tiny_networks.convert(*choice, onnx_path=path)
        return known[choice]

    return convert
