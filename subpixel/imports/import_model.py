"""Weights from elsewhere as model files: OpenCV's .pb, what `export` wrote, and those of the community."""

from __future__ import annotations

import importlib.util
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subpixel import atomic
from subpixel.errors import BadRequest, BadWeights, MissingExtra, SubpixelError, unwritten
from subpixel.imports import tensorflow
from subpixel.jobs.targets import check_target
from subpixel.models import Card, Model, store
from subpixel.ports import ModelName, Ports
from subpixel.runtimes.parity import SIZES, compare

if TYPE_CHECKING:
    from subpixel.imports.community import ForeignNetwork
    from subpixel.nn.arch import Arch

WEIGHTS = (".pth", ".pt", ".ckpt", ".safetensors")
_LARGEST_HALO = 64
_LARGEST_STEP = 32
_SIDE = 192
"""Of the graph of a network that cannot be exported for any size: a multiple of most windows."""
_SEEN = 1 / 510
"""Half a level: what pixels beyond the halo may change together."""


def import_model(source: Path, output: Path | None = None, overwrite: bool = False) -> Model:
    """Writes a model file from a .pb of OpenCV's dnn_superres, a .safetensors of `export`, EDSR-PyTorch's
    checkpoints, or community weights.

    output: by default the name and factor in this folder. Weights of the community need spandrel and torch; the file
    is compared with the network before it is handed over. Their halo is measured, up to 64 pixels: see `halo`;
    a network that can only be exported for one size gets a graph for tiles of that size.
    Raises: BadRequest for another kind of file or one that exists; BadWeights; MissingExtra; RuntimeUnavailable;
    ParityError, and then there is no file.
    """
    kind = source.suffix.lower()
    if kind not in (".pb", *WEIGHTS):
        raise BadRequest(f"{source}: expected a file that ends in .pb, {', '.join(WEIGHTS)}")
    if source.exists() and not source.is_file():
        raise BadWeights(source, "it is no file")
    if output is not None and output.suffix != ".onnx":
        raise BadRequest(f"{output}: a model file ends in .onnx")
    if kind == ".pb":
        return _saved(tensorflow.load(source), output, overwrite)
    for package in ("torch", "safetensors"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtra(package, "community")
    card = _own_card(source)
    if card is not None:
        return _saved(_again(source, card), output, overwrite)
    from subpixel.imports import community, edsr

    if edsr.is_edsr(stored := community.read_weights(source)):
        return _saved(_trainable(source, edsr.network(source, stored)), output, overwrite)
    return _saved(_model(source, community.load(source)), output, overwrite)


def _saved(model: Model, output: Path | None, overwrite: bool) -> Model:
    target = check_target(output or Path(f"{model.card.name}.onnx"), overwrite)
    try:
        atomic.write_bytes(target, model.graph)
    except OSError as error:
        raise BadRequest(f"cannot write {target}: {unwritten(error)}") from None
    return store.load(target)


def _own_card(source: Path) -> Card | None:
    """The card in a .safetensors that `export` wrote."""
    from safetensors import SafetensorError, safe_open

    if source.suffix != ".safetensors":
        return None
    try:
        with safe_open(source, "pt") as file:
            text = (file.metadata() or {}).get(store.KEY)
    except (OSError, SafetensorError) as error:
        raise BadWeights(source, " ".join(str(error).split())) from None
    return None if text is None else store.read_card(source, text)


def _again(source: Path, card: Card) -> Model:
    """The model whose weights `export` wrote."""
    from safetensors.torch import load_file

    from subpixel.models import weights

    network = weights.fitted(source, card, load_file(source))
    with tempfile.TemporaryDirectory() as folder:
        saved = weights.save(network, Path(folder, "again.onnx"))
    return store.read(source, store.with_card(store.parse(source, saved.graph), card))


def _trainable(source: Path, network: Arch) -> Model:
    """A network of ours with weights from elsewhere."""
    from subpixel.models import weights

    with tempfile.TemporaryDirectory() as folder:
        saved = weights.save(network, Path(folder, "trainable.onnx"))
    name = str(ModelName.of_file(source.stem, network.config.scale))
    card = saved.card.model_copy(update={"name": name, "licence": "unknown, imported"})
    return store.read(source, store.with_card(store.parse(source, saved.graph), card))


def _model(source: Path, foreign: ForeignNetwork) -> Model:
    """The network as a model that computes the same.

    It is exported for images of any size. Where its code looks at the size, to cut windows or to mask them, the graph
    holds for one size only, which the comparison finds; then it is exported for the size of a tile.
    """
    from subpixel.imports.community import exported

    failure: SubpixelError | None = None
    for side, network in ((0, foreign.any_size), (_SIDE, foreign.network)):
        try:
            content = store.with_card(exported(network, side), _card(source, foreign, side))
            model = store.read(source, content)  # refuses a graph of another shape, which would write where it may not
            compare(source, model, partial(_run, network), sizes=((side, side),) if side else SIZES)
        except SubpixelError as error:
            failure = error
        except Exception as error:  # the exporter and networks raise nearly anything
            why = next(iter(str(error.__cause__ or error).splitlines()), type(error).__name__)[:200]
            failure = BadWeights(source, f"torch cannot export its {foreign.arch}: {why}")
        else:
            return model
    assert failure is not None
    raise failure


def _card(source: Path, foreign: ForeignNetwork, side: int) -> Card:
    from subpixel.models import weights

    largest = side // 6 or _LARGEST_HALO  # two thirds of a tile's side are its own
    reach, measured = halo(foreign, largest)
    step = tile_stride(foreign)
    known = "measured" if measured else "assumed: faint seams are possible"
    return Card(
        name=str(ModelName.of_file(source.stem, foreign.scale)),
        arch=foreign.arch,
        config={"file": ascii(source.name)[1:-1], "halo": known},
        scale=foreign.scale,
        halo=max(step, min(largest, reach + step - 1) // step * step) if step > 1 else reach,
        tile_stride=step,
        fixed_size=side,
        parameters=weights.count(foreign.network),
        macs=weights.macs(foreign.any_size, Ports.enlarging(foreign.scale)),
        widest=weights.widest(foreign.any_size, Ports.enlarging(foreign.scale)),
        licence="unknown, imported",
        paper=foreign.arch,
    )


def halo(foreign: ForeignNetwork, largest: int = _LARGEST_HALO) -> tuple[int, bool]:
    """The pixels around a position that matter, and whether that is all of them.

    Measured by the gradient of one output pixel on noise: everything farther away changes it by less than half a
    level of 255, to first order. Networks with attention over the whole image have no such distance, and deep ones
    one that is too long for a tile; they get the largest, and so do networks that write into their values, for those
    have no gradient.
    """
    import torch

    side = 2 * largest + 1
    low = _noise(side).requires_grad_()
    centre = largest * foreign.scale
    try:
        (gradient,) = torch.autograd.grad(foreign.any_size(low)[0, :, centre, centre].sum(), low)
    except RuntimeError:
        return largest, False
    seen = gradient.abs().sum((0, 1))
    place = (torch.arange(side) - largest).abs()
    distance = torch.maximum(place[:, None], place[None])
    for reach in range(1, largest):
        if float(seen[distance > reach].sum()) < _SEEN:
            return reach, True
    return largest, False


def tile_stride(foreign: ForeignNetwork) -> int:
    """The pixels by whose multiples an image may be shifted without changing what is computed: where tiles begin.

    A network that counts windows or phases of pixels from the corner computes something else in between. Measured
    on noise, doubled up to at least 32, which is assumed where nothing suits: most windows have 8, 16 or 32.
    """
    import torch

    step = min(foreign.multiple, _LARGEST_STEP)
    edge = core = _LARGEST_STEP
    low, network = _noise(2 * edge + core), foreign.any_size
    with torch.no_grad():
        whole = network(low.clone())
        while step < _LARGEST_STEP:
            moved = network(low[..., step:, step:].clone())
            expected, got = (
                y[..., at : at + core * foreign.scale, at : at + core * foreign.scale]
                for y, at in ((whole, edge * foreign.scale), (moved, (edge - step) * foreign.scale))
            )
            if float((expected - got).abs().max()) < _SEEN:
                break
            step *= 2
    return step


def _noise(side: int) -> Any:
    import torch

    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))


def _run(network: Any, batch: Any) -> Any:
    import torch

    with torch.no_grad():
        return network(torch.from_numpy(batch.copy())).numpy()  # some write into their input
