import itertools

import pytest
import torch
from small_networks import small_network
from torch import nn

from qana.conversion.host.nvml import GpuEnergyCounter
from qana.conversion.host.rapl import EnergyCounter
from qana.conversion.host.timing import time_calls
from qana.evaluation.host import measure_host


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

    found = measure_host(net, (20, 24, 3), batches=[1, 4], runs=15, warmup=2, powercap=tmp_path)

    assert [(run.runtime.split()[0], run.batch) for run in found.runs] == [
        ("torch", 1), ("torch", 4), ("onnxruntime", 1), ("onnxruntime", 4),
    ]  # fmt: skip
    for run in found.runs:
        assert 0 < run.p50_ms <= run.p95_ms <= run.p99_ms
        assert run.images_per_s > 0
        assert run.device.endswith(f"{torch.get_num_threads()} threads")
    assert net.training
    assert torch.equal(net[1].num_batches_tracked, before)


def test_throughput_is_all_images_over_all_time(monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr("time.perf_counter", lambda: next(ticks) * 0.01)  # a call takes 10 ms

    found = time_calls(
        lambda: None, runtime="", device="", on_gpu=False, batch=8, runs=5, warmup=3, counter=None
    )

    assert found.images_per_s == pytest.approx(8 / 0.01)
    assert found.p50_ms == pytest.approx(10)


def test_energy_is_absent_not_guessed_where_no_counter_can_be_read(tmp_path):
    found = measure_host(network(), (8, 8, 3), batches=[1], runs=3, warmup=0, powercap=tmp_path)

    assert found.as_dict()["energy_mj"] is None
    assert "no counter of this host can be read" in found.absent[-1]


def test_a_counter_that_may_not_be_read_is_absent(tmp_path):
    class Forbidden(type(tmp_path)):
        def read_text(self, *_, **__):
            raise PermissionError(13, "Permission denied")

    package(tmp_path, 0, 1_000)

    assert EnergyCounter(Forbidden(tmp_path)).read_uj() is None


class Spending(nn.Module):
    """Every pass costs 2,500 microjoules; an export of it fails, as reading a file is no operation."""

    def __init__(self, counter):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.counter = counter

    def forward(self, image):
        if torch.jit.is_tracing():
            raise RuntimeError("no way to export this")
        self.counter.write_text(str(int(self.counter.read_text()) + 2_500))
        return image


def test_energy_is_measured_per_image_where_the_counters_can_be_read(tmp_path):
    spending = Spending(package(tmp_path, 0, 1_000))

    found = measure_host(spending, (8, 8, 3), batches=[1, 5], runs=4, warmup=3, powercap=tmp_path)

    assert found.as_dict()["energy_mj"] == {"value": pytest.approx(2.5), "provenance": "measured"}
    assert found.runs[1].energy_mj == pytest.approx(0.5)


def test_a_network_that_does_not_export_is_timed_with_torch_alone(tmp_path):
    spending = Spending(package(tmp_path, 0, 1_000))

    found = measure_host(spending, (8, 8, 3), batches=[1], runs=2, warmup=0, powercap=tmp_path)

    assert len(found.runs) == 1
    assert "ONNX Runtime was not timed: it does not export to ONNX: no way to export this" in found.absent


def test_live_gates_are_timed_with_onnx_runtime_too(tmp_path):
    network = small_network("qana", "separable", attention_form="gated")
    found = measure_host(network, (64, 64, 3), batches=[1, 3], runs=1, warmup=0, powercap=tmp_path)
    assert [run.runtime.split()[0] for run in found.runs].count("onnxruntime") == 2


class Driver:
    """What of NVML is called, with a counter of 3 J and 5 mJ more at every reading."""

    def __init__(self, readable=True):
        self.millijoules, self.readable, self.uuid = 3_000, readable, None

    def nvmlInit_v2(self):  # noqa: N802 - NVML's name
        return 0

    def nvmlDeviceGetHandleByUUID(self, uuid, handle):  # noqa: N802 - NVML's name
        self.uuid = uuid
        return 0

    def nvmlDeviceGetTotalEnergyConsumption(self, handle, out):  # noqa: N802 - NVML's name
        self.millijoules += 5
        out._obj.value = self.millijoules
        return 0 if self.readable else 3  # NVML_ERROR_NOT_SUPPORTED


def test_a_gpu_counts_millijoules_since_its_driver_was_loaded():
    driver = Driver()
    counter = GpuEnergyCounter("GPU-1234", driver)
    before = counter.read_uj()

    assert counter.spent_uj(before) == 5_000
    assert driver.uuid == b"GPU-1234"


@pytest.mark.parametrize("driver", [None, Driver(readable=False)], ids=["no driver", "no counter"])
def test_a_gpu_without_readable_counter_is_absent(driver):
    assert GpuEnergyCounter("GPU-1234", driver).read_uj() is None


@pytest.mark.gpu
def test_a_gpu_is_timed_beside_the_processor(tmp_path):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    found = measure_host(network(), (32, 32, 3), batches=[1, 32], runs=50, warmup=5, powercap=tmp_path)

    assert [run.batch for run in found.runs if run.on_gpu and run.runtime.startswith("torch")] == [1, 32]


def test_packages_add_up_and_wrap_around(tmp_path):
    first, second = package(tmp_path, 0, 999_900), package(tmp_path, 1, 50)
    (tmp_path / "intel-rapl:0:0").mkdir()  # a part of package 0: not added, not even readable
    counter = EnergyCounter(tmp_path)
    before = counter.read_uj()
    first.write_text("99")
    second.write_text("80")

    assert counter.spent_uj(before) == 200 + 30
