"""One model of several runs: the mean of their weights (model soups, Wortsman et al. 2022, arXiv:2203.05482).

Runs that began with the same teacher end near each other, so the mean of their weights answers about as
well as the mean of their answers would, for the time of one.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch.optim.swa_utils import update_bn
from transformers import PreTrainedModel

from finetune.architectures import build
from finetune.augment import augment
from finetune.ferplus import Faces
from finetune.finishing import OUTPUTS, finish, logits_of, normal, pictures_of, scaled
from finetune.metrics import report
from finetune.pretrain import averaged, draw_weights, opinions, priors, usable
from finetune.recipe import CALM_SHARE, Recipe
from vibecheck.emotions import NAMES
from vibecheck.errors import VibeCheckError

# Faces over which normalisation by batches is measured anew, since the mean of weights has other statistics.
MEASURED = 8192

Weights = dict[str, torch.Tensor]


def soup(
    runs: Sequence[Path], train: Faces, valid: Faces, out: Path, tell: Callable[[dict], None] = lambda _: None
) -> None:
    """Write the model folder of the best mean of some of the runs into `out`.

    Greedy: the run that is right most often on `valid` comes first; each other one, in that order, joins if
    the mean with it is right as often. `tell` gets a dict after each, and one at the end. Raises
    VibeCheckError if a run is not there, or its network is another one than the first run's.
    """
    made = {run: averaged(run) for run in runs}
    recipe = next(iter(made.values()))[0]
    for run, (other, _) in made.items():
        if (other.architecture, other.side) != (recipe.architecture, recipe.side):
            raise VibeCheckError(f"{run} has another network or side than {runs[0]}: they have no mean.")
    train = train.take(usable(train))
    goals = opinions(train)
    weights = draw_weights(goals, recipe.balance)
    drawn = torch.multinomial(
        torch.from_numpy(weights), MEASURED, True, generator=torch.Generator().manual_seed(0)
    )
    measured = train.take(drawn.numpy())
    clear = valid.take(valid.truth >= 0)

    def tried(parts: Sequence[Weights]) -> tuple[PreTrainedModel, float]:
        model = _mean(parts, recipe, measured)
        logits = logits_of(model, pictures_of(clear), recipe.side, recipe.mirror)
        votes = logits[:, : len(NAMES)].softmax(1).numpy()
        return model, report(votes, clear.truth)["accuracy"]

    alone = {run: tried([parts]) for run, (_, parts) in made.items()}
    first, *others = sorted(made, key=lambda run: -alone[run][1])
    chosen = [made[first][1]]
    model, best = alone[first]
    tell({"run": str(first), "accuracy": best, "joins": True})
    for run in others:
        together, score = tried([*chosen, made[run][1]])
        joins = score >= best
        tell({"run": str(run), "accuracy": alone[run][1], "joins": joins, "together": score})
        if joins:
            chosen, model, best = [*chosen, made[run][1]], together, score
    out.mkdir(parents=True, exist_ok=True)
    tell({"accuracy": best} | finish(model, recipe, priors(goals, weights), valid, out))


def _mean(parts: Sequence[Weights], recipe: Recipe, measured: Faces) -> PreTrainedModel:
    """The network with the mean of some weights, normalising by what it makes of `measured`."""
    model = build(recipe.architecture, recipe.side, OUTPUTS)
    model.load_state_dict(
        {
            name: torch.stack([part[name] for part in parts]).mean(0) if first.is_floating_point() else first
            for name, first in parts[0].items()
        }
    )
    if len(parts) > 1:
        dice = torch.Generator().manual_seed(0)
        seen = (
            normal(augment(scaled(batch, recipe.side), dice, CALM_SHARE))
            for batch in pictures_of(measured).split(recipe.batch)
        )
        update_bn(seen, model)
    return model.eval()
