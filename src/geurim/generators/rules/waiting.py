"""The kind of column that says when a service begins, where the rows of an owner stand in line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pyarrow as pa

from geurim.generators.rules.calendars import Intensity
from geurim.generators.rules.clock import Clock
from geurim.generators.rules.draws import Draw, read_draw
from geurim.generators.rules.formulas import Formula, Value, column
from geurim.generators.rules.kinds import Kind
from geurim.generators.rules.options import SCHEDULED, Option, Options
from geurim.generators.rules.queues import queue
from geurim.generators.rules.rows import Rows
from geurim.generators.rules.streams import Streams
from geurim.nodes import Node

if TYPE_CHECKING:
    from geurim.generators.rules.scope import Scope


@dataclass(frozen=True)
class Begins(Kind):
    """When the service of a row begins, first come first served among the rows of its owner.

    `{queue: time, takes: {draw: gamma, mean: 6, shape: 2, in: minutes}, servers: 2}`: `queue` is
    when each arrives. `takes` may be a column of its own, in seconds. With a `schedule` a service
    begins only at its hours; who comes after the last of them is never served (missing).
    """

    clock: Clock = field(repr=False)
    arrival: Formula
    takes: Draw
    servers: Value
    schedule: Intensity | None = field(repr=False)
    type: pa.DataType = field(default_factory=lambda: pa.timestamp("us"))
    kind = "queue"
    shape = "formula"
    options: ClassVar[Options] = {
        "takes": Option("duration", "How long the service takes."),
        "servers": Option("number", "How many are served at once; else 1."),
        "schedule": SCHEDULED,
    }

    @classmethod
    def read(cls, node: Node, names: Scope) -> Begins:
        setting, servers, schedule = names.setting, node.get("servers"), node.get("schedule")
        arrival = names.value(node.need("queue"))
        if not pa.types.is_timestamp(arrival.type):
            raise node.need("queue").error(f"this is {arrival.type}. Give the time of arrival.")
        return cls(
            setting.clock,
            arrival,
            read_draw(node.need("takes"), names, time=True),
            1 if servers is None else names.number(servers, 1),
            None if schedule is None else setting.schedule(schedule),
        )

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        arrival = self.clock.seconds(self.arrival.values(rows))
        takes = np.maximum(self.takes.values(rows, streams), 0.0)
        servers = column(self.servers, rows)
        begin = np.full(rows.count, np.nan)
        for start, stop in zip(rows.starts[:-1], rows.starts[1:], strict=True):
            mine = start + np.argsort(arrival[start:stop], kind="stable")
            mine = mine[~np.isnan(arrival[mine])]
            if len(mine):
                count = max(int(servers[mine[0]]), 1)
                begin[mine] = queue(arrival[mine], takes[mine], count, self.schedule)
        return self.clock.moments(np.where(np.isinf(begin), np.nan, begin))
