"""What the same events would cost on a generic 45 nm chip: operations alone, and with memory.

Neither knows the AKD1000: no floor, no clock tree, no host. They stand beside the floor-aware model because
the literature quotes them, and because the gap between the three is the point.

Operations (Horowitz, ISSCC 2014, 45 nm at 0.9 V): a synaptic operation is a multiplication and an addition.
Memory (Lemaire et al. 2022, arXiv 2210.13107, eq. 7 to 15 for event-driven layers): every event reads its
input, and every weight it meets makes one read of the weight and one read and one write of the
potential; every neuron reads and writes its potential once more when it fires, and every event out is
written. An access of SRAM of M bits costs 13.2 + 1.09e-5 M pJ (their line through Horowitz' 10, 20 and 100 pJ
for 8 KiB, 32 KiB and 1 MiB; 64 bits wide). They count one access per value; that is the value here, and the
low bound packs as many values as fit into the 64 bits. Activations have more than one bit here, so an event
multiplies, where their spikes only add.
"""

from __future__ import annotations

from collections.abc import Sequence

from qana.conversion.product import LayerReport
from qana.errors import QanaError
from qana.evaluation.estimate import Estimate, Range, as_range
from qana.evaluation.layer_cost import elements
from qana.evaluation.layer_work import LayerWork

WORD_BITS = 64


class GenericEnergy:
    """Energy of the events of a program by two models of the literature.

    Args:
        picojoules_per_operation: [value, low, high] of a multiply-accumulate.
        sram_picojoules: of an access to an empty memory.
        sram_picojoules_per_bit: more for every bit that the memory holds.
        activation_bits: of an event, for the packed bound.
        weight_bits: of a weight.
        potential_bits: of a potential.
    """

    def __init__(
        self,
        *,
        picojoules_per_operation: Sequence[float],
        sram_picojoules: float,
        sram_picojoules_per_bit: float,
        activation_bits: int,
        weight_bits: int,
        potential_bits: int,
    ) -> None:
        self.operation = as_range(picojoules_per_operation, "generic.picojoules_per_operation")
        self.base, self.per_bit = sram_picojoules, sram_picojoules_per_bit
        self.activation_bits, self.weight_bits = activation_bits, weight_bits
        self.potential_bits = potential_bits
        bits = (activation_bits, weight_bits, potential_bits)
        if (
            not all(1 <= each <= WORD_BITS for each in bits)
            or min(sram_picojoules, sram_picojoules_per_bit) < 0
        ):
            raise QanaError(
                f"constants of the memory model are out of range: bits {bits}, SRAM {sram_picojoules:g} and"
                f" {sram_picojoules_per_bit:g} pJ",
                where="evaluation.cost.generic",
                allowed=f"1 to {WORD_BITS} bits, energies that are not negative",
                fix="correct them in conf/evaluation",
            )

    def operations(self, work: Sequence[LayerWork]) -> Estimate:
        """Energy of the synaptic operations alone, mJ per image."""
        synops = sum(layer.synops for layer in work)
        return self.operation.times(synops * 1e-9).modelled(
            f"Operation count: {synops:.4g} synops x {self.operation} pJ for a multiplication"
            " and an addition in 45 nm (Horowitz, ISSCC 2014: 8 bits with a 32-bit sum; low: 8-bit sum;"
            " high: 32 bits). No memory, no floor."
        )

    def with_memory(self, layers: Sequence[LayerReport], work: Sequence[LayerWork | None]) -> Estimate:
        """Energy of the operations and of the memory accesses behind them, mJ per image."""
        done = [layer for layer in work if layer is not None]
        accesses = self._accesses(layers, work)
        memory = Range(accesses.value, accesses.low, accesses.high).times(1e-9)
        total = memory.plus(self.operation.times(sum(layer.synops for layer in done) * 1e-9))
        return total.modelled(
            "Memory-aware: one SRAM access per input event, weight and potential (Lemaire et al. 2022,"
            f" arXiv 2210.13107), {self.base:g} + {self.per_bit:g} x bits pJ each, and the operations. Low:"
            f" values packed into words of {WORD_BITS} bits. No floor."
        )

    def _accesses(self, layers: Sequence[LayerReport], work: Sequence[LayerWork | None]) -> Range:
        """Energy of all accesses, pJ."""
        value = packed = 0.0
        before: LayerReport | None = None
        for layer, done in zip(layers, work, strict=True):
            for count, bits, held in self._traffic(layer, done, before):
                energy = count * (self.base + self.per_bit * held * bits)
                value += energy
                packed += energy * bits / WORD_BITS
            before = layer
        return Range(value, packed, value)

    def _traffic(
        self, layer: LayerReport, done: LayerWork | None, before: LayerReport | None
    ) -> list[tuple[float, int, int]]:
        """(accesses, bits of a value, values that the memory holds) of one layer."""
        if done is None:
            return []
        neurons = elements(layer)
        weights = max(1, layer.weight_bytes * 8 // self.weight_bits)
        events_out = neurons * (1 - layer.output_sparsity)
        traffic = [
            (done.event_macs, self.weight_bits, weights),
            (2 * (done.event_macs + neurons), self.potential_bits, neurons),
            (events_out, self.activation_bits, neurons),
        ]
        if before is not None:
            events_in = elements(before) * (1 - layer.input_sparsity)
            traffic.append((events_in, self.activation_bits, elements(before)))
        return traffic
