class Intensity: ...


def intensity(start, end, **k):
    return Intensity()
