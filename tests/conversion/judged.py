"""A trained network, what it says, and reports of a program that says the same; nothing is converted."""

from dataclasses import dataclass
from typing import Any

import conversions
import numpy as np

from qana.conversion.acceptance.layer_reports import layer_reports
from qana.conversion.acceptance.torch_weights import trained_weights
from qana.conversion.acceptance.trained_answers import TrainedAnswers, trained_answers
from qana.conversion.acceptance.verdict import Thresholds, judge
from qana.conversion.deploy import PlannedLayer, deploy
from qana.quantization import QuantizedNetwork

EXACT = Thresholds(min_agreement=1.0, max_error_lsb=0, max_dead_share=0.9, max_saturated_share=0.5)


@dataclass
class Case:
    network: QuantizedNetwork
    plan: list[PlannedLayer]
    images: np.ndarray
    trained: TrainedAnswers
    weights: list[Any]

    def describe(self):
        """As `akida_layers.describe_layer` would of a program with the layers of the plan."""
        shapes = {name: list(codes.shape[1:]) for name, codes in self.trained.codes.items()}
        return [
            {
                "name": entry.name,
                "kind": "Kind",
                "output_shape": shapes.get(entry.name, [1, 1, 3]),
                "macs": 5,
                "weight_bytes": 7,
                "reads": [self.plan[index - 1].name] if index else [],
            }
            for index, entry in enumerate(self.plan)
        ]

    def reports(self, codes=None, nps=None):
        return layer_reports(
            self.trained,
            self.plan,
            self.images,
            descriptions=self.describe(),
            codes=dict(self.trained.codes) if codes is None else codes,
            nps=nps or {},
        )

    def changed(self, index, position, by):
        codes = {name: output.copy() for name, output in self.trained.codes.items()}
        codes[self.plan[index].name][position] += by
        return codes

    def judge(self, *, codes=None, logits=None, weight_faults=(), layers=None, thresholds=EXACT):
        judge(
            self.trained,
            self.plan,
            self.reports(codes) if layers is None else layers,
            self.trained.logits if logits is None else logits,
            weight_faults,
            thresholds,
        )


def case(family, generation, bits, images=6):
    return case_of(conversions.quantized_network(family, generation, bits), images)


def case_of(network, images):
    plan = deploy(network)[1]
    batch = conversions.images(images, seed=21)
    trained = trained_answers(network, plan, batch, compared=images, batch_size=4)
    return Case(network, plan, batch, trained, trained_weights(network, plan))
