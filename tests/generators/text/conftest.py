"""The tests here talk to a real server that misbehaves on purpose: `misbehaving_server`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
