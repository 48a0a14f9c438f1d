"""Pictures of a verification result: ROC curve and histogram of the scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.metrics import roc_curve

from qmfn.errors import UserError
from qmfn.faces.verification import VerificationResult
from qmfn.files import file_aside


def draw(result: VerificationResult, folder: Path, title: str) -> None:
    """Write roc.png and scores.png into a folder, which is made if need be.

    Raises UserError if it can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in (("roc.png", roc_figure(result, title)), ("scores.png", scores_figure(result, title))):
            with file_aside(folder / name) as aside:
                figure.savefig(aside, dpi=110, format="png")
    except OSError as error:
        raise UserError(f"{folder}: can't take the plots ({error.strerror}).") from None


def roc_figure(result: VerificationResult, title: str):
    """TAR over FAR, FAR on a logarithmic axis down to one different pair."""
    from matplotlib.figure import Figure

    far, tar, _ = roc_curve(result.same, result.scores, drop_intermediate=False)
    figure = Figure(figsize=(4.5, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(far, tar, drawstyle="steps-post", label=f"AUC {result.auc:.4f}, EER {100 * result.eer:.2f} %")
    smallest = 1 / max(1, np.count_nonzero(~result.same))
    axes.set(xscale="log", xlim=(smallest, 1), ylim=(max(0.0, tar[far <= smallest].max() - 0.1), 1.002))
    axes.set(xlabel="false accept rate", ylabel="true accept rate", title=title)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    return figure


def scores_figure(result: VerificationResult, title: str):
    """How the cosines of same and of different pairs are spread, with the threshold between them."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5, 3.6), layout="constrained")
    axes = figure.subplots()
    bins = np.linspace(min(-0.5, result.scores.min()), 1, 80)
    for same, label in ((True, "same person"), (False, "different people")):
        axes.hist(result.scores[result.same == same], bins, alpha=0.6, label=label)
    axes.axvline(result.threshold, color="black", linestyle="--", label=f"threshold {result.threshold:.3f}")
    axes.set(xlabel="cosine of the embeddings", ylabel="pairs", title=title)
    axes.legend()
    return figure
