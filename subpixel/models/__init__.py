"""Models: one .onnx file each, with the graph, the weights and a card; some lie in this folder."""

from subpixel.models.card import Card, Condition, Score
from subpixel.models.store import Model, enlarging, load, names, of_photos

__all__ = ["Card", "Condition", "Model", "Score", "enlarging", "load", "names", "of_photos"]
