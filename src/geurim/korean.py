"""The Korean of the report's page: its sentences by their English, its findings by their names."""

from __future__ import annotations

from collections.abc import Mapping

from geurim import korean_prose, korean_sets

TEXTS: Mapping[str, str] = {
    **korean_prose.PAGE,
    **korean_sets.PAGE,
    # Verdicts
    "pass": "통과",
    "look closer": "살펴볼 것",
    "fail": "실패",
    "not judged": "판정하지 않음",
    # The top
    "Geurim: synthetic rows verified": "그림: 합성 데이터 검증",
    "Verdict": "판정",
    "Checks": "검사",
    "Faithful?": "충실한가?",
    "Useful?": "유용한가?",
    "Private?": "안전한가?",
    "Fair?": "공정한가?",
    "Rare cases?": "드문 경우는?",
    "Collapsing?": "무너지는가?",
    "Do the synthetic rows look like the real ones?": "합성 행이 실제 행과 닮았습니까?",
    "Does a model trained on them predict real rows as well?": (
        "합성 행으로 학습한 모델이 실제 행을 그만큼 잘 맞힙니까?"
    ),
    "Do they give away the rows that were learned from?": ("학습에 쓴 행을 드러냅니까?"),
    "Are groups treated as in the real rows, or better?": (
        "집단을 실제 행에서만큼, 또는 그보다 낫게 다룹니까?"
    ),
    "Do rare categories and extreme values come back?": ("드문 범주와 극단값이 다시 나타납니까?"),
    "Does quality fade from generation to generation?": ("세대를 거듭하면 품질이 떨어집니까?"),
    "No check found a difference that matters.": "의미 있는 차이를 찾은 검사가 없습니다.",
    "No check failed, but some differences deserve a look.": (
        "실패한 검사는 없지만 살펴볼 차이가 있습니다."
    ),
    "At least one check failed: read below which, and why.": (
        "실패한 검사가 있습니다. 무엇이 왜 실패했는지 아래에서 보십시오."
    ),
    "There were too few rows to judge.": "판정하기에는 행이 너무 적습니다.",
    "{synthetic} synthetic rows were compared with {training} real rows they were learned from and "
    "{holdout} real rows never seen.": (
        "합성 행 {synthetic}개를 학습에 쓴 실제 행 {training}개, 학습에 쓰지 않은 실제 행 "
        "{holdout}개와 "
        "비교했습니다."
    ),
    "{synthetic} synthetic rows were compared with {training} real rows they were learned from and "
    "{holdout} real rows of the same table.": (
        "합성 행 {synthetic}개를 학습에 쓴 실제 행 {training}개, 같은 표의 다른 실제 행 "
        "{holdout}개와 "
        "비교했습니다."
    ),
    "How to read this page: every check is made on the synthetic rows and also on real rows held "
    "out. The second figure shows how far apart honest rows are by luck alone; synthetic rows "
    "cannot be expected to do better. The range in brackets is where the figure would probably lie "
    "if other rows had been drawn (95 of 100 times).": (
        "읽는 법: 모든 검사는 합성 행과, 따로 떼어 둔 실제 행(홀드아웃)에 똑같이 합니다. "
        "홀드아웃의 값은 실제 행끼리도 "
        "우연히 얼마나 다른지 보여 주며, 합성 행에 그보다 나은 값을 바랄 수는 없습니다. 괄호 "
        "안의 범위는 다른 행을 "
        "뽑았더라도 값이 놓였을 만한 곳입니다(100번 중 95번)."
    ),
    "What was measured says how these rows differ from the real ones, and what the attacks that "
    "were tried could learn from them. No test shows that nobody can learn more, or that the rows "
    "are anonymous in law.": (
        "여기서 잰 것은 합성 행이 실제 행과 어떻게 다른지, 시도한 공격이 합성 행에서 무엇을 "
        "알아낼 수 있었는지입니다. "
        "누구도 더 알아낼 수 없다거나, 이 행이 법에서 말하는 익명 정보라는 것을 보여 주는 "
        "검사는 없습니다."
    ),
    "No holdout was given, so the real rows were cut in two by lot: one half stands for the "
    "training rows, the other for rows never seen. The generator may have seen both: what needs "
    "rows that it never saw is not judged. Give a holdout to have it judged.": (
        "홀드아웃을 주지 않아 실제 행을 무작위로 둘로 나누었습니다. 한쪽은 학습에 쓴 행을, 다른 "
        "쪽은 쓰지 않은 행을 대신합니다. 생성기가 둘 다 보았을 수 있으므로, 본 적 없는 행이 있어야 "
        "하는 검사는 판정하지 않습니다. 판정하려면 홀드아웃을 주십시오."
    ),
    # Plots
    "real": "실제",
    "synthetic": "합성",
    "real rows held out": "홀드아웃",
    "synthetic rows": "합성 행",
    "{count} others": "그 밖 {count}개",
    "not in real": "실제에 없음",
    "missing": "결측",
    "heat map": "열지도",
    "values with their intervals": "값과 구간",
    "Dot: synthetic, with its range. Grey diamond: real rows held out.": (
        "점: 합성 행의 값과 범위. 회색 마름모: 홀드아웃."
    ),
    "None was found.": "하나도 없습니다.",
    "Columns": "열",
    "The most different": "가장 다른 열",
    "Gap of the share of missing values": "결측 비율의 차이",
    "No column misses a value, real or synthetic.": "실제 행에도 합성 행에도 결측값이 없습니다.",
    "Missing values": "결측값",
    "The {shown} of {count} columns that differ most are drawn; all are in the table below.": (
        "{count}개 열 가운데 가장 다른 {shown}개만 그렸습니다. 나머지는 아래 표에 있습니다."
    ),
    "Each column, the most different first": "열마다, 가장 다른 것부터",
    "Pairs whose dependence differs most": "의존 관계가 가장 다른 두 열",
    "The {shown} of {count} columns that differ most are drawn.": (
        "{count}개 열 가운데 가장 다른 {shown}개만 그렸습니다."
    ),
    "Dark: one column tells much of the other.": "짙을수록 한 열이 다른 열을 많이 알려 줍니다.",
    "Dependence of pairs: real": "두 열의 의존 관계: 실제",
    "Dependence of pairs: synthetic": "두 열의 의존 관계: 합성",
    "Difference": "차이",
    "Among the real rows.": "실제 행에서.",
    "Among the synthetic rows; it should look the same.": "합성 행에서. 왼쪽과 같아야 합니다.",
    "Blue: too strong in the synthetic rows; orange: too weak. Empty is best; the strongest colour "
    "is a difference of 0.3 or more.": (
        "파랑: 합성 행에서 너무 강함. 주황: 너무 약함. 비어 있을수록 좋고, 가장 짙은 색은 0.3 "
        "이상의 차이입니다."
    ),
    "Can a machine tell them apart?": "기계가 둘을 가려냅니까?",
    "How synthetic each row looks to the classifier, 0 to 1. The two shapes should lie on each "
    "other.": "분류기가 보기에 각 행이 얼마나 합성 같은지(0에서 1). 두 모양이 겹쳐야 합니다.",
    "classifier": "분류기",
    "real rows wrongly called synthetic": "합성이라고 잘못 본 실제 행",
    "synthetic rows found out": "가려낸 합성 행",
    "The curve should lie on the dashed line: guessing.": (
        "곡선이 점선(무작위 추측) 위에 놓여야 합니다."
    ),
    "What gives them away": "합성임을 드러낸 것",
    "The {count} synthetic rows that it is surest of": "분류기가 가장 확신한 합성 행 {count}개",
    "What gives each row away, the most telling value first. They are synthetic: rows that equal "
    "a real one are left out, and so are categories that few real rows have.": (
        "행마다 합성임을 드러낸 값을 큰 것부터 적었습니다. 모두 합성 행입니다. 실제 행과 같은 행은 "
        "뺐고, 실제 행에 드문 범주는 적지 않습니다."
    ),
    "score (1: surely synthetic)": "점수(1: 틀림없이 합성)",
    "what gives it away": "합성임을 드러낸 값",
    "a rare value": "드문 값",
    "Training on synthetic rows": "합성 행으로 학습하기",
    "trained on real": "실제로 학습",
    "trained on synthetic": "합성으로 학습",
    "higher is better, 1 is perfect.": "클수록 좋고 1이 완벽합니다.",
    "Predicting {column} of real rows": "실제 행의 {column} 맞히기",
    "Distance of each row to the nearest training row. Synthetic rows that pile up at 0 are "
    "near-copies.": (
        "각 행에서 가장 가까운 학습 행까지의 거리. 0에 쌓인 합성 행은 베낀 것에 가깝습니다."
    ),
    "Distance to the nearest training row": "가장 가까운 학습 행까지의 거리",
    "copies": "사본",
    "Exact copies of training rows": "학습 행의 정확한 사본",
    "Real values that come out again": "다시 나온 실제 값",
    "Personal data where there was none": "없던 곳에 생긴 개인정보",
    "come back": "다시 나타남",
    "Lost": "사라진 것",
    "Rare categories that come back": "다시 나타난 드문 범주",
    "Low extremes: below the 1st percentile": "낮은 극단값: 1백분위 아래",
    "High extremes: above the 99th percentile": "높은 극단값: 99백분위 위",
    "Categories that the real rows do not have": "실제 행에 없는 범주",
    "Values outside the real range": "실제 범위를 벗어난 값",
    "rows never seen, wrongly suspected": "잘못 의심한, 학습에 쓰지 않은 행",
    "training rows found": "알아낸 학습 행",
    # Cards by theme
    "Three columns at once": "세 열을 한꺼번에",
    "What is missing together": "함께 비는 값",
    "Dates and times": "날짜와 시각",
    "Rules that hold in every real row": "모든 실제 행이 지키는 규칙",
    "Rows that repeat": "되풀이되는 행",
    "How numbers end": "수의 끝자리",
    "How long strings are": "문자열의 길이",
    "How long series are": "시계열의 길이",
    "Time between events": "사건 사이 시간",
    "What depends on the event before": "바로 앞 사건에 기대는 정도",
    "Which category follows which": "범주가 이어지는 순서",
    "Numbers that change together": "함께 변하는 수",
    "Trends": "추세",
    "When events happen": "사건이 일어나는 때",
    "The course of a day": "하루의 흐름",
    "The course of a week": "한 주의 흐름",
    "The course of a year": "한 해의 흐름",
    "Other models": "다른 모델",
    "Choosing a model, and what matters to it": "모델 고르기, 모델이 중요하게 보는 것",
    "Real and synthetic rows together": "실제 행과 합성 행을 함께",
    "Answers to queries": "질의에 대한 답",
    "Near copies": "거의 같은 사본",
    "Attacks: what someone who sees the rows can find out": (
        "공격: 합성 행을 본 사람이 알아낼 수 있는 것"
    ),
    "Who was among the real rows?": "누가 실제 행에 있었는가?",
    "Rare combinations that come back": "다시 나타난 드문 조합",
    "Planted canaries": "심어 둔 카나리아",
    "Privacy budget": "정보보호 예산",
    "How large the groups are": "집단의 크기",
    "How the outcome differs": "결과의 차이",
    "Errors of a model by group": "집단마다 다른 모델의 오류",
    "The rarer classes of the target": "목표 열의 드문 부류",
    "Categories that are lost": "사라진 범주",
    "Combinations that are lost, or new": "사라졌거나 새로 생긴 조합",
    "The shape of the tails": "꼬리의 모양",
    "Regions: what is reached, and what is made up": "영역: 닿은 곳과 지어낸 곳",
    "Where the rows lie": "행이 놓인 곳",
    "direction {number} ({share} of the variance)": "제{number}방향(분산의 {share})",
    "The two directions in which real rows differ most (principal components). Shades: how many "
    "of {rows} real rows; dots: {dots} synthetic rows. Both were drawn by lot, and should fill the "
    "same places alike.": (
        "실제 행이 가장 크게 갈리는 두 방향(주성분)입니다. 음영은 실제 행 {rows}개의 밀도, 점은 "
        "합성 행 {dots}개입니다. 둘 다 무작위로 뽑았으며, 같은 곳을 비슷하게 채워야 합니다."
    ),
    "The {shown} of {count} groups that differ most are drawn.": (
        "집단 {count}개 가운데 가장 다른 {shown}개만 그렸습니다."
    ),
    "true positive": "참 양성률",
    "false positive": "거짓 양성률",
    # The tables at the end
    "All findings": "모든 검사 결과",
    "verdict": "판정",
    "check": "검사",
    "column": "열",
    "value": "값",
    "range (95%)": "범위(95%)",
    "held out": "홀드아웃",
    "count": "개수",
    "in words": "설명",
    "The worst {shown} of {count} findings; the JSON report has all.": (
        "결과 {count}개 가운데 가장 나쁜 {shown}개. 모두는 JSON 보고서에 있습니다."
    ),
    "Where the rows come from": "행의 출처",
    "Depth 0 is real data; each generator adds one.": (
        "깊이 0은 실제 데이터이고, 생성기를 거칠 때마다 1이 늘어납니다."
    ),
    "rows": "행",
    "made by": "만든 것",
    "seed": "시드",
    "depth": "깊이",
    "digest": "다이제스트",
    "from": "원본",
    "holdout": "홀드아웃",
    "Verified with seed {seed}": "시드 {seed}(으)로 검증",
    "target": "목표 열",
    # Questions
    "faithful": "충실",
    "useful": "유용",
    "private": "안전",
    "fair": "공정",
    "rare": "드문 경우",
    "collapsing": "붕괴",
}

FINDINGS: Mapping[str, str] = {
    "missing_gap": "결측 비율의 차이",
    "column_ks": "분포의 가장 큰 간격",
    "column_tv": "범주 비율의 차이",
    "pair_distance": "두 열 표의 평균 거리",
    "pair_association": "두 열의 의존 정도의 차이",
    "c2st_auc": "분류기가 실제와 합성을 가려내는 비율(50%가 무작위 추측)",
    "tstr_gap": "합성으로 학습했을 때 실제로 학습했을 때보다 모자란 점수",
    "dcr_share": "학습 행에 더 가까운 합성 행의 비율(50%가 이상)",
    "exact_copies": "학습 행과 똑같은 합성 행의 비율",
    "nndr": "학습 행 하나에만 유난히 가까운 비율(50%가 이상)",
    "near_copies": "학습 행과 거의 같은 합성 행의 비율",
    "singling_out_one": "한 열로 한 사람을 골라낼 위험",
    "singling_out_several": "여러 열로 한 사람을 골라낼 위험",
    "linkability": "한 사람의 두 조각을 이어 붙일 위험",
    "inference": "한 사람의 비밀을 알아맞힐 위험",
    "membership_distance": "거리로 학습 행을 가려내는 비율(50%가 무작위 추측)",
    "membership_distance_tpr": "거리로 알아낸 학습 행(거짓 경보 1%에서)",
    "membership_density": "밀도로 학습 행을 가려내는 비율(50%가 무작위 추측)",
    "membership_density_tpr": "밀도로 알아낸 학습 행(거짓 경보 1%에서)",
    "unique_combinations": "다시 나타난, 한 사람뿐인 조합의 비율",
    "canaries": "심은 카나리아에 더 가까운 비율(50%가 이상)",
    "canary_marks": "다시 나온 카나리아 표시",
    "privacy_budget": "쓴 정보보호 예산(엡실론)",
    "personal_survives": "다시 나온 실제 개인정보의 비율",
    "personal_found": "개인정보로 보이는 값의 비율",
    "rare_categories": "다시 나타난 드문 범주의 비율",
    "tail_low": "낮은 극단값의 비율",
    "tail_high": "높은 극단값의 비율",
    "invented_categories": "실제에 없는 범주의 비율",
    "out_of_range": "실제 범위를 벗어난 값의 비율",
    "group_share": "집단이 줄어든 정도",
    "outcome_gap": "집단 사이 결과의 차이가 벌어진 정도",
    "odds_gap": "집단 사이 모델 오류의 차이가 벌어진 정도",
    "triple_dependence": "세 열이 함께 만드는 관계의 차이",
    "missing_pattern": "함께 비는 패턴의 차이",
    "missing_dependence": "결측이 다른 열에 기대는 정도의 차이",
    "date_hour": "시각 분포의 차이",
    "date_weekday": "요일 분포의 차이",
    "date_month": "달 분포의 차이",
    "date_gap": "두 날짜 사이 간격의 차이",
    "broken_rules": "규칙을 어긴 합성 행의 비율",
    "duplicate_rows": "되풀이되는 합성 행의 비율",
    "number_digits": "끝자리 분포의 차이",
    "string_length": "실제보다 짧거나 긴 문자열의 비율",
    "lost_categories": "사라진 범주의 비율",
    "minority_share": "목표 열 드문 부류의 비율",
    "lost_combinations": "사라진 조합의 비율",
    "new_combinations": "새로 생긴 조합의 비율",
    "tail_shape": "꼬리 모양의 차이",
    "precision": "실제 행이 있는 곳에 놓인 합성 행의 비율",
    "recall": "합성 행이 닿는 실제 행의 비율",
    "alpha_precision": "실제 분포의 안쪽에 놓인 정도",
    "beta_recall": "실제 분포를 덮는 정도",
    "authenticity": "베끼지 않은 합성 행의 비율",
    "small_clusters": "채워진 작은 군집의 비율",
    "tstr_linear": "선형 모델에서 모자란 점수",
    "tstr_neighbours": "최근접 이웃 모델에서 모자란 점수",
    "model_choice": "합성 행으로 모델을 고를 때 잃는 점수",
    "importance_gap": "열의 중요도의 차이",
    "augmented_gap": "합성 행을 더했을 때 잃는 점수",
    "query_error": "무작위 질의에 대한 답의 오차",
    "sequence_length": "시계열 길이 분포의 차이",
    "sequence_gap": "사건 사이 간격의 차이",
    "sequence_autocorrelation": "자기상관의 차이",
    "sequence_transitions": "상태 전이의 차이",
    "sequence_cross": "열 사이 시차 상관의 차이",
    "sequence_trend": "추세의 차이",
    "sequence_hour": "시각 분포의 차이",
    "sequence_weekday": "요일 분포의 차이",
    "sequence_month": "달 분포의 차이",
    "sequence_season_hour": "하루 주기의 차이",
    "sequence_season_weekday": "한 주 주기의 차이",
    "sequence_season_month": "한 해 주기의 차이",
    "sequence_memory": "사건의 순서가 알려 주는 것 가운데 잃은 비율",
    "related_siblings": "같은 부모 행을 둔 행끼리의 닮음 가운데 잃은 비율",
}
"""What each finding's value is, for the page's sentence on it."""
