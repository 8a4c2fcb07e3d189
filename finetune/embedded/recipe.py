"""How the embedded model is trained."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """What decides the outcome of a run, beside the data.

    The first `small_share` of the epochs see pictures of `small_side` px, the rest `side`, which is what
    the model takes. The loss of FER2013's label counts `label_weight`, that of the votes 1. Faces are
    drawn in proportion to the frequency of their expression to the power of -`balance`. `mixup` is the
    alpha of the mixing of pairs (Zhang et al. 2018), `average` the decay of the weights' mean. In the last
    `calm_share` of the epochs nothing is mixed and half of the faces are no more than mirrored, so that
    the model ends on faces as they are (as Ge et al. 2021, arXiv:2107.08430, end without mosaics). The
    learning rate rises over the first tenth of the run to `rate` times what suits the architecture, then
    falls. If `mirrored`, the model answers with the mean of its logits for a face and for its mirror image.
    """

    architecture: str = "resnet"
    epochs: int = 120
    side: int = 80
    small_side: int = 64
    small_share: float = 0.6
    batch: int = 128
    label_weight: float = 0.5
    balance: float = 0.25
    mixup: float = 0.4
    calm_share: float = 0.2
    average: float = 0.998
    mirrored: bool = True
    rate: float = 1.0
    seed: int = 1
