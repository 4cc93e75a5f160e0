"""`subpixel train` with a network or a loss of the user that is at fault: one line that says where."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from pathlib import Path

import faulty_networks
import pytest
from wavy_photos import held_out, write_photos

Call = Callable[..., tuple[int, str, str]]
RECIPE = """
name = "custom-x2"
arch = "{arch}"
steps = 2
[config]
scale = 2
[data]
patch = 8
batch = 2
[loss]
{loss}
"""
ADVERSARIAL = "l1 = 1.0\nadversarial = 0.1\n[gan]\ndiscriminator = 'unet'\nfeatures = 4"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photos(tmp_path_factory.mktemp("data"), 64, 72, 1)


def place(function: str, words: str) -> str:
    """What a line says of where: the function, the file, and the number of its line that holds these words."""
    file = Path(faulty_networks.__file__)
    (line,) = (k for k, text in enumerate(file.read_text().splitlines(), 1) if words in text)
    return f" in {function} ({file}, line {line})"


def said(call: Call, photos: Path, folder: Path, arch: str, loss: str = "l1 = 1.0") -> str:
    """The one line of a training that ends with status 2 before its first step is saved."""
    (folder / "custom.toml").write_text(RECIPE.format(arch=arch, loss=loss))
    places = ("--data", photos, "--validation", held_out(photos), "--run", folder / "run")
    status, out, err = call("train", folder / "custom.toml", *places)
    assert (status, out, err.count("\n")) == (2, "", 1), err
    return err.removeprefix("subpixel: ").rstrip()


@pytest.mark.parametrize(
    ("name", "words", "error"),
    [
        ("InForward.forward", 'raise KeyError("no', r"KeyError: 'no\nsuch'"),
        ("InTraining.forward", "low.view(1)", "RuntimeError: shape '[1]' is invalid for input of size 384"),
        ("InPorts.ports", "raise NotImpl", "NotImplementedError: later"),
    ],
)
def test_what_a_network_raises_is_told_with_its_place(
    call: Call, photos: Path, tmp_path: Path, name: str, words: str, error: str
) -> None:
    line = said(call, photos, tmp_path, f"faulty_networks:{name.partition('.')[0]}")
    at = place(name, words)
    assert line == f"the recipe's custom code raised {error}{at}; mend it, and give the same command"


def test_what_a_constructor_raises_is_told_with_its_place(call: Call, photos: Path, tmp_path: Path) -> None:
    line = said(call, photos, tmp_path, "faulty_networks:InConstructor")
    at = place("InConstructor.__init__", "raise LookupError")
    assert (
        line
        == f"config: no faulty_networks:InConstructor can be built with {{'scale': 2}}: LookupError: no filters{at}"
    )


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("Silent", "a NoneType here; expected a tensor of (1, 3, 16, 16)"),
        ("WithNames", "a dict here; expected a tensor of (1, 3, 16, 16)"),
        ("WithoutScales", "outputs of type list here; expected pairs of a tensor and a scale"),
        ("NarrowInTraining", "(2, 3, 16, 15) here; expected (2, 3, 16, 16)"),
        ("Detached", "what no weight of it changes here; expected a result with a gradient"),
    ],
)
def test_what_a_network_makes_wrong(call: Call, photos: Path, tmp_path: Path, name: str, made: str) -> None:
    assert said(call, photos, tmp_path, f"faulty_networks:{name}") == f"arch: {name} makes {made}"


def test_an_adversarial_training_looks_too(call: Call, photos: Path, tmp_path: Path) -> None:
    line = said(call, photos, tmp_path, "faulty_networks:Detached", ADVERSARIAL)
    assert line == "arch: Detached makes what no weight of it changes here; expected a result with a gradient"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("OfNegativeHalo", "halo: Input should be greater than or equal to 0, not -1;"),
        ("InFrequencies", "it holds the operator 'DFT', which no plain network needs;"),
        ("InDeploy", f"AttributeError: no branches{place('InDeploy.deploy', 'raise Attr')};"),
        ("Branching", "GuardOnDataDependentSymNode: Could not guard on data-dependent expression"),
    ],
)
def test_what_cannot_become_a_model_is_told_before_it_is_trained(
    call: Call, photos: Path, tmp_path: Path, name: str, why: str
) -> None:
    line = said(call, photos, tmp_path, f"faulty_networks:{name}")
    assert line.startswith(f"arch: faulty_networks:{name} cannot become a model: {why}")
    assert line.endswith("; mend it before it is trained")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (
            "raising",
            f"loss.custom: faulty_networks:raising of output and target: KeyError: 'edges'{place('raising', 'edges')}",
        ),
        (
            "stubborn",
            f"the recipe's custom code raised ArithmeticError: no way back{place('_Stubborn.backward', 'raise Arith')};"
            " mend it, and give the same command",
        ),
        ("counting", "loss: no gradient comes out of faulty_networks:counting; expected a term to learn by"),
    ],
)
def test_what_a_loss_does_wrong(call: Call, photos: Path, tmp_path: Path, name: str, line: str) -> None:
    loss = f'custom = {{ "faulty_networks:{name}" = 1.0 }}'
    assert said(call, photos, tmp_path, "espcn", loss) == line


def test_a_full_disk_is_not_blamed_on_a_network(
    call: Call, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("subpixel.atomic.write_bytes", full)
    line = said(call, photos, tmp_path, "toy_networks:Toy")
    assert re.fullmatch(r"cannot write \S+/custom-x2\.onnx: no space left on device", line)


def test_a_fault_of_ours_is_not_blamed_on_a_recipe(
    call: Call, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("subpixel.training.finite.check", broken)
    with pytest.raises(ZeroDivisionError, match="ours"):
        said(call, photos, tmp_path, "toy_networks:Toy", 'custom = { "torch.nn.functional:l1_loss" = 1.0 }')
