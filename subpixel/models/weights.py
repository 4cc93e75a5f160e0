"""From a torch network to a model file and back."""

from __future__ import annotations

import copy
import io
import logging
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from subpixel import archs, atomic
from subpixel.errors import BadWeights
from subpixel.models.card import Card, Score
from subpixel.models.store import Model, load, parse, with_card
from subpixel.nn.arch import Arch

if TYPE_CHECKING:
    from onnx import ModelProto

LICENCE = "Apache-2.0"


def save(
    network: Arch,
    path: Path,
    *,
    name: str | None = None,
    recipe: str = "",
    steps: int = 0,
    hours: float = 0.0,
    data: str = "",
    scores: tuple[Score, ...] = (),
) -> Model:
    """Writes the deploy form of a network as a model file with its card, atomically.

    Raises: OSError if the file cannot be written.
    """
    plain = network.deploy().float().cpu().eval()
    card = Card(
        name=name or path.stem,
        arch=_arch_name(plain),
        config=asdict(plain.config),
        scale=plain.config.scale,
        halo=plain.halo,
        parameters=min(count(archs.create(_arch_name(plain), asdict(plain.config))), count(plain)),
        macs=macs(plain, plain.config.scale),
        widest=widest(plain, plain.config.scale),
        licence=LICENCE,
        paper=f"{plain.paper.title} ({plain.paper.year})",
        recipe=recipe,
        steps=steps,
        hours=round(hours, 2),
        data=data,
        scores=scores,
    )
    atomic.write_bytes(path, with_card(_export(plain), card))
    return load(path)


def network(model: Model) -> Arch:
    """The torch network of a model file, in its deploy form, ready to run or to train further.

    Raises: BadWeights if the weights do not fit the architecture that the card names.
    """
    card = model.card
    plain = archs.create(card.arch, card.config).deploy()
    try:
        plain.load_state_dict(state(model))
    except RuntimeError as error:
        raise BadWeights(model.path, f"its weights do not fit {card.arch}: {' '.join(str(error).split())}") from None
    return plain.eval()


def state(model: Model) -> dict[str, Tensor]:
    """The weights of a model file under the state-dict names of its deploy form."""
    from onnx import numpy_helper

    own = archs.create(model.card.arch, model.card.config).deploy().state_dict()
    stored = {t.name: t for t in parse(model.path, model.graph).graph.initializer}
    return {
        key: torch.from_numpy(numpy_helper.to_array(stored[key]).copy()).reshape(value.shape)
        for key, value in own.items()
        if key in stored
    }


def _arch_name(network: Arch) -> str:
    return type(network).__module__.rpartition(".")[2]


def _export(plain: Arch) -> ModelProto:
    """The graph with free batch, height and width, and the weights under their state-dict names.

    The exporter folds reshaped weights into new constants and merges equal ones. So a copy with random weights is
    exported, in which every tensor is known by its values, and the true weights take their places.
    """
    from onnx import numpy_helper

    skeleton = copy.deepcopy(plain)
    with torch.no_grad():
        for parameter in skeleton.parameters():
            parameter.copy_(torch.rand_like(parameter))
    proto = traced(skeleton)
    known = {v.numpy().tobytes(): k for k, v in skeleton.state_dict().items()}
    slopes = {node.input[1] for node in proto.graph.node if node.op_type == "PRelu"}
    weights, names = plain.state_dict(), dict[str, str]()
    for tensor in proto.graph.initializer:
        key = known.get(numpy_helper.to_array(tensor).tobytes())
        if key is not None:
            shape = list(tensor.dims)
            if tensor.name in slopes:
                shape = [
                    1,
                    weights[key].numel(),
                    1,
                    1,
                ]  # runtimes fuse slopes of this shape, and not of C 1 1
            names[tensor.name] = key
            tensor.CopyFrom(numpy_helper.from_array(weights[key].numpy().reshape(shape), key))
    for node in proto.graph.node:
        node.input[:] = [names.get(n, n) for n in node.input]
    return proto


def traced(network: nn.Module) -> ModelProto:
    """The ONNX graph of a network, from `low`, N 3 H W, to `high`, for any N, H and W."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    axes = {i: torch.export.Dim(n, min=1) for i, n in ((0, "batch"), (2, "height"), (3, "width"))}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        program = torch.onnx.export(
            network,
            (torch.rand(2, 3, 40, 50),),
            dynamo=True,
            dynamic_shapes=(axes,),
            input_names=["low"],
            output_names=["high"],
            verbose=False,
        )
    assert program is not None
    program.save(cast("Any", buffer))
    proto = parse(Path("export"), buffer.getvalue())
    for node in proto.graph.node:  # the exporter notes file names of the machine
        del node.metadata_props[:]
        node.doc_string = ""
    del proto.graph.value_info[:]
    return proto


def count(network: nn.Module) -> int:
    """Trainable numbers."""
    return sum(p.numel() for p in network.parameters())


def macs(network: nn.Module, scale: int) -> float:
    """Multiply-adds per output pixel of everything a network convolves and multiplies."""
    size = 48
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(torch.rand(1, 3, size, size))
    return round(counter.get_total_flops() / 2 / (size * scale) ** 2, 1)


def widest(network: nn.Module, scale: int) -> int:
    """The widest layer, in channels at low resolution."""
    size = 48
    widths = [3 * scale**2]
    hooks = [
        layer.register_forward_hook(lambda _layer, _in, out: widths.append(out[0].numel() // size**2))
        for layer in network.modules()
        if not list(layer.children())
    ]
    with torch.inference_mode():
        network(torch.rand(1, 3, size, size))
    for hook in hooks:
        hook.remove()
    return max(widths)
