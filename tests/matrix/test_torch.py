"""Robust losses on tensors of torch: the values of numpy, and autograd's gradients are ours."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sparkclean.errors import InputError
from sparkclean.learning.losses import LOSSES, Loss, log_softmax, make_loss

K = 5
NOISE = 0.7 * np.eye(K) + 0.3 * np.roll(np.eye(K), 1, axis=0)
PARAMETERS = {"forward_correction": {"noise_matrix": NOISE}}
LABELS = np.arange(12) % K
LOGITS = np.random.default_rng(7).normal(scale=3.0, size=(12, K))


@pytest.fixture(params=LOSSES)
def loss(request: pytest.FixtureRequest) -> Loss:
    return make_loss(request.param, PARAMETERS.get(request.param))


@pytest.mark.parametrize(("dtype", "rel"), [(torch.float64, 1e-13), (torch.float32, 1e-4)])
def test_losses_of_tensors_are_those_of_arrays(loss: Loss, dtype: torch.dtype, rel: float) -> None:
    log_probs = log_softmax(torch.tensor(LOGITS, dtype=dtype))
    labels, ours = torch.tensor(LABELS), log_softmax(LOGITS)
    for found, wanted in (
        (loss.losses(labels, log_probs), loss.losses(LABELS, ours)),
        (loss.gradient(labels, log_probs), loss.gradient(LABELS, ours)),
    ):
        assert found.dtype == dtype
        assert found.numpy() == pytest.approx(wanted, rel=rel, abs=rel)


def test_gradient_of_autograd_is_that_in_closed_form(loss: Loss) -> None:
    logits = torch.tensor(LOGITS, requires_grad=True)
    labels = torch.tensor(LABELS)
    loss.losses(labels, log_softmax(logits)).sum().backward()
    wanted = loss.gradient(LABELS, log_softmax(LOGITS))
    assert logits.grad is not None
    assert logits.grad.numpy() == pytest.approx(wanted, rel=1e-12, abs=1e-14)


def test_gradient_of_autograd_without_probability_of_the_given_class_is_finite(loss: Loss) -> None:
    logits = torch.tensor([[0.0, 1e4, 0.0, 0.0, 0.0]], requires_grad=True)
    loss.losses(torch.tensor([0]), log_softmax(logits)).sum().backward()
    assert logits.grad is not None
    assert bool(torch.isfinite(logits.grad).all())


def test_losses_take_the_log_softmax_of_torch(loss: Loss) -> None:
    found = loss.losses(torch.tensor(LABELS), torch.tensor(LOGITS).log_softmax(dim=1))
    assert found.numpy() == pytest.approx(loss.losses(LABELS, log_softmax(LOGITS)), rel=1e-13)


def test_label_outside_the_classes_is_an_input_error() -> None:
    with pytest.raises(InputError, match="labels outside 0 to 4"):
        make_loss("cross_entropy").losses(torch.tensor([K]), torch.tensor(LOGITS[:1]))
