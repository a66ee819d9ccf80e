"""A network with one hidden layer, fitted by Adam (Kingma and Ba, ICLR 2015) in NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BATCH = 256
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


@dataclass
class Network:
    """Two layers, and the mean log loss of the last epoch."""

    weights1: NDArray[np.float64]
    bias1: NDArray[np.float64]
    weights2: NDArray[np.float64]
    bias2: NDArray[np.float64]
    loss: float = float("nan")

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probability of label 1 for `[rows, columns]`, shape `[rows, 1]`."""
        hidden = np.maximum(0, matrix.astype(np.float64) @ self.weights1 + self.bias1)
        return 1 / (1 + np.exp(-(hidden @ self.weights2 + self.bias2)))

    @property
    def tensors(self) -> list[NDArray[np.float64]]:
        return [self.weights1, self.bias1, self.weights2, self.bias2]


def fit(
    matrix: NDArray[np.float32],
    labels: NDArray[np.float32],
    rng: np.random.Generator,
    *,
    hidden: int,
    epochs: int,
    rate: float,
    decay: float,
) -> Network:
    """Return a network fitted to `[rows, columns]` and labels 0 and 1. `decay` is the decay of the weights."""
    rows, targets, width = matrix.astype(np.float64), labels.astype(np.float64).reshape(-1, 1), matrix.shape[1]
    network = Network(
        rng.normal(0, np.sqrt(2 / width), (width, hidden)),
        np.zeros(hidden),
        rng.normal(0, np.sqrt(1 / hidden), (hidden, 1)),
        np.array([np.log(targets.mean() / (1 - targets.mean()))]),
    )
    moments = [(np.zeros_like(each), np.zeros_like(each)) for each in network.tensors]
    step = 0
    for _ in range(epochs):
        losses = []
        order = rng.permutation(len(rows))
        for start in range(0, len(rows), _BATCH):
            batch = order[start : start + _BATCH]
            step += 1
            loss, gradients = _gradients(network, rows[batch], targets[batch], decay)
            losses.append(loss)
            for tensor, gradient, (mean, square) in zip(network.tensors, gradients, moments, strict=True):
                mean[...] += (1 - _BETA1) * (gradient - mean)
                square[...] += (1 - _BETA2) * (gradient**2 - square)
                unbiased, scale = mean / (1 - _BETA1**step), np.sqrt(square / (1 - _BETA2**step))
                tensor[...] -= rate * unbiased / (scale + _EPSILON)
        network.loss = float(np.mean(losses))
    return network


def _gradients(
    network: Network, rows: NDArray[np.float64], targets: NDArray[np.float64], decay: float
) -> tuple[float, list[NDArray[np.float64]]]:
    hidden = np.maximum(0, rows @ network.weights1 + network.bias1)
    margin = hidden @ network.weights2 + network.bias2
    loss = float(np.mean(np.logaddexp(0, margin) - targets * margin))
    outer = (1 / (1 + np.exp(-margin)) - targets) / len(rows)
    inner = (outer @ network.weights2.T) * (hidden > 0)
    return loss, [
        rows.T @ inner + decay * network.weights1,
        inner.sum(axis=0),
        hidden.T @ outer + decay * network.weights2,
        outer.sum(axis=0),
    ]
