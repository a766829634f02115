"""Clean text made real, judged, and a set of texts curated: no model is asked. Needs geurim[text].

The "real" reviews are put together here from parts and noised, so that nobody's are needed; what
shop.csv holds in your case is to be put in their place. Writes the report in two languages.
"""

import numpy as np
import pyarrow as pa

from geurim.curate import curate, default_steps
from geurim.noise import PRESETS, Noise
from geurim.rows import read_rows
from geurim.verify.prose import verify_text

OPENINGS = [
    "주문한 지 이틀 만에",
    "생각보다 일찍",
    "일주일을 기다려",
    "명절이 끼어 조금 늦게",
    "예정된 날에",
]
THINGS = [
    "운동화를",
    "전기 주전자를",
    "겨울 이불을",
    "무선 이어폰을",
    "책장을",
    "아이 우비를",
    "프라이팬을",
]
JUDGED = [
    "색이 사진과 똑같습니다",
    "마감이 깔끔합니다",
    "생각보다 무겁습니다",
    "크기가 조금 작습니다",
]
JUDGED += [
    "값에 비해 튼튼합니다",
    "냄새가 조금 납니다",
    "설명서가 친절합니다",
    "포장이 뜯겨 있었습니다",
]
USES = [
    "어머니께 선물했습니다",
    "출근할 때마다 씁니다",
    "아이가 좋아합니다",
    "여행 갈 때 챙겼습니다",
]
USES += ["집들이 선물로 샀습니다", "고장 난 것을 바꾸려고 샀습니다", "회사에서 같이 씁니다"]
ENDS = [
    "또 주문하겠습니다",
    "교환을 부탁드립니다",
    "주변에도 추천합니다",
    "다음에는 다른 곳에서 사겠습니다",
]


def reviews(count: int, rng: np.random.Generator) -> list[str]:
    """Reviews in clean sentences, of parts drawn by lot."""

    def one() -> str:
        o, t, j, u, e = (str(rng.choice(p)) for p in (OPENINGS, THINGS, JUDGED, USES, ENDS))
        middle = [f"{j}.", f"{u}."]
        return " ".join([f"{o} {t} 받았습니다.", *rng.permutation(middle), f"{e}."])

    return [one() for _ in range(count)]


rng = np.random.default_rng(7)
real = Noise(rates=PRESETS["reviews"], language="ko").apply(reviews(1_200, rng), rng)
clean = reviews(600, rng)
noise = Noise.fit(real.to_pylist(), clean, rng=rng)
noised = noise.apply(clean, rng)
for text in noised.to_pylist()[:2]:
    print(text)

for name, made in (("clean", pa.array(clean)), ("made real", noised)):
    report = verify_text(pa.table({"text": made}), pa.table({"text": real}))
    print(f"{name}: a classifier tells them apart with {report.find('text_c2st_auc').value:.2f}")
report.save_html("texts.html")
report.save_html("texts.ko.html", "ko")

texts = [
    *clean[:2],
    clean[0],
    "제 번호는 010-1234-5678 입니다. 전화 주세요.",
    "Sorry, wrong language here.",
]
curated = curate(read_rows(pa.table({"text": texts})), default_steps("ko"), column="text")
print(curated.kept.to_arrow()["text"].to_pylist() == clean[:2])
for row in curated.rejects.to_arrow().to_pylist():
    print(row["stage"], "|", row["reason"])
