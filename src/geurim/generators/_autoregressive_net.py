"""The network of the autoregressive generator: all columns' conditionals at once, in training.

    sum of what is known (B, D) -> relu -> the column's own layer (B, H) -> relu
        -> logits of the column's groups, and a query that scores the places in each group

The first layer is a sum of table rows, one for each known value, and all columns share it: so the
contexts of all columns of a row are partial sums of one pass along the row. Only this file needs
torch; a fitted model draws with NumPy (geurim.generators._conditionals).

Letters: B rows, C columns, D `width`, H `hidden`, G groups of a column, W places in a group.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np

from geurim.generators._conditionals import CURVES, Conditionals, Seen
from geurim.generators._training import import_torch

torch = import_torch("The autoregressive generator")
nn: Any = torch.nn
Module: Any = nn.Module
cross_entropy, embedding, relu = (
    getattr(nn.functional, name) for name in ("cross_entropy", "embedding", "relu")
)

LEAF = 16  # numbers that stand for a category within its group, or score a place
TRUST = (0.0, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0)
_LATER = 3.0  # what an epoch's lateness counts, over the root of the rows it is judged on
_AXIS, _OFF = 1000.0, 50.0  # rows at which a group on an axis, or off it, learns half as fast
_WARM = 50  # steps until the full rate
_MEAN = 0.99  # of the running mean of the weights
_SCORED = 2_048  # rows at once

Row = dict[str, Any]


def pace(seen: Seen) -> Any:
    """How fast each group (G,) learns for itself: slower with few rows, whose noise it would learn.

    What groups on an axis have in common is learned by curves along it, at full pace.
    """
    rows = np.diff(seen.parts.mass[seen.parts.first])
    found = rows / (rows + np.where(seen.axis, _AXIS, _OFF))
    return torch.as_tensor(found).float()


class Sight(Module):  # type: ignore[misc]
    """What a column's value adds to the sum: a row for its group, and what its place says."""

    def __init__(self, seen: Seen, width: int, spread: float) -> None:
        super().__init__()
        groups = seen.parts.groups
        self.table = nn.Parameter(spread * torch.randn(groups, width))
        self.register_buffer("pace", pace(seen)[:, None], persistent=False)
        self.slope = self.leaf = self.curve = None
        if seen.ordered:
            self.curve = nn.Parameter(spread * torch.randn(CURVES, width))
            curves, rises = (torch.as_tensor(c).float() for c in seen.curves)
            self.register_buffer("curves", curves, persistent=False)
            self.register_buffer("rises", rises, persistent=False)
        if seen.sloped:
            self.slope = nn.Parameter(torch.zeros(groups, width))
        if seen.leafy:
            self.leaf = nn.Parameter(0.1 * torch.randn(len(seen.parts.order), LEAF))
            self.fan = nn.Parameter(spread * torch.randn(LEAF, width))

    def forward(self, group: Any, code: Any, middle: Any) -> Any:
        table, slope = self.tables()
        found = embedding(group, table)
        if slope is not None:
            found = torch.addcmul(found, embedding(group, slope), middle[:, None])
        if self.leaf is not None:
            found = found + embedding(code, self.leaf) @ self.fan
        return found

    def tables(self) -> tuple[Any, Any]:
        """The rows (G, D) of groups, and what a step along a group adds."""
        table = self.table * self.pace
        if self.curve is None:
            return table, None
        table = torch.addmm(table, self.curves, self.curve)
        slope = None
        if self.slope is not None:
            slope = torch.addmm(self.slope * self.pace, self.rises, self.curve)
        return table, slope


class Head(Module):  # type: ignore[misc]
    """One column's logits.

    A place's logit is its log mass and `trust` times what the context tells of it. Contexts seldom
    tell much of places, of which there are many: the trust that rows held out have in it decides.
    """

    def __init__(self, seen: Seen, hidden: int) -> None:
        super().__init__()
        parts = seen.parts
        self.places = seen.places
        self.weight = nn.Parameter(0.1 * torch.randn(hidden, parts.groups) / hidden**0.5)
        self.register_buffer("pace", pace(seen), persistent=False)
        self.curve = None
        if seen.ordered:
            self.curve = nn.Parameter(0.3 * torch.randn(hidden, CURVES) / hidden**0.5)
            curves = torch.as_tensor(seen.curves[0].T).float()
            self.register_buffer("curves", curves, persistent=False)
        self.bias = nn.Parameter(torch.as_tensor(np.log(parts.shares()), dtype=torch.float32))
        if self.places > 1:
            mass = np.log(np.diff(parts.mass))
            self.register_buffer("trust", torch.ones(()))
            self.register_buffer("first", torch.as_tensor(parts.first), persistent=False)
            self.register_buffer("mass", torch.as_tensor(mass).float(), persistent=False)
            self.query = nn.Parameter(torch.randn(hidden, LEAF) / hidden**0.5)
            self.key = nn.Parameter(torch.zeros(len(parts.order), LEAF))

    def loss(self, hidden: Any, group: Any, place: Any) -> Any:
        """-log p of groups and places, by the mean over B."""
        loss = cross_entropy(torch.addmm(self.bias, hidden, self.matrix()), group)
        if self.places > 1:
            told, mass, right = self.scores(hidden, group, place)
            trust = 1.0 if self.training else self.trust
            wrong = cross_entropy(mass + trust * told, right, reduction="sum")
            loss = loss + wrong / len(hidden)
        return loss

    def matrix(self) -> Any:
        """What turns (B, H) into logits (B, G)."""
        weight = self.weight * self.pace
        if self.curve is not None:
            weight = torch.addmm(weight, self.curve, self.curves)
        return weight

    def scores(self, hidden: Any, group: Any, place: Any) -> tuple[Any, Any, Any]:
        """What contexts tell of places (n, W), their log masses (n, W), the right ones (n,).

        Of the n rows whose group has several places, but not too many to be scored.
        """
        start = self.first[group]
        count = self.first[group + 1] - start
        some = torch.nonzero((count > 1) & (count <= self.places))[:, 0]
        start, count = start[some, None], count[some, None]
        at = torch.arange(self.places, device=hidden.device)
        rank = torch.minimum(start + at, start + count - 1)
        query = hidden[some] @ self.query
        told = (embedding(rank, self.key) @ query[:, :, None])[:, :, 0]
        return told, self.mass[rank].masked_fill(at >= count, -torch.inf), place[some]

    def judge(self, hidden: Any, group: Any, place: Any) -> None:
        """Set the trust to what these rows, which were not learned from, are likeliest with."""
        if self.places > 1:
            told, mass, right = self.scores(hidden, group, place)
            losses = [float(cross_entropy(mass + t * told, right, reduction="sum")) for t in TRUST]
            self.trust.fill_(TRUST[int(np.argmin(losses))])


class Network(Module):  # type: ignore[misc]
    """`before`: columns as those after them see them; `after`: as those before them do."""

    def __init__(
        self, before: list[Seen], after: list[Seen], width: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        columns = len(before)
        spread = 1 / columns**0.5
        self.dropout = dropout
        self.before = nn.ModuleList(Sight(s, width, spread) for s in before)
        self.after = nn.ModuleDict(
            {
                str(i): Sight(late, width, spread)
                for i, (early, late) in enumerate(zip(before, after, strict=True))
                if early.parts is not late.parts
            }
        )
        self.heads = nn.ModuleList(Head(s, hidden) for s in before)
        self.gain = nn.Parameter(torch.ones(columns, 1, width))
        self.shift = nn.Parameter(0.1 * torch.randn(columns, 1, width))
        self.weight = nn.Parameter(torch.randn(columns, width, hidden) * (2 / width) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(columns, 1, hidden))
        earlier = torch.ones(columns, columns).tril(-1)
        self.register_buffer("earlier", earlier, persistent=False)

    def loss(self, rows: list[Row], given: Any) -> Any:
        """-log p of the rows, by the mean; `given` as in `hidden`."""
        hidden = self.hidden(rows, given)
        losses = [
            head.loss(h, r["group"], r["place"])
            for head, h, r in zip(self.heads, hidden, rows, strict=True)
        ]
        return torch.stack(losses).sum()

    def hidden(self, rows: list[Row], given: Any) -> Any:
        """(C, B, H), each column's from all columns before it and from those given after it.

        `given` (C, N, 1): 1 where the value of one of the first N rows is given.
        """
        seen = torch.stack(
            [s(r["group"], r["code"], r["middle"]) for s, r in zip(self.before, rows, strict=True)]
        )
        known = (self.earlier @ seen.flatten(1)).view(seen.shape)
        some = given.shape[1]
        if some:
            late = seen[:, :some]
            if self.after:
                own = list(late)
                for i, sight in self.after.items():
                    r = rows[int(i)]
                    keys = ("own_group", "own_code", "own_middle")
                    own[int(i)] = sight(*(r[k][:some] for k in keys))
                late = torch.stack(own)
            late = late * given
            late = (self.earlier.T @ late.flatten(1)).view(late.shape)
            known = torch.cat([known[:, :some] + late, known[:, some:]], 1)
        first = self._dropped(relu(torch.addcmul(self.shift, known, self.gain)))
        return self._dropped(relu(torch.baddbmm(self.bias, first, self.weight)))

    def folded(self) -> Network:
        """The same network with what curves add written into the tables."""
        found = copy.deepcopy(self)
        with torch.no_grad():
            for sight in (*found.before, *found.after.values()):
                table, slope = sight.tables()
                sight.table.copy_(table)
                if slope is not None:
                    sight.slope.copy_(slope)
            for head in found.heads:
                head.weight.copy_(head.matrix())
            for module in found.modules():
                if getattr(module, "curve", None) is not None:
                    del module.curve
        return found

    def _dropped(self, x: Any) -> Any:
        """Dropout of the same units in all columns of a row: one draw serves them all."""
        if not (self.training and self.dropout):
            return x
        keep = torch.rand(x.shape[1:], device=x.device) >= self.dropout
        return x * (keep / (1 - self.dropout))


class Pair(Module):  # type: ignore[misc]
    """The network that learns, and the running mean of its weights, which is judged and kept."""

    def __init__(self, live: Any) -> None:
        super().__init__()
        self.live, self.mean = live, copy.deepcopy(live)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))


class Averaged:
    """Steps of AdamW with a running mean of the weights, as the training loop calls them.

    The rate rises at first and falls to 0 within `steps`, as a cosine. A subclass gives the loss
    of some rows, by the live network.
    """

    def __init__(self, network: Any, *, rate: float, decay: float, steps: int) -> None:
        self.network, self.rate, self.steps = Pair(network), rate, steps
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=decay, fused=True
        )
        self.optimizers = [self.optimizer]

    def loss(self, rows: Any) -> Any:
        raise NotImplementedError

    def step(self, rows: Any) -> Any:
        pair = self.network
        pair.steps += 1
        step = int(pair.steps)
        loss = self.loss(rows)
        self.optimizer.zero_grad()
        loss.backward()
        warm = min(step / _WARM, 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * warm * (1 + math.cos(math.pi * min(step / self.steps, 1))) / 2
        self.optimizer.step()
        keep = min(_MEAN, step / (step + 10))
        with torch.no_grad():
            mean, live = list(pair.mean.parameters()), list(pair.live.parameters())
            torch._foreach_lerp_(mean, live, 1 - keep)
        return loss.detach()


class Task(Averaged):
    """What the training loop calls.

    `rows`: of each column (C, N) its `group`, `place`, `code` and the `middle` of its place, and of
    its own scale `own_group`, `own_code`, `own_middle`. `given`: the share of rows that learn with
    some of their later values known.
    """

    def __init__(
        self,
        rows: Row,
        network: Network,
        *,
        rate: float,
        decay: float,
        steps: int,
        given: float,
    ) -> None:
        super().__init__(network, rate=rate, decay=decay, steps=steps)
        self.rows, self.given = rows, given

    def loss(self, rows: Any) -> Any:
        return self.network.live.loss(self._batch(rows), self._given(rows, None))

    def score(self, rows: Any) -> float:
        """-log p of the rows, a share of them given some of their values, always the same ones."""
        network = self.network.mean
        part = self._batch(rows[: 2 * _SCORED])
        fixed = torch.Generator().manual_seed(1)
        hidden = network.hidden(part, self._given(rows[: 2 * _SCORED], fixed))
        for head, h, r in zip(network.heads, hidden, part, strict=True):
            head.judge(h, r["group"], r["place"])
        random = torch.Generator().manual_seed(0)
        total = 0.0
        for some in rows.split(_SCORED):
            loss = network.loss(self._batch(some), self._given(some, random))
            total += float(loss) * len(some)
        # Of epochs that chance cannot tell apart the later: it is surer where little is given.
        later = _LATER * int(self.network.steps) / self.steps / len(rows) ** 0.5
        return float(total / len(rows) - later)

    def _batch(self, rows: Any) -> list[Row]:
        found = {k: v[:, rows] for k, v in self.rows.items()}
        return [{k: v[i] for k, v in found.items()} for i in range(len(found["group"]))]

    def _given(self, rows: Any, random: Any) -> Any:
        """Which values of the first rows are given (C, N, 1).

        One column in three rows of four, for that is asked for most; in the rest any number of them
        is as likely as any other.
        """
        count, columns = int(len(rows) * self.given), len(self.rows["group"])
        share = torch.rand(count, generator=random)
        chosen = torch.rand(columns, count, generator=random)
        one = chosen == chosen.amin(0)
        single = torch.arange(count) % 4 > 0
        chosen = torch.where(single, one, chosen < share)
        return chosen.float()[:, :, None].to(rows.device)


def rows_of(model: Conditionals, codes: np.ndarray, own_codes: np.ndarray, device: Any) -> Row:
    """The rows that a task learns from, of codes (N, C) and codes on the columns' own scales."""
    found: Row = {}
    for prefix, all_seen, coded in (("", model.before, codes), ("own_", model.after, own_codes)):
        columns = [np.maximum(coded[:, i], 0) for i in range(len(all_seen))]
        split = [s.parts.split(c) for s, c in zip(all_seen, columns, strict=True)]
        middle = [s.middle[c] for s, c in zip(all_seen, columns, strict=True)]
        found[prefix + "group"] = torch.as_tensor(np.stack([g for g, _ in split]))
        found[prefix + "place"] = torch.as_tensor(np.stack([p for _, p in split]))
        found[prefix + "code"] = torch.as_tensor(np.stack(columns)).long()
        found[prefix + "middle"] = torch.as_tensor(np.stack(middle))
    del found["own_place"]
    return {k: v.to(device) for k, v in found.items()}
