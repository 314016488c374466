import pytest
import torch
from torch import nn

from qana.evaluation.host import measure_host
from qana.evaluation.rapl import EnergyCounter


def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def package(folder, number, energy_uj, wrap=1_000_000):
    place = folder / f"intel-rapl:{number}"
    place.mkdir(parents=True)
    (place / "energy_uj").write_text(f"{energy_uj}\n")
    (place / "max_energy_range_uj").write_text(f"{wrap}\n")
    return place / "energy_uj"


def test_the_float_network_is_timed_and_left_as_it_was(tmp_path):
    net = network().train()
    before = net[1].num_batches_tracked.clone()

    found = measure_host(net, (20, 24, 3), runs=15, warmup=2, powercap=tmp_path)

    assert 0 < found.p50_ms <= found.p95_ms
    assert found.device.endswith(f"{torch.get_num_threads()} threads")
    assert net.training
    assert torch.equal(net[1].num_batches_tracked, before)


def test_energy_is_absent_not_guessed_where_no_counter_can_be_read(tmp_path):
    found = measure_host(network(), (8, 8, 3), runs=3, warmup=0, powercap=tmp_path)

    assert found.energy_mj is None
    assert found.as_dict()["energy_mj"] is None


def test_energy_is_measured_where_the_counters_can_be_read(tmp_path):
    counter = package(tmp_path, 0, 1_000)

    class Spending(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, image):
            counter.write_text(str(int(counter.read_text()) + 2_500))
            return image

    found = measure_host(Spending(), (8, 8, 3), runs=4, warmup=3, powercap=tmp_path)

    assert found.as_dict()["energy_mj"] == {"value": pytest.approx(2.5), "provenance": "measured"}


def test_packages_add_up_and_wrap_around(tmp_path):
    first, second = package(tmp_path, 0, 999_900), package(tmp_path, 1, 50)
    (tmp_path / "intel-rapl:0:0").mkdir()  # a part of package 0: not added, not even readable
    counter = EnergyCounter(tmp_path)
    before = counter.read_uj()
    first.write_text("99")
    second.write_text("80")

    assert counter.spent_uj(before) == 200 + 30
