"""How a model is fine-tuned."""

from dataclasses import dataclass

# The stages of a training.
HEAD, ALL = "head", "all"


@dataclass(frozen=True)
class TrainingRecipe:
    """Hyperparameters.

    `head_epochs` and `epochs` are the maximum of the two stages; each stops early after `patience` epochs
    without improvement on the validation part. `frozen` is the share of blocks that stay frozen, from the
    input on. `distill` is the weight of the champion's answer in the target, `altered` the share of each
    batch that is augmented, `balance` the strength of the class weights (see `finetune/training/student.py`).
    `rate` is the peak learning rate; None takes the network's default. docs/fine-tuning.md says how the
    defaults were chosen.
    """

    head_epochs: int = 5
    epochs: int = 12
    patience: int = 5
    batch: int = 32
    rate: float | None = None
    frozen: float = 0.25
    distill: float = 0.3
    altered: float = 0.25
    balance: float = 0.5
    decay: float = 0.01
    seed: int = 0

    @property
    def stages(self) -> dict[str, int]:
        """The stages in order, with the maximum of epochs of each."""
        return {HEAD: self.head_epochs, ALL: self.epochs}
