"""Clean text made real, and a set of texts curated: neither asks a model. Needs geurim[text]."""

import numpy as np
import pyarrow as pa

from geurim.curate import curate, default_steps
from geurim.noise import PRESETS, Noise
from geurim.rows import read_rows

clean = ["배송이 너무 늦어서 환불을 받고 싶습니다.", "이 영화는 정말 재미있고 음악도 좋습니다."]
noise = Noise(rates=PRESETS["reviews"], language="ko")
for text in noise.apply(clean, np.random.default_rng(7)).to_pylist():
    print(text)

texts = [
    *clean,
    clean[0],
    "제 번호는 010-1234-5678 입니다. 전화 주세요.",
    "Sorry, wrong language here.",
]
curated = curate(read_rows(pa.table({"text": texts})), default_steps("ko"), column="text")
print(curated.kept.to_arrow()["text"].to_pylist() == clean)
for row in curated.rejects.to_arrow().to_pylist():
    print(row["stage"], "|", row["reason"])
