"""The Korean of what findings say: a sentence by the pattern of its English.

A field in braces stands for figures, names and values, put in as they are; one in capitals for a
part of a sentence, which has its Korean among the fragments. A finding that has no pattern here is
told by its name and figures.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from geurim import korean_prose, korean_sets

_TABLES: Mapping[str, str] = {
    # Faithful
    "{a} of the synthetic values are missing, and {b} of the real ones ({c} in the holdout).": (
        "합성 값의 {a}, 실제 값의 {b}가 결측입니다(홀드아웃은 {c})."
    ),
    "The largest gap between the synthetic and the real distribution is {a} of the rows; {b} for "
    "real rows never seen.": (
        "합성 분포와 실제 분포가 가장 크게 벌어진 곳의 간격은 행의 {a}입니다. 홀드아웃은 {b}입니다."
    ),
    "{a} of the synthetic rows would need another category to match the real shares; {b} of real "
    "rows never seen.": (
        "실제 비율과 같아지려면 합성 행의 {a}가 다른 범주여야 합니다. 홀드아웃은 {b}입니다."
    ),
    "Over {a} pairs of columns, on average {b} of the synthetic rows would need to change for the "
    "two-way table to match; {c} of real rows never seen.": (
        "열 쌍 {a}개의 교차표가 실제와 같아지려면 평균적으로 합성 행의 {b}가 바뀌어야 합니다. "
        "홀드아웃은 {c}입니다."
    ),
    "The two columns' dependence (0 none, 1 full) is {a} in the synthetic rows, {b} in the real "
    "ones and {c} in the holdout.": (
        "두 열의 의존 정도(0은 무관, 1은 완전)는 합성 행에서 {a}, 실제 행에서 {b}, 홀드아웃에서 "
        "{c}입니다."
    ),
    "Shown one real and one synthetic row, a classifier picks the right one {a} of the time; 50% "
    "is guessing.": (
        "실제 행과 합성 행을 하나씩 보여 주면 분류기가 {a}의 경우에 합성 행을 맞힙니다. 무작위로 "
        "추측하면 50%입니다."
    ),
    "What gives them away most: {A}.": "합성임을 가장 크게 드러낸 것: {A}.",
    "Too few rows or columns to train a classifier that tells real from synthetic.": (
        "행이나 열이 너무 적어, 실제와 합성을 가려낼 분류기를 학습할 수 없습니다."
    ),
    "By itself it looks right.": "이 열만 보면 실제 같습니다.",
    "It is how it goes with several other columns together.": ("다른 여러 열과의 관계가 다릅니다."),
    "It is how it goes with {a}: their dependence (0 none, 1 full) is {b}, and {c} in the real "
    "rows.": (
        "{a} 열과의 관계가 다릅니다. 의존 정도(0은 무관, 1은 완전)가 {b}인데 실제 행에서는 "
        "{c}입니다."
    ),
    "{a} of its synthetic values occur among the real ones exactly; {b} of the holdout's do.": (
        "합성 값의 {a}가 실제 값과 정확히 같습니다. 홀드아웃은 {b}입니다."
    ),
    "What the three columns do together beyond their pairs (in shares of rows) is {a} in the "
    "synthetic rows, {b} in the real ones and {c} in the holdout.": (
        "두 열씩 보아서는 알 수 없는 세 열의 관계(행의 비율)가 합성 행에서 {a}, 실제 행에서 {b}, "
        "홀드아웃에서 {c}입니다."
    ),
    "Fewer than three columns, or too few rows, to look at three at a time.": (
        "열이 셋보다 적거나 행이 너무 적어 세 열을 한꺼번에 볼 수 없습니다."
    ),
    "No three columns depend on each other beyond what their pairs do.": (
        "두 열씩의 관계를 넘어 서로 얽힌 세 열이 없습니다."
    ),
    "{a} of the synthetic rows would have to miss other values for the patterns of what is missing "
    "together to match; {b} of real rows never seen.": (
        "함께 비는 패턴이 실제와 같아지려면 합성 행의 {a}에서 다른 값이 비어야 합니다. 홀드아웃은 "
        "{b}입니다."
    ),
    "Rows that miss {a} differ from those that have it in {b} by {c} of the real rows ({d} in the "
    "holdout), by {e} of the synthetic ones.": (
        "{a} 값이 빈 행과 있는 행은 {b}의 분포가 실제 행에서 {c}(홀드아웃 {d}), 합성 행에서 "
        "{e}만큼 다릅니다."
    ),
    "Fewer than two columns miss a value.": "결측값이 있는 열이 둘보다 적습니다.",
    "No column misses {a} values in the real rows and {b} in the synthetic ones.": (
        "실제 행에서 {a}개, 합성 행에서 {b}개 넘게 빈 열이 없습니다."
    ),
    "{a} of the synthetic rows would need another hour ({b} of real rows never seen); most so {c}: "
    "{d}, and {e} of the real rows.": (
        "시각이 실제와 같아지려면 합성 행의 {a}가 바뀌어야 합니다(홀드아웃 {b}). 가장 다른 것은 "
        "{c}시로, 합성 {d}, 실제 {e}입니다."
    ),
    "{a} of the synthetic rows would need another weekday ({b} of real rows never seen); most so "
    "{C}: {d}, and {e} of the real rows.": (
        "요일이 실제와 같아지려면 합성 행의 {a}가 바뀌어야 합니다(홀드아웃 {b}). 가장 다른 것은 "
        "{C}, 합성 {d}, 실제 {e}입니다."
    ),
    "{a} of the synthetic rows would need another month ({b} of real rows never seen); most so "
    "{C}: {d}, and {e} of the real rows.": (
        "달이 실제와 같아지려면 합성 행의 {a}가 바뀌어야 합니다(홀드아웃 {b}). 가장 다른 것은 "
        "{C}, 합성 {d}, 실제 {e}입니다."
    ),
    "The days from {a} to {b} differ by {c} of the rows ({d} of real rows never seen): at the "
    "median {e}, and {f} in the real rows.": (
        "{a}에서 {b}까지 걸린 날수의 분포가 행의 {c}만큼 다릅니다(홀드아웃 {d}). 중앙값은 합성 "
        "{e}일, 실제 {f}일입니다."
    ),
    "{a} of {b} synthetic rows ({c}) break {d}, which no training row does; {e} of the holdout's "
    "do.": (
        "합성 행 {b}개 가운데 {a}개({c})가 학습 행은 하나도 어기지 않는 규칙 {d}을(를) 어깁니다. "
        "홀드아웃은 {e}입니다."
    ),
    "The real rows have no rule that holds in each of them.": (
        "모든 실제 행이 지키는 규칙이 없습니다."
    ),
    "{a} of {b} synthetic rows equal another of them in every column that is learned; {c} of as "
    "many real rows do.": (
        "합성 행 {b}개 가운데 {a}가 학습하는 모든 열에서 다른 합성 행과 같습니다. 같은 수의 실제 "
        "행은 {c}입니다."
    ),
    "There are too few rows or columns.": "행이나 열이 너무 적습니다.",
    "{a} of the synthetic numbers would have to end otherwise ({b} of real ones never seen); most "
    "so those {C}: {d}, and {e} of the real ones.": (
        "합성 수의 {a}는 끝자리가 달라야 합니다(홀드아웃 {b}). 가장 다른 것은 {C}, 합성 {d}, 실제 "
        "{e}입니다."
    ),
    "{a} of the synthetic strings are shorter than {b} or longer than {c} characters, as no real "
    "one is ({d} of the holdout's).": (
        "합성 문자열의 {a}가 {b}자보다 짧거나 {c}자보다 깁니다. 실제 문자열에는 없는 길이입니다"
        "(홀드아웃 {d})."
    ),
    # Useful
    "Not judged: name a target, the column that someone would predict (--target).": (
        "판정하지 않음: 예측할 열을 정해 주십시오(--target)."
    ),
    "Not judged: name a target, the column that someone would predict.": (
        "판정하지 않음: 예측할 열을 정해 주십시오."
    ),
    "Not judged: fewer than {a} rows with a target, or no other column.": (
        "판정하지 않음: 목표 열이 채워진 행이 {a}개보다 적거나, 다른 열이 없습니다."
    ),
    "Not judged: {a} has one value only in the rows held out.": (
        "판정하지 않음: 홀드아웃에서 {a}의 값이 하나뿐입니다."
    ),
    "Not judged: {a} has one value only.": "판정하지 않음: {a}의 값이 하나뿐입니다.",
    "Predicting {a} of real rows held out by {B}: {c} {d} when trained on synthetic rows, {e} when "
    "trained on real ones.": (
        "{B} 모델로 홀드아웃의 {a} 맞히기: {c}는 합성 행으로 학습하면 {d}, 실제 행으로 학습하면 "
        "{e}입니다."
    ),
    "Predicting {a} of real rows held out: {b} {c} when trained on synthetic rows, {d} when "
    "trained on real ones.": (
        "홀드아웃의 {a} 맞히기: {b}는 합성 행으로 학습하면 {c}, 실제 행으로 학습하면 {d}입니다."
    ),
    "The generator may have seen the rows tested on, so this cannot be a pass.": (
        "생성기가 시험에 쓴 행을 보았을 수 있으므로 통과로 판정할 수 없습니다."
    ),
    "Of {a} families of models, {B} look best when trained on synthetic rows, and {C} on real "
    "ones: on real rows the choice costs {d} of {e}.": (
        "모델 {a}종 가운데 가장 좋아 보이는 것은 합성 행으로 학습하면 {B}, 실제 행으로 학습하면 "
        "{C}입니다. 그렇게 고르면 실제 행에서 {e}를 {d}만큼 잃습니다."
    ),
    "Without {a} a model of {b} loses {c} of {d} when trained on real rows, {e} when trained on "
    "synthetic ones: of {f} columns the one that differs most. Two models of real rows differ by "
    "{g}.": (
        "{b}을(를) 맞히는 모델에서 {a} 열을 빼면 {d}가 실제 행으로 학습했을 때 {c}, 합성 행으로 "
        "학습했을 때 {e} 떨어집니다. 열 {f}개 가운데 가장 다릅니다. 실제 행으로 학습한 두 "
        "모델끼리는 {g}만큼 다릅니다."
    ),
    "Trained on real and synthetic rows together, trees reach {a} {b}; on the real rows alone "
    "{c}.": (
        "실제 행과 합성 행을 함께 학습한 트리의 {a}는 {b}, 실제 행만 학습한 트리는 {c}입니다."
    ),
    "Of {a} random counts and means under filters, the answers from synthetic rows are off by {b} "
    "on average; those from as many real rows never seen by {c}.": (
        "조건을 건 무작위 개수·평균 질의 {a}개에 합성 행으로 답하면 평균 {b} 빗나갑니다. 같은 수의 "
        "홀드아웃으로 답하면 {c}입니다."
    ),
    "No filter leaves enough rows.": "행이 충분히 남는 조건이 없습니다.",
    # Private
    "{a} of the synthetic rows lie nearer to a training row than to any of {b} real rows never "
    "seen (50% is ideal; {C}).": (
        "합성 행의 {a}가 학습에 쓰지 않은 실제 행 {b}개보다 학습 행에 더 가깝습니다(50%가 이상; "
        "{C})."
    ),
    "The distance check cannot be made: {A}.": "거리 검사를 할 수 없습니다: {A}.",
    "No column is learned, so no row can be a copy.": (
        "학습하는 열이 없어 사본이 있을 수 없습니다."
    ),
    "{a} of the synthetic rows equal a training row in all {b} columns; {c} of real rows never "
    "seen do so too.": (
        "합성 행의 {a}가 {b}개 열 모두에서 학습 행과 같습니다. 홀드아웃도 {c}는 그렇습니다."
    ),
    "{a} of {b} synthetic {C} values occur among the real ones; {d} of the holdout's do.": (
        "합성 값({C}) {b}개 가운데 {a}개가 실제 값에 있습니다. 홀드아웃은 {d}입니다."
    ),
    "{a} of the synthetic values hold what looks like {B} data; {c} of the real ones do.": (
        "합성 값의 {a}에 개인정보({B})로 보이는 것이 있습니다. 실제 값은 {c}입니다."
    ),
    "No differential privacy is known of these rows, so no proof bounds what they tell of any one "
    "person: the tests above are all there is.": (
        "이 행에 차등 정보보호를 썼다는 기록이 없어, 한 사람에 대해 무엇이 새는지 묶어 주는 증명은 "
        "없습니다. 위의 검사가 전부입니다."
    ),
    "Differential privacy bounds what these rows tell of any one {a}: epsilon {b}, delta {c} (up "
    "to 1 is strong, up to {d} reasonable, more is weak).": (
        "차등 정보보호가 {a} 하나에 대해 알려 줄 수 있는 것을 묶습니다: 엡실론 {b}, 델타 "
        "{c}(1까지는 강함, {d}까지는 무난, 그 위는 약함)."
    ),
    "In {a} of pairs of a synthetic row and a real row never seen, the synthetic one lies closer "
    "to one training row, against the next (50% is ideal; more would point at single people).": (
        "합성 행과 홀드아웃 행을 하나씩 견주면 {a}의 경우에 합성 행이 학습 행 하나에만 유난히 "
        "가깝습니다(50%가 이상, 크면 한 사람을 가리킴)."
    ),
    "{a} of the synthetic rows are near copies, at most {b} times as far from one training row as "
    "from the next; {c} of real rows never seen are.": (
        "합성 행의 {a}가 거의 사본입니다(다음 학습 행까지의 거리의 {b}배 안에 학습 행이 있음). "
        "홀드아웃은 {c}입니다."
    ),
    "Near copies cannot be looked for: {A}.": "거의 같은 사본을 찾을 수 없습니다: {A}.",
    "This attack cannot be tried: {A}.": "이 공격은 해 볼 수 없습니다: {A}.",
    "Of guesses by one column that one row alone fits, so many were right: {b} in the training "
    "rows, {c} in real rows never seen, {d} by guessing blindly.": (
        "한 열로 한 행만 가리키는 추측이 맞은 비율: 학습 행 {b}, 홀드아웃 {c}, 무작위로 추측하면 "
        "{d}."
    ),
    "Of guesses by {a} columns that one row alone fits, so many were right: {b} in the training "
    "rows, {c} in real rows never seen, {d} by guessing blindly.": (
        "{a}개 열로 한 행만 가리키는 추측이 맞은 비율: 학습 행 {b}, 홀드아웃 {c}, 무작위로 "
        "추측하면 {d}."
    ),
    "If half of someone's columns are known from one place and half from another, the synthetic "
    "rows link the two for {a} of the training rows, {b} of real rows never seen, {c} by "
    "guessing.": (
        "한 사람의 열을 반씩 따로 알 때 합성 행으로 둘을 이어 붙일 수 있는 비율: 학습 행 {a}, "
        "홀드아웃 {b}, 무작위로 추측하면 {c}."
    ),
    "Someone's value in {A} is guessed from all their others by the nearest synthetic row: right "
    "for {b} of the training rows, {c} of real rows never seen, {d} by guessing.": (
        "나머지 값을 모두 알 때 가장 가까운 합성 행으로 {A}의 값을 맞히는 비율: 학습 행 {b}, "
        "홀드아웃 {c}, 무작위로 추측하면 {d}."
    ),
    "Risk {a}.": "위험은 {a}입니다.",
    "The attack does no better than guessing.": "무작위 추측보다 나을 것이 없습니다.",
    "Membership inference cannot be tried: {A}.": "멤버십 추론 공격을 해 볼 수 없습니다: {A}.",
    "Telling training rows from real rows never seen by the distance to the nearest synthetic row "
    "is right for {a} of pairs (50% is guessing).": (
        "가장 가까운 합성 행까지의 거리로 학습 행과 홀드아웃 행을 가려내면 {a}의 쌍에서 맞습니다"
        "(무작위로 추측하면 50%)."
    ),
    "Telling training rows from real rows never seen by how much denser synthetic rows lie around "
    "a row than real ones is right for {a} of pairs (50% is guessing).": (
        "둘레에 합성 행이 실제 행보다 얼마나 조밀한지로 학습 행과 홀드아웃 행을 가려내면 {a}의 "
        "쌍에서 맞습니다(무작위로 추측하면 50%)."
    ),
    "Of the training rows, {a} are found by the distance to the nearest synthetic row, if {b} of "
    "real rows never seen may be suspected wrongly (as many as that is guessing).": (
        "홀드아웃 행의 {b}를 잘못 의심해도 된다면, 가장 가까운 합성 행까지의 거리로 학습 행의 "
        "{a}를 알아냅니다(무작위로 추측해도 {b}는 알아냄)."
    ),
    "Of the training rows, {a} are found by how much denser synthetic rows lie around a row than "
    "real ones, if {b} of real rows never seen may be suspected wrongly (as many as that is "
    "guessing).": (
        "홀드아웃 행의 {b}를 잘못 의심해도 된다면, 둘레에 합성 행이 얼마나 조밀한지로 학습 행의 "
        "{a}를 알아냅니다(무작위로 추측해도 {b}는 알아냄)."
    ),
    "Unusual rows cannot be looked for: {A}.": "특이한 행을 찾을 수 없습니다: {A}.",
    "Only {a} training rows and {b} rows never seen are unique on up to {c} columns: too few to "
    "tell whether unusual rows come back.": (
        "{c}개 열까지로 하나뿐인 행이 학습 행 {a}개, 홀드아웃 {b}개뿐이라, 특이한 행이 다시 "
        "나타나는지 알 수 없습니다."
    ),
    "{a} training rows are the only ones with some combination of up to {b} of {c} columns. {d} of "
    "these combinations come back in the synthetic rows, {e} of those of real rows never seen.": (
        "학습 행 {a}개는 {c}개 열 가운데 {b}개까지의 어떤 조합을 저 혼자 가졌습니다. 그 조합의 "
        "{d}가 합성 행에 다시 나타납니다. 홀드아웃의 조합은 {e}입니다."
    ),
    "In {a} of pairs, the synthetic rows come nearer to the canary that was planted than to the "
    "one that was not (50% is ideal). A generator that remembered none of them would do as well by "
    "luck {B}.": (
        "{a}의 쌍에서 합성 행이 심지 않은 카나리아보다 심은 카나리아에 더 가깝습니다(50%가 이상). "
        "아무것도 외우지 않은 생성기가 우연히 이렇게 될 확률: {B}."
    ),
    # Rare
    "{a} of {b} rare categories (below 1%) occur in the synthetic rows. In any {c} of them {d} "
    "would; in as many real rows never seen, {e}.": (
        "드문 범주(1% 미만) {b}개 가운데 {a}개가 합성 행에 나옵니다. 합성 행을 {c}개만 보면 {d}, "
        "같은 수의 홀드아웃에서는 {e}입니다."
    ),
    "No category is rare (below 1%, in 10 rows or more).": (
        "드문 범주(1% 미만, 10행 이상)가 없습니다."
    ),
    "{a} of the synthetic rows lie below {b}, {c} of the real ones ({d} in the holdout).": (
        "합성 행의 {a}, 실제 행의 {c}가 {b}보다 작습니다(홀드아웃 {d})."
    ),
    "{a} of the synthetic rows lie above {b}, {c} of the real ones ({d} in the holdout).": (
        "합성 행의 {a}, 실제 행의 {c}가 {b}보다 큽니다(홀드아웃 {d})."
    ),
    "{a} of the synthetic rows are {b}, {c} of the real ones ({d} in the holdout).": (
        "합성 행의 {a}, 실제 행의 {c}가 {b}입니다(홀드아웃 {d})."
    ),
    "{a} of the synthetic values are categories that the real rows do not have; {b} of the "
    "holdout's.": "합성 값의 {a}가 실제 행에 없는 범주입니다. 홀드아웃은 {b}입니다.",
    "{a} of the synthetic values lie outside the real rows' range; {b} of the holdout's.": (
        "합성 값의 {a}가 실제 행의 범위를 벗어납니다. 홀드아웃은 {b}입니다."
    ),
    "Not judged: name a target of categories, the column that someone would predict.": (
        "판정하지 않음: 예측할 범주 열을 정해 주십시오."
    ),
    "{a} has no second class.": "{a}에 둘째 부류가 없습니다.",
    "{a} of the real rows have a category that no synthetic row has ({b}), where luck would not "
    "leave it out.": (
        "실제 행의 {a}가 가진 범주({b})가 합성 행에 하나도 없습니다. 우연히 빠질 만한 수가 "
        "아닙니다."
    ),
    "{a} of the real rows have a category that no synthetic row has, where luck would not leave it "
    "out.": "실제 행의 {a}가 합성 행에 없는 범주입니다(우연히 빠졌을 만한 것은 세지 않음).",
    "There are fewer than two columns.": "열이 둘보다 적습니다.",
    "Each of the {a} combinations of two values comes as it should.": (
        "두 값의 조합 {a}개가 모두 나올 만큼 나옵니다."
    ),
    "No combination of two known values is new.": "아는 두 값의 새로운 조합은 없습니다.",
    "{A}: {b} of the synthetic rows, {c} of the real ones. {d} such combinations are lost.": (
        "{A}: 합성 행의 {b}, 실제 행의 {c}. 이런 조합 {d}개가 사라졌습니다."
    ),
    "{A}: {b} of the synthetic rows, and no real one. {c} such combinations are new.": (
        "{A}: 합성 행의 {b}, 실제 행에는 없음. 이런 조합 {c}개가 새로 생겼습니다."
    ),
    "{A}: {b} of the synthetic rows, {c} of the real ones.": "{A}: 합성 행의 {b}, 실제 행의 {c}.",
    "Of the values above {a}, {b} would have to move for the tail to have its real shape ({c} of "
    "real ones never seen): index {d}, really {e} (above 0 heavy), the last at {f}, really {g}.": (
        "꼬리가 실제 모양이 되려면 {a} 위의 값 가운데 {b}가 옮겨 가야 합니다(홀드아웃 {c}). 꼬리 "
        "지수는 {d}, 실제는 {e}이고(0보다 크면 두꺼움), 끝 값은 {f}, 실제는 {g}입니다."
    ),
    "Of the values below {a}, {b} would have to move for the tail to have its real shape ({c} of "
    "real ones never seen): index {d}, really {e} (above 0 heavy), the last at {f}, really {g}.": (
        "꼬리가 실제 모양이 되려면 {a} 아래의 값 가운데 {b}가 옮겨 가야 합니다(홀드아웃 {c}). 꼬리 "
        "지수는 {d}, 실제는 {e}이고(0보다 크면 두꺼움), 끝 값은 {f}, 실제는 {g}입니다."
    ),
    "No column has {a} different values beyond its 2nd or 98th percentile.": (
        "2백분위 아래나 98백분위 위에 서로 다른 값이 {a}개 있는 열이 없습니다."
    ),
    "Fewer than {a} rows of each table, or no column, to look for regions in.": (
        "표마다 행이 {a}개보다 적거나 열이 없어 영역을 볼 수 없습니다."
    ),
    "{a} of the synthetic rows lie where real ones do; {b} of real rows never seen.": (
        "합성 행의 {a}가 실제 행이 있는 곳에 놓입니다. 홀드아웃은 {b}입니다."
    ),
    "{a} of the real rows lie where synthetic ones do; {b} lie where as many real ones do.": (
        "실제 행의 {a}가 합성 행이 닿는 곳에 있습니다. 같은 수의 실제 행은 {b}에 닿습니다."
    ),
    "{a} of the synthetic rows are farther from the nearest training row than that row's nearest "
    "other; {b} of real rows never seen.": (
        "합성 행의 {a}가, 가장 가까운 학습 행과 그 이웃 사이보다 더 멀리 있습니다. 홀드아웃은 "
        "{b}입니다."
    ),
    "Synthetic rows keep to the inner parts of the real ones to {a}; as many real rows never seen "
    "to {b}.": ("합성 행이 실제 분포의 안쪽에 {a}만큼 놓입니다. 같은 수의 홀드아웃은 {b}입니다."),
    "Synthetic rows cover the inner parts of the real ones to {a}; as many real rows never seen to "
    "{b}.": "합성 행이 실제 분포의 안쪽을 {a}만큼 덮습니다. 같은 수의 홀드아웃은 {b}입니다.",
    "The real rows form no small clusters.": "실제 행에 작은 군집이 없습니다.",
    "Of {a} small clusters of real rows, the synthetic rows fill {b} on average; as many real rows "
    "never seen fill {c}.": (
        "실제 행의 작은 군집 {a}개를 합성 행이 평균 {b} 채웁니다. 같은 수의 홀드아웃은 {c} "
        "채웁니다."
    ),
    # Fair
    "{A} makes up {b} of the synthetic rows and {c} of the real ones ({d} in the holdout); of {e} "
    "groups this one shrank most.": (
        "{A}은(는) 합성 행의 {b}, 실제 행의 {c}입니다(홀드아웃 {d}). 집단 {e}개 가운데 가장 많이 "
        "줄었습니다."
    ),
    "{a} holds for {b} and {c} of the synthetic rows of {D} and of all others; for {e} and {f} of "
    "the real ones. The gap is {g} points, and {h} points among real rows ({i} points in the "
    "holdout).": (
        "{a}인 비율은 합성 행에서 {D} {b}, 나머지 {c}이고 실제 행에서 {e}, {f}입니다. 차이는 "
        "{g}%p, 실제 행에서는 {h}%p입니다(홀드아웃 {i}%p)."
    ),
    "Not judged: name a target, the outcome.": (
        "판정하지 않음: 결과가 되는 목표 열을 정해 주십시오."
    ),
    "Not judged: fewer than two groups have {a} rows in each table.": (
        "판정하지 않음: 표마다 행이 {a}개 있는 집단이 둘보다 적습니다."
    ),
    "Not judged: too few rows to train {a} models on each side.": (
        "판정하지 않음: 양쪽에서 모델 {a}개씩을 학습하기에는 행이 너무 적습니다."
    ),
    "Models trained on synthetic rows say {a} of {b} of the real rows of {C} for whom it is true, "
    "and of {d} of all others; trained on real rows, of {e} and {f}.": (
        "합성 행으로 학습한 모델은 실제로 그런 행 가운데 {C}의 {b}, 나머지의 {d}를 {a}(이)라고 "
        "합니다. 실제 행으로 학습하면 {e}, {f}입니다."
    ),
    "Models trained on synthetic rows say {a} of {b} of the real rows of {C} for whom it is false, "
    "and of {d} of all others; trained on real rows, of {e} and {f}.": (
        "합성 행으로 학습한 모델은 실제로 그렇지 않은 행 가운데 {C}의 {b}, 나머지의 {d}를 "
        "{a}(이)라고 합니다. 실제 행으로 학습하면 {e}, {f}입니다."
    ),
    # Notes, and what may befall any check
    "This check broke down, so nothing is known: {A} Please report it.": (
        "검사가 도중에 멈추어 아무것도 알 수 없습니다: {A} 알려 주십시오."
    ),
    "{a} of what the order of a series' events tells of this column is lost (it tells as much as a "
    "correlation of {b}).": (
        "시계열 안의 사건 순서가 이 열에 대해 알려 주는 것 가운데 {a}를 잃었습니다(상관 {b}만큼 "
        "알려 줍니다)."
    ),
    "Rows of {a} that name the same row of {b} have lost {c} of what makes them alike in {d}, the "
    "most of {e} columns.": (
        "{b}의 같은 행을 가리키는 {a}의 행끼리 {d}에서 닮은 정도의 {c}를 잃었습니다. 열 {e}개 "
        "가운데 가장 많이 잃은 열입니다."
    ),
    "Of {a} real rows, {b} were drawn by lot.": "실제 행 {a}개에서 {b}개를 무작위로 뽑았습니다.",
    "Of {a} holdout rows, {b} were drawn by lot.": (
        "홀드아웃 행 {a}개에서 {b}개를 무작위로 뽑았습니다."
    ),
    "Of {a} synthetic rows, {b} were drawn by lot.": (
        "합성 행 {a}개에서 {b}개를 무작위로 뽑았습니다."
    ),
    "The synthetic rows carry edge cases: {a} of {b} were kept in proportion to their weight, so "
    "that they stand for the population. Privacy is judged on all of them.": (
        "합성 행에 경계 사례가 섞여 있어, 모집단을 대신하도록 {b}개 가운데 {a}개를 가중치에 비례해 "
        "남겼습니다. 정보보호는 모든 행으로 판정합니다."
    ),
    "Keys, personal data and free text are made anew, not learned: only their missing values and "
    "what survives of the real ones are looked at ({a}).": (
        "키, 개인정보, 자유로운 글은 학습하지 않고 새로 만듭니다. 결측값과, 실제 값이 남아 "
        "있는지만 봅니다({a})."
    ),
    "Fairness was not looked at: no sensitive column was named (--sensitive). These look like "
    "some: {a}.": (
        "민감한 열을 정하지 않아 공정성은 보지 않았습니다(--sensitive). 그럴 만한 열: {a}."
    ),
}

FRAGMENTS: Mapping[str, str] = {
    "with {a} places or more after the point": "소수점 아래 {a}자리가 넘는 수",
    "that end in .{a}": ".{a}(으)로 끝나는 수",
    "that end in {a} zeros": "0이 {a}개로 끝나는 수",
    "that end in 1 zero": "0 하나로 끝나는 수",
    "that end in {a}": "{a}(으)로 끝나는 수",
    "that are 0": "0",
    "trees": "트리",
    "a line": "선형 모델",
    "{a} nearest neighbours": "최근접 이웃 {a}개",
    "above it, rows lie nearer to the training rows than chance puts them": (
        "그보다 크면 우연보다 학습 행에 가까움"
    ),
    "below it, rows keep away from the training rows": "그보다 작으면 학습 행을 피함",
    "rows that the generator never saw are needed: give a holdout": (
        "생성기가 보지 않은 행이 있어야 하므로 홀드아웃을 주십시오"
    ),
    "there are too few rows or columns": "행이나 열이 너무 적음",
    "its control needs rows that the generator never saw: give a holdout": (
        "견줄 대상으로 생성기가 보지 않은 행이 있어야 하므로 홀드아웃을 주십시오"
    ),
    "it needs {a} columns that are learned": "학습하는 열이 {a}개 있어야 함",
    "it needs {a} rows of each table": "표마다 행이 {a}개 있어야 함",
    "the synthetic rows give only {a} guesses to try": "합성 행에서 나온 추측이 {a}개뿐임",
    "{a} rows of each table and a learned column are needed": (
        "표마다 행 {a}개와 학습하는 열이 있어야 함"
    ),
    "no column has 2 to {a} values": "값이 2~{a}가지인 열이 없음",
    "up to {a}": "{a} 이하",
    "above {a} up to {b}": "{a} 초과 {b} 이하",
    "above {a}": "{a} 초과",
    "{a} above {b} up to {c}": "{a} {b} 초과 {c} 이하",
    "{a} above {b}": "{a} {b} 초과",
    "{a} up to {b}": "{a} {b} 이하",
    "{a} missing": "{a} 결측",
    "{a} other values": "{a} 그 밖의 값",
    "other values": "그 밖의 값",
    "all values": "모든 값",
    "words and pairs of words": "단어와 단어 쌍",
    "runs of three characters": "문자 3-그램",
    "a linear model": "선형",
    "linear": "선형",
    "nearest neighbours": "최근접 이웃",
    "neighbours": "최근접 이웃",
    "a column": "어떤 열",
    "{a} = from {b} to below {c}": "{a} = {b} 이상 {c} 미만",
    "{a} = below {b}": "{a} = {b} 미만",
    "{a} = from {b}": "{a} = {b} 이상",
    "{a} = missing": "{a} = 결측",
    "missing": "결측",
    "real": "실제",
    "training": "학습",
    "synthetic": "합성",
    "holdout": "홀드아웃",
    **korean_sets.TITLES,
    **korean_sets.EVENTS,
    "Monday": "월요일",
    "Tuesday": "화요일",
    "Wednesday": "수요일",
    "Thursday": "목요일",
    "Friday": "금요일",
    "Saturday": "토요일",
    "Sunday": "일요일",
    "in {a} of cases": "{a}",
    "once in {a}": "{a}번에 한 번",
    "less than once in a million times": "백만 번에 한 번도 안 됨",
    **korean_prose.PERSONAL,
    "Jan": "1월",
    "Feb": "2월",
    "Mar": "3월",
    "Apr": "4월",
    "May": "5월",
    "Jun": "6월",
    "Jul": "7월",
    "Aug": "8월",
    "Sep": "9월",
    "Oct": "10월",
    "Nov": "11월",
    "Dec": "12월",
}
"""What fields in capitals hold: parts of sentences, and never a value of somebody's data alone."""

SENTENCES: Mapping[str, str] = {**_TABLES, **korean_prose.SENTENCES, **korean_sets.SENTENCES}


@functools.cache
def _patterns(whole: bool) -> list[tuple[re.Pattern[str], str]]:
    """The sentences, or fragments, as patterns: those with the most words of their own first."""
    known = SENTENCES if whole else FRAGMENTS
    ordered = sorted(known, key=lambda s: -len(re.sub(r"{\w}", "", s)))
    return [
        (re.compile(re.sub(r"\\{(\w)\\}", _field, re.escape(s)), re.S), known[s]) for s in ordered
    ]


def _field(found: re.Match[str]) -> str:
    """What a field may hold: no end of a sentence, unless it is in capitals."""
    name = found[1]
    return f"(?P<{name}>.+?)" if name.isupper() else rf"(?P<{name}>(?:(?!\. ).)+?)"


def sentence(text: str) -> str | None:
    """A sentence, or several in a row, in Korean; None where one of them has no pattern."""
    found = _matched(text, whole=True)
    if found is not None:
        return found
    for end in [m.end() for m in re.finditer(r"\. ", text)][::-1]:
        first, rest = sentence(text[: end - 1]), sentence(text[end:])
        if first is not None and rest is not None:
            return f"{first} {rest}"
    return None


def _matched(text: str, *, whole: bool) -> str | None:
    for pattern, korean in _patterns(whole):
        found = pattern.fullmatch(text)
        if found:
            parts = found.groupdict().items()
            return korean.format(**{k: _fragment(v) if k.isupper() else v for k, v in parts})
    return None


def _fragment(text: str) -> str:
    """A part of a sentence; two things with each other are two parts."""
    if text in FRAGMENTS:
        return FRAGMENTS[text]
    first, both, other = text.partition(" with ")
    if both:
        return f"{_fragment(first)}, {_fragment(other)}"
    return _matched(text, whole=False) or text
