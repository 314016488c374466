"""Holds a converted network against its program, layer by layer."""

import akida
import numpy as np

from qana.conversion.akida_layers import layer_outputs
from qana.conversion.parity import torch_codes, torch_logits


def assert_equal_in_every_layer(converted, batch):
    """Same integers behind every layer, same logits to the last bits; the program, to be mapped."""
    trained = torch_codes(converted.network, converted.plan, batch)
    program = akida.Model(str(converted.program_path))
    run = layer_outputs(program, batch)
    assert list(trained) == [entry.name for entry in converted.plan[:-1]]  # all but the logits
    for name, codes in trained.items():
        np.testing.assert_array_equal(run[name], codes, err_msg=name)
    logits = torch_logits(converted.network, batch, batch_size=len(batch))
    said = program.predict(batch).reshape(logits.shape)
    # v1 multiplies by a float step that was itself divided: one rounding more than torch.
    np.testing.assert_allclose(said, logits, rtol=1e-6, atol=1e-6 * max(np.abs(logits).max(), 1e-3))
    return program, trained
