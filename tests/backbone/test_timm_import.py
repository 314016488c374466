"""Each claim runs in its own interpreter: an import and an operator library cannot be undone."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest


def run_python(code: str, *path_first: Path) -> subprocess.CompletedProcess[str]:
    prologue = "".join(f"import sys; sys.path.insert(0, {str(path)!r})\n" for path in path_first)
    command = [sys.executable, "-c", prologue + textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def fake_torchvision(folder: Path, body: str) -> Path:
    package = folder / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(textwrap.dedent(body))
    return folder


@pytest.fixture(scope="module")
def torchvision_is_broken() -> bool:
    return "operator torchvision::nms does not exist" in run_python("import torchvision").stderr


def test_timm_network_runs_forward_in_this_environment():
    done = run_python("""
        from qana.backbone.timm_import import import_timm
        import torch
        timm = import_timm()
        network = timm.create_model("resnet18", pretrained=False, num_classes=7).eval()
        with torch.no_grad():
            print(tuple(network(torch.rand(2, 3, 64, 48)).shape))
    """)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(2, 7)"
    assert done.stderr == ""


def test_lightning_imports_after_torchvision():
    done = run_python("""
        from qana.backbone.timm_import import import_torchvision
        import_torchvision()
        import pytorch_lightning
        print("imported")
    """)
    assert (done.returncode, done.stdout.strip()) == (0, "imported"), done.stderr


def test_operators_without_kernel_refuse_instead_of_answering(torchvision_is_broken):
    if not torchvision_is_broken:
        pytest.skip("torchvision of this environment has its compiled operators")
    done = run_python("""
        from qana.backbone.timm_import import import_torchvision
        import torch
        import_torchvision()
        for operator in (torch.ops.torchvision.nms, torch.ops.torchvision.qnms):
            try:
                operator(torch.zeros(1, 4), torch.zeros(1), 0.5)
            except RuntimeError as error:
                print(error)
    """)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("has no compiled kernel here") == 2


def test_healthy_torchvision_is_left_alone(tmp_path):
    folder = fake_torchvision(tmp_path, "__version__ = 'healthy'")
    done = run_python(
        """
        from qana.backbone.timm_import import import_torchvision
        import torch
        registered = []
        torch.library.Library = lambda *arguments: registered.append(arguments)
        print(import_torchvision().__version__, registered, hasattr(torch.ops.torchvision, "nms"))
        """,
        folder,
    )
    assert done.stdout.strip() == "healthy [] False", done.stderr


def test_operators_are_defined_where_torchvision_asks_for_them(tmp_path):
    folder = fake_torchvision(
        tmp_path,
        """
        import torch
        torch.library.register_fake("torchvision::nms")(lambda dets, scores, iou: dets.new_empty(0))
        """,
    )
    done = run_python(
        """
        from qana.backbone.timm_import import import_torchvision
        import torch
        print(import_torchvision().__name__, torch.ops.torchvision.nms.default._schema)
        """,
        folder,
    )
    assert done.stdout.strip() == (
        "torchvision torchvision::nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    ), done.stderr


@pytest.mark.parametrize("error", ["RuntimeError('out of cheese')", "ImportError('no such file')"])
def test_any_other_failure_reaches_the_caller(tmp_path, error):
    folder = fake_torchvision(tmp_path, f"raise {error}")
    done = run_python("from qana.backbone.timm_import import import_timm; import_timm()", folder)
    assert done.returncode == 1
    assert error.split("'")[1] in done.stderr.splitlines()[-1]
