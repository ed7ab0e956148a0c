"""Heads: from hidden vectors to a loss and to tags or a sentence label. Each owns its projection; dropout comes before.

Losses are summed over tokens and averaged over the sentences that have any annotation, so that the losses of several
heads add up on one scale. A batch with no annotation gives a zero that still has a graph.
"""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from onomast.errors import OnomastError
from onomast.layers.crf import LinearChain, allowed_tags

UNKNOWN = -1  # the id of what is not annotated


class Head(Protocol):
    """What the tagger trains and reads; every head is an nn.Module that fulfils it.

    hidden (B, T, D); mask (B, T) bool, True where a token is real; K tags or labels.
    """

    def loss(self, hidden: Tensor, gold: Tensor, mask: Tensor) -> Tensor:
        """Score the annotation `gold` ((B, T) ids, or (B,) for a sentence label; -1 = not annotated): ()."""

    def decode(self, hidden: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Predict ids and their probabilities: both (B, T), 0 at padding; for a sentence label both (B,)."""


class SoftmaxHead(nn.Module):
    """Choose each token's tag by itself.

    Loss of a token with gold tag y: `-w_y (1 - p_y)^focal log p_y` (Lin et al. 2017; cross-entropy at focal 0).
    Nothing keeps the sequence legal: spans_of's conlleval rule repairs it when spans are read.

    `class_weights` (K,), default 1.
    """

    class_weights: Tensor | None

    def __init__(self, *, width: int, tags: int, class_weights: Tensor | None = None, focal: float = 0.0) -> None:
        super().__init__()
        self.focal = focal
        self.projection = nn.Linear(width, tags)
        self.register_buffer("class_weights", class_weights, persistent=False)

    def loss(self, hidden: Tensor, gold: Tensor, mask: Tensor) -> Tensor:
        """hidden (B, T, D), gold (B, T), mask (B, T) -> (): sum over annotated tokens, mean over their sentences."""
        known = mask & (gold >= 0)
        logs = _log_softmax(self.projection(hidden[known]))  # (N, K) for N annotated tokens
        return _token_losses(logs, gold[known], self.class_weights, self.focal).sum() / _sentences(known)

    def decode(self, hidden: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """hidden (B, T, D), mask (B, T) -> ids (B, T), probabilities (B, T)."""
        logs, ids = _log_softmax(self.projection(hidden)).max(-1)
        return ids * mask, logs.exp() * mask


class CRFHead(nn.Module):
    """Choose the tags of a sentence together: a linear-chain CRF that never leaves the legal transitions.

    A token that is not annotated is summed over (partial CRF); with full annotation this is the ordinary CRF.
    `gold` may also be bool (B, T, K), the set of tags each token may have, for annotation that narrows a tag down.

    `beta` > 0 makes it the Bernoulli-CRF (BiLSTM-BCRF, section 3.4; its formula is lost in translation). Two readings,
    where q_t, constant for the gradient, is 0 if the best path has the gold tag at t and 1 if not:
    `wrong="tokens"`: `-log p(y|x) + beta * sum_t q_t * (-log p(y_t|x))`, p(y_t|x) being the tag's marginal;
    `wrong="sentence"`: `-log p(y|x) * (1 + beta * sum_t q_t)`. Either way wrong tokens make the loss larger.

    `legal` (K, K), `starts` (K,), `ends` (K,): bool; may tag j follow tag i, may a sentence begin or end with it.
    """

    legal: Tensor
    legal_starts: Tensor
    legal_ends: Tensor

    def __init__(
        self,
        *,
        width: int,
        legal: Tensor,
        starts: Tensor,
        ends: Tensor,
        beta: float = 0.0,
        wrong: Literal["tokens", "sentence"] = "tokens",
    ) -> None:
        super().__init__()
        tags = legal.shape[0]
        self.beta = beta
        self.wrong = wrong
        self.projection = nn.Linear(width, tags)
        self.transitions = nn.Parameter(torch.zeros(tags, tags))
        self.starts = nn.Parameter(torch.zeros(tags))
        self.ends = nn.Parameter(torch.zeros(tags))
        self.register_buffer("legal", legal, persistent=False)
        self.register_buffer("legal_starts", starts, persistent=False)
        self.register_buffer("legal_ends", ends, persistent=False)

    def loss(self, hidden: Tensor, gold: Tensor, mask: Tensor) -> Tensor:
        """hidden (B, T, D), gold (B, T) ids or (B, T, K) bool, mask (B, T) -> (): mean over annotated sentences.

        Raises OnomastError if the gold tags of a sentence allow no legal path.
        """
        chain = self.chain(hidden, mask)
        full = gold.dtype != torch.bool and bool(((gold >= 0) | ~mask).all())
        if full:
            loss = chain.nll(gold)  # (B,)
            known = mask
            allowed = None
        else:
            allowed = gold if gold.dtype == torch.bool else allowed_tags(gold, len(self.starts))
            known = mask & ~allowed.all(-1)
            loss = chain.partial_nll(allowed)
        if bool((loss == torch.inf).any()):
            raise OnomastError("the gold tags of a sentence form no legal sequence; expected tags of the head's scheme")
        if self.beta > 0:
            allowed = allowed_tags(gold, len(self.starts)) if allowed is None else allowed
            wrong = known & ~allowed.gather(2, chain.best_path()[:, :, None])[:, :, 0]
            if self.wrong == "tokens":
                loss = loss - self.beta * chain.log_marginals(allowed).masked_fill(~wrong, 0.0).sum(1)
            else:
                loss = loss * (1 + self.beta * wrong.sum(1))
        return (loss.sum() / _sentences(known)).to(torch.promote_types(hidden.dtype, torch.float32))

    def decode(self, hidden: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """hidden (B, T, D), mask (B, T) -> the best path's ids (B, T), each tag's marginal (B, T)."""
        with torch.no_grad():
            chain = self.chain(hidden, mask)
            ids = chain.best_path()
            confidence = chain.marginals().gather(2, ids[:, :, None])[:, :, 0]
        return ids, confidence.float() * mask

    def chain(self, hidden: Tensor, mask: Tensor) -> LinearChain:
        """Score all paths, for marginals and n best paths: hidden (B, T, D), mask (B, T) -> LinearChain."""
        return LinearChain(
            self.projection(hidden),
            mask,
            self.transitions.masked_fill(~self.legal, -torch.inf),
            self.starts.masked_fill(~self.legal_starts, -torch.inf),
            self.ends.masked_fill(~self.legal_ends, -torch.inf),
        )


class SentenceHead(nn.Module):
    """Choose one label for the whole sentence: max-pooling over its tokens, linear, softmax (joint labelling, 2.1)."""

    def __init__(self, *, width: int, labels: int) -> None:
        super().__init__()
        self.projection = nn.Linear(width, labels)

    def loss(self, hidden: Tensor, gold: Tensor, mask: Tensor) -> Tensor:
        """hidden (B, T, D), gold (B,) with -1 for no label, mask (B, T) -> (): mean over labelled sentences."""
        known = gold >= 0
        logs = self._logs(hidden[known], mask[known])
        return _token_losses(logs, gold[known], None, 0.0).sum() / _sentences(known[:, None])

    def decode(self, hidden: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """hidden (B, T, D), mask (B, T) -> ids (B,), probabilities (B,)."""
        logs, ids = self._logs(hidden, mask).max(-1)
        return ids, logs.exp()

    def _logs(self, hidden: Tensor, mask: Tensor) -> Tensor:
        pooled = hidden.masked_fill(~mask[:, :, None], -torch.inf).amax(1)  # (B, D)
        return _log_softmax(self.projection(pooled))


class MaskedHead(nn.Module):
    """Masked-language modelling: which sub-word stood here? (Devlin et al. 2019, section 3.1).

    A dense layer, GELU, a norm, and the product with the encoder's own embeddings. It is not a `Head`: its gold is in
    the text.
    """

    def __init__(self, *, width: int, embedding: int, vocabulary: int, epsilon: float = 1e-12) -> None:
        super().__init__()
        self.dense = nn.Linear(width, embedding)
        self.norm = nn.LayerNorm(embedding, eps=epsilon)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, hidden: Tensor, embeddings: Tensor) -> Tensor:
        """Hidden vectors (M, D) at masked places and embeddings (V, E) -> (M, V) scores."""
        return nn.functional.linear(self.norm(nn.functional.gelu(self.dense(hidden))), embeddings, self.bias)


def _log_softmax(scores: Tensor) -> Tensor:
    """Log probabilities over the last axis, in float32 at least."""
    return scores.log_softmax(-1, dtype=torch.promote_types(scores.dtype, torch.float32))


def _token_losses(logs: Tensor, gold: Tensor, weights: Tensor | None, focal: float) -> Tensor:
    """Log probabilities (N, K), gold ids (N,) -> losses (N,)."""
    losses = -logs.gather(1, gold[:, None])[:, 0]
    if focal > 0:
        losses = losses * (1 - torch.exp(-losses)).clamp_min(1e-8) ** focal
    return losses if weights is None else losses * weights[gold]


def _sentences(known: Tensor) -> Tensor:
    """Count the rows of bool (B, T) with any annotation; at least 1."""
    return known.any(1).sum().clamp_min(1)
