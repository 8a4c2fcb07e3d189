"""How the embedded model is trained."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PretrainRecipe:
    """Hyperparameters.

    `channels` are those of the network's stem and of its four stages. The first `small_share` of the
    epochs use pictures of `small_side` px, the rest `side`, the model's input. `label_weight` weighs the
    loss of FER2013's label against that of the votes. Faces are sampled by the frequency of their
    expression to the power of -`balance`. `mixup` is the alpha of mixup (Zhang et al. 2018), `average`
    the decay of the EMA. The last `calm_share` of the epochs have no mixup, and half of the faces are
    only mirrored, so that training ends on unaugmented data (as Ge et al. 2021, arXiv:2107.08430, end
    without mosaics). `rate` scales the peak learning rate, which is reached after a tenth of the run. If
    `mirrored`, the model averages its logits over a face and its mirror image.

    In the finished model, `label_share` is the weight of the label's head beside the votes', and
    `prior_strength` (0 to 1) how far the class prior of training is divided out of the answers.
    """

    channels: tuple[int, ...] = (64, 64, 128, 192, 240)
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
    label_share: float = 0.1
    prior_strength: float = 0.8
