"""What a training minimises: differences of pixels, of features, and a discriminator's logits."""

from typing import Literal

Kind = Literal["nonsaturating", "relativistic", "least-squares"]
"""Of adversarial losses; here, because a recipe is read before torch is imported."""
