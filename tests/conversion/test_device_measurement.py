"""The measurement of a physical device against a recorded stand-in of the SDK's objects."""

import dataclasses
import statistics

import numpy as np
import pytest
import recorded_device
from recorded_device import FLOOR_MW, POWER_MW, SINGLE_CLOCKS, STREAM_CLOCKS, Device, Program

from qana.conversion.child import Limits
from qana.conversion.hardware import Procedure
from qana.conversion.hardware.measure import measure_on_device
from qana.conversion.hardware.measurement import DeviceMeasurement, from_dict, spread
from qana.errors import QanaError

PROCEDURE = Procedure(warmup_images=2, single_images=6, stream_images=8, min_power_readings=30, max_wait_s=20)
IMAGES = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1) * np.ones((1, 2, 2, 3), np.uint8)


def run(device=None, program=None, images=IMAGES, procedure=PROCEDURE):
    device = device or Device()
    kept = []
    found = procedure.run(program or Program(device), device, images, kept.append)
    assert kept[-1] == found
    return found


def test_core_and_wall_time_stand_apart_and_the_warm_up_does_not_count():
    found = run()

    assert found.clock_mhz == 300
    assert found.single_core_ms.value == pytest.approx(SINGLE_CLOCKS / 300e3)
    assert found.single_core_ms.std == 0  # one of the ten times slower first calls would show
    assert found.stream_core_ms.value == pytest.approx(STREAM_CLOCKS / 300e3)
    assert found.single_wall_ms.readings == 6
    assert found.single_wall_ms.value >= 1
    assert found.stream_wall_ms.value < found.single_wall_ms.value


def test_energy_is_mean_power_times_wall_time_with_and_without_the_idle_floor():
    found = run()

    assert found.floor_power_mw.value in FLOOR_MW
    assert found.power_mw.value == pytest.approx(statistics.fmean(POWER_MW), rel=0.01)
    assert found.energy_mj.value == pytest.approx(found.power_mw.value * found.stream_wall_ms.value / 1e3)
    above = (found.power_mw.value - found.floor_power_mw.value) * found.stream_wall_ms.value / 1e3
    assert found.energy_above_floor_mj.value == pytest.approx(above)
    assert found.energy_mj.low < found.energy_mj.value < found.energy_mj.high


def test_floor_and_stream_last_for_at_least_thirty_sensor_periods():
    found = run()

    assert found.floor_power_mw.readings >= 30
    assert found.power_mw.readings >= 29  # the first reading averages over what was before
    assert found.sensor_period_ms == recorded_device.PERIOD_MS


def test_fewer_images_than_a_call_takes_come_again_in_turn():
    device = Device()
    program = Program(device)
    run(device, program)

    assert program.calls[:8] == [1] * 8
    assert set(program.calls[8:]) == {8}
    assert program.images[:8] == [0, 1, 0, 1, 2, 3, 0, 1]


def test_no_image_is_a_clear_message():
    with pytest.raises(QanaError, match="no image to measure") as caught:
        run(images=IMAGES[:0])
    assert "the scores of the run stand" in caught.value.fix


def test_a_counter_without_permission_leaves_the_latency():
    device = Device()
    device.soc.forbidden = True
    found = run(device)

    assert "Permission denied" in found.power_absent
    assert (found.energy_mj, found.floor_power_mw) == (None, None)
    assert found.single_core_ms.value == pytest.approx(SINGLE_CLOCKS / 300e3)


def test_a_device_without_sensor_says_so_and_has_no_clock_to_divide_by():
    device = Device()
    device.soc = None
    found = run(device)

    assert "no power sensor" in found.power_absent
    assert (found.clock_mhz, found.single_core_ms) == (None, None)
    assert found.single_wall_ms.readings == 6


def test_a_silent_sensor_is_given_up_with_its_count():
    device = Device()
    device.soc.meter.silent = True
    found = run(device, procedure=dataclasses.replace(PROCEDURE, max_wait_s=0.2))

    assert "0 readings instead of 30 in 0.2 s" in found.power_absent
    assert found.stream_wall_ms is not None


def test_what_was_measured_before_a_device_vanishes_is_kept():
    device, kept = Device(), []
    with pytest.raises(RuntimeError, match="No such device"):
        PROCEDURE.run(Program(device, dies="10 raise"), device, IMAGES, kept.append)

    assert kept[-1].single_core_ms.readings == 6
    assert kept[-1].stream_wall_ms is None


def test_a_measurement_survives_its_file():
    found = DeviceMeasurement("chip", clock_mhz=300.0, single_wall_ms=spread([1.0, 2.0, 4.0]))

    assert from_dict(found.as_dict()) == found


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Measure in a real child process that finds the stand-in in place of the akida package."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "akida.py").write_text(recorded_device.PACKAGE)
    monkeypatch.syspath_prepend(str(tmp_path / "package"))
    program, log = tmp_path / "model.fbz", tmp_path / "measurement.log"
    program.write_bytes(b"recorded")

    def measure(attached="yes", dies=None, images=IMAGES):
        monkeypatch.setenv("STAND_IN_ATTACHED", attached)
        if dies:
            monkeypatch.setenv("STAND_IN_DIES", dies)
        return measure_on_device(program, images, procedure=PROCEDURE, limits=Limits(120, 4), log=log)

    return measure


def test_a_child_process_measures_the_attached_device(stand_in):
    found = stand_in()

    assert (found.device, found.failure, found.power_absent) == (Device.desc, None, None)
    assert found.stream_core_ms.value == pytest.approx(STREAM_CLOCKS / 300e3)
    assert found.energy_above_floor_mj.value > 0


def test_without_a_device_nothing_is_measured(stand_in):
    assert stand_in(attached="no") is None


@pytest.mark.parametrize(("dies", "said"), [("10 raise", "No such device"), ("10 crash", "SIGSEGV")])
def test_a_device_that_vanishes_half_way_leaves_what_was_known(stand_in, dies, said):
    found = stand_in(dies=dies)

    assert said in found.failure
    assert found.single_core_ms.value == pytest.approx(SINGLE_CLOCKS / 300e3)
    assert found.energy_mj is None


def test_no_image_ends_the_child_with_the_message(stand_in):
    assert "no image to measure" in stand_in(images=IMAGES[:0]).failure
