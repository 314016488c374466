"""`qana check` refuses every planted fault by its place and its name, and takes a user's own network."""

import os
import re
import subprocess
import sys
from pathlib import Path

import planted_networks
import pytest

from qana import cli
from qana.command.check import main
from qana.console import console
from qana.errors import QanaError

V1, V2 = "akd1000", "akida2"
SMALL = ["dataset.image_size=32"]


@pytest.fixture
def configs(tmp_path):
    """A config folder of a user, with one network; its class is chosen on the command line."""
    folder = tmp_path / "configs" / "backbone"
    folder.mkdir(parents=True)
    (folder / "planted.yaml").write_text("_target_: planted_networks.Legal\nform: ${conversion.form}\n")
    return folder.parent


@pytest.fixture
def check(configs, tmp_path, monkeypatch, capsys):
    """Run the command in an empty folder; gives (exit code, output with single spaces)."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    monkeypatch.setattr(console, "width", 400)

    def run(*arguments, network=None):
        chosen = ["backbone=planted", f"backbone._target_=planted_networks.{network}"] if network else []
        flags = [each for each in arguments if each.startswith("-")]
        overrides = [each for each in arguments if not each.startswith("-")]
        code = main([*flags, "--config-dir", str(configs), *chosen, *SMALL, *overrides])
        assert list(empty.iterdir()) == []
        return code, flat(capsys.readouterr().out)

    return run


def flat(text):
    """What a table says, without its lines and line breaks."""
    return re.sub(r"[\s│┃]+", " ", text)


FAULTS = [
    ("SigmoidGate", V1, "blocks.2 found a sigmoid gate"),
    ("SigmoidGate", V2, "blocks.2 found a sigmoid gate"),
    ("UnboundedReLU", V1, "blocks.2 found an unbounded ReLU"),
    ("SymmetricPadStride2", V1, "blocks.2 found a padding of 1 before and 1 after at stride 2 on 8x8"),
    ("SymmetricPadStride2", V2, "blocks.2 found a padding of 1 before and 1 after at stride 2 on 8x8"),
    ("Stride3", V1, "blocks.2 found a 3x3 kernel at stride 3"),
    ("Stride3", V2, "blocks.2 found a 3x3 kernel at stride 3"),
    ("DilatedConvolution", V1, "blocks.2 found a dilated convolution (dilation 2)"),
    ("DilatedConvolution", V2, "blocks.2 found a dilated convolution (dilation 2)"),
    ("PadBefore", V1, "blocks.2 found a pad of 2 before and 0 after"),
    ("PadBefore", V2, "blocks.2 found a pad of 2 before and 0 after"),
    ("WrongPoolOrder", V1, "blocks.3 found a global pool after relu"),
    ("WrongPoolOrder", V2, "blocks.3 found a global pool before relu"),
    ("MaxPoolBlock", V1, "blocks.2 found a MaxPool2d on its own"),
    ("WideGlobalPool", V1, "blocks.2 found a global pool over 16x16 = 256 positions"),
    ("WideGlobalPool", V2, "blocks.2 found a global pool over 16x16 = 256 positions"),
    ("PerChannelActivation", V1, "blocks.2 found a ChannelBounds"),
    ("TwoOutputs", V1, "(network) found 2 outputs"),
    ("TwoOutputs", V2, "(network) found 2 outputs"),
    ("CutTail", V2, "blocks.2 found a GELU outside a unit"),
    ("NotANumber", V1, "blocks.2.conv found NaN in 1 of 576 values of weight"),
    ("NotANumber", V2, "blocks.2.conv found NaN in 1 of 576 values of weight"),
    ("AllZeroLayer", V1, "blocks.2 found a layer whose weights are all zero"),
    ("AllZeroLayer", V2, "blocks.2 found a layer whose weights are all zero"),
]


@pytest.mark.parametrize(("network", "chip", "named"), FAULTS)
def test_planted_fault_is_refused_with_its_place_and_what_to_do(check, network, chip, named):
    code, out = check(f"conversion={chip}", network=network)
    assert code == 2
    assert named in out
    after = out.partition(named)[2]
    assert re.match(r".*? allowed \S.*? rewrite \S", after)
    assert f"{chip} does not run it" in out


def test_every_fault_of_a_network_is_listed_at_once(check):
    code, out = check(network="Several")
    assert code == 2
    for named in (
        "blocks.2 found a sigmoid gate",
        "blocks.3 found a 3x3 kernel at stride 3",
        "blocks.4 found a dilated convolution (dilation 2)",
    ):
        assert named in out
    assert f"{out.count(' found ')} offences" in out


def test_illegal_bits_do_not_hide_the_illegal_layers(check):
    code, out = check("quantization=w8a8", network="Stride3")
    assert code == 2
    assert "akd1000 does not run w8a8 for Akida v1" in out
    assert "blocks.2 found a 3x3 kernel at stride 3" in out


def test_sweep_checks_every_job_and_lists_all_offences(check):
    code, out = check(
        "-m",
        "backbone=planted",
        "backbone._target_=planted_networks.Stride3,planted_networks.NotANumber",
        "conversion=none,akd1000",
    )
    assert code == 2
    assert out.count("nothing to convert") == 2
    assert out.count("akd1000 does not run it, 1 offence") == 4  # in the table of all jobs, and above its own
    assert "blocks.2 found a 3x3 kernel at stride 3" in out
    assert "blocks.2.conv found NaN" in out


def test_without_a_chip_only_the_network_is_told(check):
    code, out = check("conversion=none", network="Legal")
    assert code == 0
    network = planted_networks.Legal(num_classes=7, form="concat")
    assert f"parameters {sum(each.numel() for each in network.parameters()):,} " in out
    assert "none: no chip was chosen" in out


def test_data_are_not_read(check):
    code, out = check("dataset=ham10000", "dataset.root=/nowhere", "conversion=none")
    assert code == 0, out


def test_sdk_that_breaks_is_told_as_such_and_not_as_a_fault_of_the_network(check):
    code, out = check("conversion.timeout_s=0.01", network="Legal")
    assert code == 1
    assert "(the SDK) found the conversion passed its limit of 0.01 s" in out
    assert "whether akd1000 runs it is not known" in out


def test_wrong_type_is_refused_before_anything_is_built(check):
    with pytest.raises(QanaError, match="valid number") as refusal:
        check("conversion.timeout_s=soon")
    assert refusal.value.where == "conversion.timeout_s = 'soon'"


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["backbone=narow"], "backbone has no choice 'narow'"),
        (["backbone._target_=nowhere.Net"], "cannot be imported"),
        (["--cfg", "job"], "qana check shows no config"),
    ],
)
def test_command_line_at_fault_is_one_message_and_exit_code_2(tmp_path, monkeypatch, capsys, arguments, what):
    monkeypatch.chdir(tmp_path)
    assert cli.command(["check", *arguments]) == 2
    captured = capsys.readouterr()
    assert what in captured.err
    assert [line.split(":")[0].strip() for line in captured.err.splitlines()[1:4]] == [
        "where",
        "allowed",
        "fix",
    ]
    assert captured.out == ""


def test_help_tells_what_is_checked(capsys):
    assert main(["--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: qana check")


def test_network_from_a_users_module_is_taken_to_the_chip(configs, tmp_path):
    """From outside: another folder, PYTHONPATH and --config-dir, as the README says."""
    module = tmp_path / "code" / "my_networks.py"
    module.parent.mkdir()
    module.write_text(Path(planted_networks.__file__).read_text())
    environment = {**os.environ, "PYTHONPATH": str(module.parent), "COLUMNS": "200"}
    chosen = ["backbone=planted", "backbone._target_=my_networks.Legal", *SMALL]
    done = subprocess.run(
        [str(Path(sys.executable).parent / "qana"), "check", "--config-dir", str(configs), *chosen],
        cwd=module.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    out = flat(done.stdout)
    assert "planted-w4a4-akd1000: akd1000 runs it" in out
    assert "layers 5, 5 of them with weights" in out
    assert re.search(r"NPs [1-9]\d* of 78 ", out)
    assert "passes 1 " in out
    assert "hardware only" in out
    assert "every layer gives the integers of torch" in out
    assert re.search(r"layer_2 blocks\.2 Convolutional 4 x 4 x 8 36,864 \d+ ", out)
    assert {path.name for path in module.parent.iterdir()} - {"__pycache__"} == {"my_networks.py"}


def test_model_for_96_processors_is_refused_on_78(check):
    code, out = check(network="TooWide")
    assert code == 2
    assert "does not fit AKD1000 (it takes at least 96 neural processors, the device has 78)" in out
    assert "rewrite make " in out


@pytest.mark.slow
def test_pool_that_saturates_is_refused_by_what_the_program_says(check):
    """In the untrained network already; in a trained one `AkidaTarget.convert` compares the same."""
    arguments = ["conversion=akida2", "quantization=w8a8", "dataset.image_size=48"]
    code, out = check(*arguments, network="SaturatingPool")
    assert code == 2
    assert "first layer that diverges: layer_2 (blocks.2)" in out
    assert "the pooled sum of accumulator x output scale reaches" in out
    assert re.search(r"2\^31\.9\d", out)


@pytest.mark.slow
@pytest.mark.parametrize("conversion", ["akd1000", "akida2"])
@pytest.mark.parametrize("backbone", ["qana", "akidanet"])
def test_shipped_networks_pass(check, backbone, conversion):
    code, out = check(f"backbone={backbone}", f"conversion={conversion}", "dataset.image_size=64")
    assert code == 0, out
    assert f"{conversion} runs it" in out
