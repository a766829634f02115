import numpy as np


def poisson(streams, rate, start, end, schedule=None):
    n = streams(0).poisson(rate * (end - start))
    owner = np.repeat(np.arange(len(n)), n)
    t = streams(1).uniform(start[owner], end[owner])
    o = np.lexsort((t, owner))
    return owner, t[o]
