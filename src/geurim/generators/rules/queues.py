"""Queues: when each service begins, first come first served."""

from __future__ import annotations

import heapq
from bisect import bisect_right

import numpy as np

from geurim.errors import SettingError
from geurim.generators.rules.calendars import Intensity
from geurim.generators.rules.processes import in_range


def queue(
    arrival_s: np.ndarray,
    service_s: np.ndarray,
    servers: int = 1,
    opening: Intensity | None = None,
) -> np.ndarray:
    """When the service of each begins (M,), first come first served, by so many servers.

    `arrival_s` (M,) ascends; `service_s` (M,) is how long each takes. With `opening` a service
    begins only while it is open (and may end later): who comes after the last opening waits for
    ever, which is infinite.
    """
    arrival, service = np.asarray(arrival_s, float), np.asarray(service_s, float)
    in_range("service_s", service, 0.0)
    if arrival.shape != service.shape or servers < 1 or (np.diff(arrival) < 0.0).any():
        raise SettingError(
            f"A queue of {servers} servers, {arrival.size} arrivals and {service.size} services. "
            "Give at least one server, ascending arrivals, and one service for each."
        )
    if servers == 1 and opening is None:
        # Departures follow D = max(A, D before) + S; less the services so far, a running maximum.
        before = np.cumsum(service) - service
        return np.asarray(np.maximum(np.maximum.accumulate(arrival - before) + before, arrival))
    return _served(arrival, service, servers, opening)


def _served(
    arrival: np.ndarray, service: np.ndarray, servers: int, opening: Intensity | None
) -> np.ndarray:
    """The same by a heap of the times at which servers become free."""
    free, begins = [-np.inf] * servers, []
    edges = opening.edges_s.tolist() if opening else []
    opens = opening.opens_s.tolist() if opening else []
    for came, takes in zip(arrival.tolist(), service.tolist(), strict=True):
        begin = max(came, free[0])
        if edges:
            begin = max(begin, opens[max(bisect_right(edges, begin) - 1, 0)])
        heapq.heapreplace(free, begin + takes)
        begins.append(begin)
    return np.array(begins, float)
