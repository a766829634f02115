"""The Korean of comparisons, collapse studies, blind reviews, series and databases."""

from __future__ import annotations

from collections.abc import Mapping

TITLES: Mapping[str, str] = {
    "Variance": "분산",
    "Tails": "꼬리",
    "Rare categories": "드문 범주",
    "Different categories": "서로 다른 범주",
    "Different rows": "서로 다른 행",
    "Pairs": "두 열의 관계",
    "Told apart": "가려내기",
    "Different words": "서로 다른 단어",
    "Different pairs of words": "서로 다른 단어 쌍",
    "Different runs of three words": "서로 다른 연속한 세 단어",
    "Likeness of the texts (self-BLEU)": "글의 비슷함(self-BLEU)",
    "Wholly different texts (Vendi score)": "완전히 다른 글(Vendi 점수)",
    "How much they can be compressed": "압축되는 정도",
    "Texts that begin alike": "똑같이 시작하는 글",
    "Equal texts": "같은 글",
    "Nearly equal texts": "거의 같은 글",
}
"""What the measures of a collapse study are called."""

EVENTS: Mapping[str, str] = {
    "number of events in a series": "시계열 하나의 사건 수",
    "time between events": "사건 사이 시간",
    "correlation with the event before": "바로 앞 사건과의 상관",
    "correlation of the changes": "변화량끼리의 상관",
    "correlation with the place in time": "시간 순서와의 상관",
    "correlation with the real mean of each hour": "시각별 실제 평균과의 상관",
    "correlation with the real mean of each weekday": "요일별 실제 평균과의 상관",
    "correlation with the real mean of each month": "달별 실제 평균과의 상관",
    "pairs of categories that follow each other": "잇달아 나오는 범주 쌍",
    "hours of events": "사건의 시각",
    "weekdays of events": "사건의 요일",
    "months of events": "사건의 달",
}
"""What is compared of series."""

PAGE: Mapping[str, str] = {
    **TITLES,
    # Side by side
    "Geurim: synthetic sets side by side": "그림: 합성 데이터 나란히 보기",
    "{count} synthetic sets side by side": "합성 데이터 {count}개 나란히 보기",
    "Each was compared with the same {training} real rows and the same {holdout} rows held out. A "
    "question shows the worst of its checks.": (
        "모두 같은 실제 행 {training}개, 같은 홀드아웃 {holdout}개와 비교했습니다. 질문마다 가장 "
        "나쁜 판정을 보입니다."
    ),
    "question": "질문",
    "the furthest off": "가장 먼 것",
    # Collapse
    "Geurim: do the rows fade?": "그림: 세대를 거듭하면 무너지는가?",
    "Fading over {count} generations": "{count}세대 동안의 붕괴",
    "No measure changed by more than its tolerance since generation 1.": (
        "1세대 이후로 허용 범위를 넘게 바뀐 것이 없습니다."
    ),
    "Something faded: look at the measures marked below.": (
        "무너진 것이 있습니다. 아래에 표시한 것을 보십시오."
    ),
    "The rows collapse: at least one measure has changed far beyond its tolerance.": (
        "행이 무너집니다. 허용 범위를 크게 넘게 바뀐 것이 있습니다."
    ),
    "There are too few rows to tell.": "행이 너무 적어 알 수 없습니다.",
    "Each generation learned from the rows of the one before.": (
        "각 세대는 바로 앞 세대의 행에서 배웠습니다."
    ),
    "Each generation learned from the real rows and those of all before.": (
        "각 세대는 실제 행과 앞선 모든 세대의 행에서 배웠습니다."
    ),
    "The texts of each generation were given.": "세대마다의 글을 받았습니다.",
    "There were no real rows among them.": "실제 행은 섞지 않았습니다.",
    "Each time {share} of the rows were real.": "그때마다 행의 {share}가 실제 행이었습니다.",
    "Generator": "생성기",
    "A verdict compares the last generation with the first: what the generator gets wrong from the "
    "start is not fading. The band is where a figure would probably lie if other rows had been "
    "drawn (95 of 100 times).": (
        "판정은 마지막 세대를 첫 세대와 견줍니다. 생성기가 처음부터 틀린 것은 붕괴가 아닙니다. "
        "띠는 다른 행을 뽑았더라도 값이 놓였을 만한 곳입니다(100번 중 95번)."
    ),
    "the generations": "세대마다",
    "real rows never seen": "학습에 쓰지 않은 실제 행",
    "generation (0: real rows never seen)": "세대(0: 학습에 쓰지 않은 실제 행)",
    "generation {number}": "{number}세대",
    "What changed": "바뀐 것",
    "Every figure": "모든 값",
    "measure": "측정",
    "change for the worse": "나빠진 정도",
    "tolerance": "허용 범위",
    "generation": "세대",
    "learned from": "학습한 행",
    "of them real": "그중 실제",
    "Geurim: how many real rows are needed?": "그림: 실제 행이 얼마나 필요한가?",
    "Real rows needed": "필요한 실제 행",
    "It went on for {count} generations, once for each share of real rows. A measure is kept where "
    "it changed from generation 1 to the last by no more than its tolerance, at this share and at "
    "all larger ones.": (
        "실제 행의 비율마다 {count}세대씩 이어 갔습니다. 이 비율과 더 큰 모든 비율에서 1세대부터 "
        "마지막까지 허용 범위 안에서만 바뀌었으면 지킨 것입니다."
    ),
    "smallest share": "가장 작은 비율",
    "✓ kept": "✓ 지킴",
    "✗ faded": "✗ 무너짐",
    "none of those tried": "해 본 것 중에는 없음",
    "the last generation": "마지막 세대",
    "share of real rows": "실제 행의 비율",
    # Review
    "Real or synthetic?": "실제입니까, 합성입니까?",
    "Form {number}": "{number}번 양식",
    "{count} of {total} answered": "{total}개 중 {count}개 답함",
    "Some of these rows were observed, the others were made by a program. Say of each which it is, "
    "by all you know of the field; a guess is an answer too, and what you leave open does not "
    "count. Tick the columns that gave a row away. When done, save the answers and send back the "
    "file. Answers stay in this browser until then.": (
        "어떤 행은 실제로 관측한 것이고, 나머지는 프로그램이 만든 것입니다. 이 분야에서 아는 모든 "
        "것에 비추어 행마다 어느 쪽인지 고르십시오. 짐작도 답이며, 비워 둔 것은 세지 않습니다. "
        "행이 합성임을 드러낸 열에 표시해 주십시오. 다 하면 답을 저장해 그 파일을 보내 주십시오. "
        "그때까지 답은 이 브라우저에만 남습니다."
    ),
    "Keys: {R} real, {S} synthetic (and on to the next row), {N} next, {P} previous; {Tab} and "
    "{Space} tick columns.": (
        "단축키: {R} 실제, {S} 합성(다음 행으로 넘어감), {N} 다음, {P} 이전, {Tab}과 {Space}로 열 "
        "표시."
    ),
    "Your name": "이름",
    "Save the answers (CSV)": "답 저장하기(CSV)",
    "gave it away": "합성임을 드러냄",
    "Row {number} of {total}": "{total}개 중 {number}번째 행",
    "Note": "메모",
}

_FADING: Mapping[str, str] = {
    "The variance of the numbers is {a} of the real rows'": "수의 분산은 실제 행의 {a}",
    "The mass of extreme values is {a} of the real rows'": "극단값의 양은 실제 행의 {a}",
    "{a} of the rare categories come back": "다시 나타난 드문 범주는 {a}",
    "There are {a} as many different categories as among real rows": (
        "서로 다른 범주의 수는 실제 행의 {a}"
    ),
    "{a} of the rows differ from all others": "다른 모든 행과 다른 행은 {a}",
    "The two-way tables lie {a} farther from the real ones than by chance": (
        "교차표가 우연보다 실제에서 더 먼 정도는 {a}"
    ),
    "A classifier tells them from real rows with an AUC of {a}": (
        "분류기가 실제 행과 가려내는 AUC는 {a}"
    ),
    "{X}: {a}": "{X}: {a}",
}

SENTENCES: Mapping[str, str] = {
    **{f"{text}.": f"{korean}입니다." for text, korean in _FADING.items() if "{X}" not in text},
    **{
        f"{text} at generation {{b}}; {{c}} at generation 1.": (
            f"{korean}입니다({{b}}세대). 1세대는 {{c}}입니다."
        )
        for text, korean in _FADING.items()
    },
    **{
        f"{text} at generation {{b}}; {{c}} at generation 1, and {{d}} for real rows never seen.": (
            f"{korean}입니다({{b}}세대). 1세대는 {{c}}, 홀드아웃은 {{d}}입니다."
        )
        for text, korean in _FADING.items()
    },
    "Not judged: no such columns, or few rows.": "판정하지 않음: 그런 열이 없거나 행이 적습니다.",
    "One run is one path: another seed gives another one.": (
        "한 번의 실행은 한 갈래일 뿐입니다. 시드가 다르면 결과도 다릅니다."
    ),
    "Left out, since they are made anew and not learned: {a}.": (
        "학습하지 않고 새로 만드는 열이라 뺐습니다: {a}."
    ),
    "{a} texts of each generation were looked at, drawn by lot.": (
        "세대마다 글 {a}편을 무작위로 뽑아 살펴보았습니다."
    ),
    "more than {a}, if any share is enough": "{a}보다 많이(충분한 비율이 있다면)",
    "{a} reviewers told real from synthetic rightly in {b} of {c} answers ({d} to {e}); 50% is "
    "guessing.": (
        "심사자 {a}명이 답 {c}개 가운데 {b}에서 실제와 합성을 바르게 가렸습니다({d}~{e}). 무작위로 "
        "추측하면 50%입니다."
    ),
    "1 reviewer told real from synthetic rightly in {b} of {c} answers ({d} to {e}); 50% is "
    "guessing.": (
        "심사자 1명이 답 {c}개 가운데 {b}에서 실제와 합성을 바르게 가렸습니다({d}~{e}). 무작위로 "
        "추측하면 50%입니다."
    ),
    "{a} of {b} marks planted as keys, personal data or texts come out word for word; {c} of as "
    "many never planted do.": (
        "키, 개인정보, 글에 심은 표시 {b}개 가운데 {a}개가 글자 그대로 나옵니다. 심지 않은 같은 "
        "수의 표시는 {c}개입니다."
    ),
    "No column of keys, personal data or text could be marked.": (
        "표시를 심을 키, 개인정보, 글 열이 없습니다."
    ),
    "They tell them apart, but take one for the other.": (
        "가려내기는 하지만 둘을 서로 바꾸어 봅니다."
    ),
    # Series
    "The {A} differs by {b} at most between the two distributions (medians {c} synthetic, {d} "
    "real).": "{A}의 두 분포는 가장 크게 {b} 벌어집니다(중앙값 합성 {c}, 실제 {d}).",
    "The {A} is {b} in synthetic series and {c} in real ones.": (
        "{A}: 합성 시계열 {b}, 실제 시계열 {c}."
    ),
    "{a} of the {B} would have to change to be as in real series (chance alone gives about {c}).": (
        "실제 시계열과 같아지려면 {B}의 {a}가 바뀌어야 합니다(우연만으로도 {c}쯤)."
    ),
    "There is one series.": "시계열이 하나뿐입니다.",
    "No series has a second event.": "사건이 둘 이상인 시계열이 없습니다.",
    "One of the two does not vary within series, so nothing can be compared.": (
        "둘 중 하나가 시계열 안에서 변하지 않아 비교할 것이 없습니다."
    ),
    "One row compared is one unit: a series with all its events.": (
        "비교한 한 행은 한 단위, 곧 사건을 모두 포함한 시계열 하나입니다."
    ),
    "There is one long series: it was cut into {a} stretches that stand for units. Stretches are "
    "not independent, so intervals are rough.": (
        "긴 시계열 하나를 {a}토막으로 잘라 단위를 대신합니다. 토막은 서로 독립이 아니므로 구간은 "
        "어림입니다."
    ),
    # Databases
    "{a} of the rows of {b} repeat a key ({c}).": "{b}의 행 {a}에서 키({c})가 겹칩니다.",
    "{a} of the rows of {b} name no row of {c}; {d} of the real ones do.": (
        "{b}의 행 {a}가 {c}에 없는 행을 가리킵니다. 실제는 {d}입니다."
    ),
    "Too few rows of {a} to compare the rows of {b} of each.": (
        "{a}의 행이 너무 적어 행마다 딸린 {b}의 행을 비교할 수 없습니다."
    ),
    "How many rows of {a} a row of {b} has is off by {c} of the parents (on average {d}, really "
    "{e}).": ("{b} 한 행에 딸린 {a}의 행 수가 부모의 {c}에서 다릅니다(평균 {d}, 실제 {e})."),
    "No column of {a} tells much about {b}: not compared.": (
        "{b}을(를) 알려 주는 {a}의 열이 없어 비교하지 않았습니다."
    ),
    "What {a} and {b} say about each other is off by {c} on average; most for {d} and {e}: {f}, "
    "really {g}.": (
        "{a}와(과) {b}의 관계가 평균 {c} 빗나갑니다. 가장 다른 것은 {d}와(과) {e}, 합성 {f}, 실제 "
        "{g}입니다."
    ),
    "Only what joins the tables is judged here; verify each table by itself as well.": (
        "여기서는 표를 잇는 것만 판정합니다. 표마다 따로도 검증하십시오."
    ),
}
