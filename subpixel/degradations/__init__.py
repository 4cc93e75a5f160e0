"""What makes an image worse: I_LR = D(I_HR; sigma), as values that are sampled, printed and replayed.

D = Chain((GaussianBlur(1.2), Downsample(4), GaussianNoise(5 / 255), Jpeg(80)))
low = D.apply(high, np.random.default_rng(1))
"""

from subpixel.degradations.blur import GaussianBlur, MotionBlur, SincBlur
from subpixel.degradations.codecs import Jpeg, Webp
from subpixel.degradations.deblurred import Deblurred
from subpixel.degradations.degradation import Chain, Degradation
from subpixel.degradations.distributions import Choice, Distribution, RandomOrder, Uniform
from subpixel.degradations.labels import LABELS
from subpixel.degradations.noise import GaussianNoise, PoissonNoise, SpeckleNoise
from subpixel.degradations.presets import PRESETS, classical, real_world
from subpixel.degradations.resizing import Downsample, Resize
from subpixel.degradations.serialization import KINDS, from_dict, to_dict
from subpixel.degradations.wear import Fade, Scratches, Sharpen

__all__ = [
    "KINDS",
    "LABELS",
    "PRESETS",
    "Chain",
    "Choice",
    "Deblurred",
    "Degradation",
    "Distribution",
    "Downsample",
    "Fade",
    "GaussianBlur",
    "GaussianNoise",
    "Jpeg",
    "MotionBlur",
    "PoissonNoise",
    "RandomOrder",
    "Resize",
    "Scratches",
    "Sharpen",
    "SincBlur",
    "SpeckleNoise",
    "Uniform",
    "Webp",
    "classical",
    "from_dict",
    "real_world",
    "to_dict",
]  # fmt: skip
