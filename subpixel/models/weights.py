"""From a torch network to a model file and back."""

from __future__ import annotations

import copy
import io
import logging
import math
import warnings
from collections.abc import Mapping
from contextlib import redirect_stderr
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from subpixel import archs, atomic
from subpixel.errors import BadRequest, BadWeights, unwritten
from subpixel.models.card import Card, Condition, Score
from subpixel.models.conditioning import PREFIX
from subpixel.models.graph import one_line
from subpixel.models.store import Model, load, parse, with_card
from subpixel.nn.arch import Arch
from subpixel.ports import Ports

if TYPE_CHECKING:
    from onnx import ModelProto

LICENCE = "Apache-2.0"
_SMALL, _GROWN = 1 << 24, 50
"""Parameters that any network may have, and how many times those of its deploy form, while it is trained."""


def save(
    network: Arch,
    path: Path,
    *,
    name: str | None = None,
    recipe: str = "",
    steps: int = 0,
    hours: float = 0.0,
    data: str = "",
    subject: str = "",
    scores: tuple[Score, ...] = (),
) -> Model:
    """Writes the deploy form of a network as a model file with its card, atomically.

    Raises: BadRequest if the file cannot be written.
    """
    deployed = network.deploy().float().cpu().eval()
    card = Card(
        name=name or path.stem,
        arch=archs.name_of(deployed),
        config=asdict(deployed.config),
        scale=deployed.config.scale,
        ports=deployed.ports,
        condition=_condition(deployed),
        halo=deployed.halo,
        parameters=min(count(archs.create(archs.name_of(deployed), asdict(deployed.config))), count(deployed)),
        macs=macs(deployed, deployed.ports),
        widest=widest(deployed, deployed.ports),
        licence=LICENCE,
        paper=f"{deployed.paper.title} ({deployed.paper.year})",
        recipe=recipe,
        steps=steps,
        hours=round(hours, 2),
        data=data,
        subject=subject,
        scores=scores,
    )
    content = with_card(_export(deployed), card)
    try:
        atomic.write_bytes(path, content)
    except OSError as error:
        raise BadRequest(f"cannot write {path}: {unwritten(error)}") from error
    return load(path)


def network(model: Model) -> Arch:
    """The torch network of a model file, in its deploy form, ready to run or to train further.

    Raises: BadWeights if the weights do not fit the architecture that the card names.
    """
    return fitted(model.path, model.card, state(model))


def fitted(path: Path, card: Card, weights: Mapping[str, Tensor]) -> Arch:
    """The deploy form of a card's network with the weights of a file, ready to run.

    Raises: BadWeights if they do not fit it.
    """
    _imagined(path, card, sum(tensor.numel() for tensor in weights.values()))
    deployed = archs.create(card.arch, card.config).deploy()
    if card.condition is None:
        deployed.condition = None
    try:
        deployed.load_state_dict(weights)
    except RuntimeError as error:
        raise BadWeights(path, f"its weights do not fit {card.arch}: {one_line(error)}") from None
    return deployed.eval()


def state(model: Model) -> dict[str, Tensor]:
    """The weights of a model file under the state-dict names of its deploy form.

    Raises: BadWeights if one has not the numbers it needs.
    """
    from onnx import numpy_helper

    stored = {t.name: t for t in parse(model.path, model.graph).graph.initializer}
    imagined = _imagined(model.path, model.card, sum(math.prod(t.dims) for t in stored.values()))
    try:
        return {
            key: torch.from_numpy(numpy_helper.to_array(stored[key]).copy()).reshape(value.shape)
            for key, value in imagined.state_dict().items()
            if key in stored
        }
    except RuntimeError as error:
        raise BadWeights(model.path, f"its weights do not fit {model.card.arch}: {one_line(error)}") from None


def _imagined(path: Path, card: Card, numbers: int) -> Arch:
    """A card's network in its deploy form, without memory: a stranger's card may ask for anything."""
    with torch.device("meta"):
        network = archs.create(card.arch, card.config)
        if count(network) > max(_SMALL, _GROWN * numbers):
            raise BadWeights(path, f"its card has a {card.arch} of {count(network):,} weights, it has {numbers:,}")
        return network.deploy()


def _export(deployed: Arch) -> ModelProto:
    """The graph with free batch, height and width, and the weights under their state-dict names.

    The exporter folds reshaped weights into new constants and merges equal ones. So a copy with random weights is
    exported, in which every tensor is known by its values, and the true weights take their places.
    """
    from onnx import numpy_helper

    skeleton = copy.deepcopy(deployed)
    with torch.no_grad():
        for parameter in skeleton.parameters():
            parameter.copy_(torch.rand_like(parameter))
    proto = traced(skeleton, skeleton.ports)
    known = {v.numpy().tobytes(): k for k, v in skeleton.state_dict().items()}
    slopes = {node.input[1] for node in proto.graph.node if node.op_type == "PRelu"}
    weights, names = deployed.state_dict(), dict[str, str]()
    for tensor in proto.graph.initializer:
        key = known.get(numpy_helper.to_array(tensor).tobytes())
        if key is not None:
            shape = list(tensor.dims)
            if tensor.name in slopes:
                shape = [1, weights[key].numel(), 1, 1]  # runtimes fuse slopes of this shape, and not of C 1 1
            names[tensor.name] = key
            tensor.CopyFrom(numpy_helper.from_array(weights[key].numpy().reshape(shape), key))
    for node in proto.graph.node:
        node.input[:] = [names.get(n, n) for n in node.input]
    conditioning = {key: value for key, value in weights.items() if key.startswith(PREFIX)}
    proto.graph.initializer.extend(numpy_helper.from_array(value.numpy(), key) for key, value in conditioning.items())
    return proto


def _condition(deployed: Arch) -> Condition | None:
    modulation = deployed.condition
    return None if modulation is None else Condition(values=modulation.values, layers=tuple(modulation.layers))


def examples(ports: Ports, height: int, width: int, batch: int = 1) -> tuple[Tensor, ...]:
    """Random tensors for the inputs of a network, for images of height x width."""
    return tuple(torch.rand(batch, port.depth, height * port.scale, width * port.scale) for port in ports.inputs)


def _axes(ports: Ports) -> tuple[dict[int, Any], ...]:
    """Free batch, height and width, alike for all inputs."""
    batch, height, width = (torch.export.Dim(name, min=1) for name in ("batch", "height", "width"))
    return tuple(
        {0: batch, 2: height, 3: width}
        if port.scale == 1
        else {0: batch, 2: port.scale * height, 3: port.scale * width}
        for port in ports.inputs
    )


def traced(network: nn.Module, ports: Ports) -> ModelProto:
    """The ONNX graph of a network, with the names of its ports, for any batch, height and width."""
    for talkative in ("torch.onnx", "torch.fx"):
        logging.getLogger(talkative).setLevel(logging.ERROR)
    buffer = io.BytesIO()
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):  # it prints half a graph before it raises
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        program = torch.onnx.export(
            network,
            examples(ports, 40, 50, batch=2),
            dynamo=True,
            dynamic_shapes=_axes(ports),
            input_names=[port.name for port in ports.inputs],
            output_names=[port.name for port in ports.outputs],
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


_SIZE = 48
"""Side of the images with which a network's cost is counted."""


def macs(network: nn.Module, ports: Ports) -> float:
    """Multiply-adds per pixel of the first output (of the input, for a vector) of all a network convolves."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(*examples(ports, _SIZE, _SIZE))
    return round(counter.get_total_flops() / 2 / (_SIZE * ports.outputs[0].scale) ** 2, 1)


def widest(network: nn.Module, ports: Ports) -> int:
    """The widest layer, in channels at low resolution."""
    widths = [port.depth * port.scale**2 for port in ports.outputs]
    hooks = [
        layer.register_forward_hook(lambda _layer, _in, out: widths.append(out[0].numel() // _SIZE**2))
        for layer in network.modules()
        if not list(layer.children())
    ]
    with torch.inference_mode():
        network(*examples(ports, _SIZE, _SIZE))
    for hook in hooks:
        hook.remove()
    return max(widths)
