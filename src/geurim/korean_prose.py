"""The Korean of the page on texts: its sentences, and what its findings say."""

from __future__ import annotations

from collections.abc import Mapping

PERSONAL: Mapping[str, str] = {
    "personal": "종류 무관",
    "name": "이름",
    "first name": "이름",
    "last name": "성",
    "email": "전자우편",
    "phone": "전화번호",
    "address": "주소",
    "city": "도시",
    "postcode": "우편번호",
    "company": "회사",
    "card number": "카드 번호",
    "account": "계좌 번호",
    "iban": "국제 계좌 번호",
    "ip": "IP 주소",
    "national id": "주민등록번호",
    "licence": "면허 번호",
    "passport": "여권 번호",
    "url": "웹 주소",
}
"""The kinds of personal data."""

PAGE: Mapping[str, str] = {
    **PERSONAL,
    "Geurim: synthetic texts verified": "그림: 합성 글 검증",
    "Covered?": "골고루 있는가?",
    "Varied?": "다양한가?",
    "Do the synthetic texts read like the real ones?": "합성 글이 실제 글처럼 읽힙니까?",
    "Are the labels right, what did the rewards do, how do the rows read?": (
        "레이블이 맞습니까, 보상 점수는 무엇을 바꾸었습니까, 글은 어떻게 읽힙니까?"
    ),
    "Do they repeat real texts, personal data or benchmark questions?": (
        "실제 글, 개인정보, 벤치마크 문제를 되풀이합니까?"
    ),
    "Are groups treated as in the real texts, or better?": (
        "집단을 실제 글에서만큼, 또는 그보다 낫게 다룹니까?"
    ),
    "Are all kinds of real text there, in the shares asked for?": (
        "실제 글의 모든 종류가 바란 비율대로 있습니까?"
    ),
    "Do the texts differ from each other as real ones do?": ("글이 실제 글만큼 서로 다릅니까?"),
    "{synthetic} synthetic texts were looked at. There was no real text to compare them with, so "
    "most of what is measured has no verdict.": (
        "합성 글 {synthetic}편을 살펴보았습니다. 견줄 실제 글이 없어 대부분 판정하지 않았습니다."
    ),
    "{synthetic} synthetic texts were compared with {training} real ones, and {holdout} other real "
    "ones show what real text gets.": (
        "합성 글 {synthetic}편을 실제 글 {training}편과 비교했고, 다른 실제 글 {holdout}편으로 "
        "실제 글이 얻는 값을 쟀습니다."
    ),
    "Characters; each step to the right is a factor.": (
        "글자 수. 오른쪽으로 갈수록 몇 배씩 커집니다."
    ),
    "Length": "길이",
    "words": "단어",
    "characters": "글자",
    "Words and characters used": "쓴 단어와 글자",
    "Dot: synthetic text, with its range. Grey diamond: real text.": (
        "점: 합성 글의 값과 범위. 회색 마름모: 실제 글."
    ),
    "How synthetic each text looks to the classifier, 0 to 1. The two shapes should lie on each "
    "other.": "분류기가 보기에 각 글이 얼마나 합성 같은지(0에서 1). 두 모양이 겹쳐야 합니다.",
    "real texts wrongly called synthetic": "합성이라고 잘못 본 실제 글",
    "synthetic texts found out": "가려낸 합성 글",
    "What gives them away, the surest first: share of texts that hold it.": (
        "합성임을 드러낸 것, 확실한 것부터: 그것이 든 글의 비율."
    ),
    "Too often in synthetic text": "합성 글에 너무 잦음",
    "Too seldom": "너무 드묾",
    "Share of texts, the most different first.": "글의 비율, 가장 다른 것부터.",
    "{count} more are in the table below.": "나머지 {count}개는 아래 표에 있습니다.",
    "How people write: register and noise": "사람들이 쓰는 방식: 말투와 잡음",
    "Hangul": "한글",
    "Latin letters": "로마자",
    "digits": "숫자",
    "question marks": "물음표",
    "exclamation marks": "느낌표",
    "marks repeated (!!, ??, ~~)": "거듭 쓴 부호(!!, ??, ~~)",
    "dots in a row": "이어진 점(..)",
    "emoji": "이모지",
    "laughing or crying (ㅋㅋ, ㅠㅠ)": "웃음·울음(ㅋㅋ, ㅠㅠ)",
    "other loose jamo (ㄱㅅ)": "그 밖의 낱자모(ㄱㅅ)",
    "polite ending (요)": "해요체 어미(요)",
    "formal ending (니다)": "합쇼체 어미(니다)",
    "plain ending (다)": "해라체 어미(다)",
    "12 Hangul without a blank": "빈칸 없는 한글 12자",
    "starts with a capital": "대문자로 시작",
    "ends with a full stop": "마침표로 끝남",
    "no mark at the end": "끝에 부호 없음",
    "line breaks": "줄바꿈",
    "lists or headings": "목록이나 제목",
    "bold marks (**)": "굵은 글씨 표시(**)",
    "quotation marks": "따옴표",
    "web addresses": "웹 주소",
    "speaks as a model": "모델처럼 말함",
    "a letter three times in a row": "같은 글자 세 번 잇기",
    "AUC; 1 is perfect, 0.5 guessing.": "AUC. 1이 완벽하고 0.5는 무작위 추측입니다.",
    "Labels: trained on synthetic, tested on real": "레이블: 합성으로 학습, 실제로 시험",
    "Labels most at odds with their text": "글과 가장 어긋나는 레이블",
    "{label}, or rather {guess}?": "{label}, 아니면 {guess}?",
    "before curation": "고르기 전",
    "after curation": "고른 뒤",
    "Rewards before and after curation": "고르기 전과 뒤의 보상 점수",
    "Examples to read: the best by score": "읽어 볼 예: 점수가 가장 높은 것",
    "Examples to read: the worst that were kept": "읽어 볼 예: 남긴 것 중 가장 낮은 것",
    "Examples to read: rejected": "읽어 볼 예: 버린 것",
    "Examples to read: real text, for comparison": "읽어 볼 예: 견주어 볼 실제 글",
    "Examples to read: drawn by lot": "읽어 볼 예: 무작위로 뽑은 것",
    "rejects": "버린 행",
    "Share of {total} rejected rows, by the stage.": "버린 행 {total}개의 단계별 비율.",
    "Why rows were rejected": "버린 까닭",
    "empty": "비어 있음",
    "benchmark": "벤치마크",
    "Copies of real texts": "실제 글의 사본",
    "Near copies of real texts": "실제 글과 거의 같은 글",
    "Benchmark texts": "벤치마크 글",
    "Passages copied from real text": "실제 글에서 베낀 구절",
    "{characters} characters, {share} of the text": "{characters}자, 글의 {share}",
    "Digits and mailboxes are blotted out.": "숫자와 메일 이름은 가렸습니다.",
    "Personal data": "개인정보",
    "synthetic texts": "합성 글",
    "real texts": "실제 글",
    "share": "비율",
    "group {number}": "군집 {number}",
    "Groups of alike real texts, the largest first, by the words that set them apart: the share of "
    "texts nearest to each.": (
        "비슷한 실제 글의 군집, 큰 것부터. 이름은 그 군집을 가르는 단어이고, 값은 그 군집에 "
        "가장 가까운 글의 비율입니다."
    ),
    "Kinds of real text that are reached": "합성 글이 닿은 실제 글의 종류",
    "asked": "바란 것",
    "got": "나온 것",
    "Quota of {column}": "{column}의 할당",
    "distinct words": "서로 다른 단어",
    "distinct pairs of words": "서로 다른 단어 쌍",
    "distinct runs of three words": "서로 다른 연속한 세 단어",
    "Vendi score": "Vendi 점수",
    "self-BLEU": "self-BLEU",
    "compression": "압축",
    "Each is made on groups of as many texts of both kinds. A high self-BLEU or compression means "
    "that texts repeat each other.": (
        "실제와 합성에서 같은 수의 글을 묶어 쟀습니다. self-BLEU나 압축이 크면 글이 서로 "
        "되풀이한다는 뜻입니다."
    ),
    "Variety": "다양성",
    "{count} times, with variants": "변형까지 {count}번",
    "word for word": "글자 그대로",
    "nearly": "거의",
    "Texts that come again": "다시 나온 글",
    "The commonest openings": "가장 흔한 첫머리",
}

SENTENCES: Mapping[str, str] = {
    "Not judged: there is no real text to compare with.": (
        "판정하지 않음: 견줄 실제 글이 없습니다."
    ),
    "There is no real text to compare with.": "견줄 실제 글이 없습니다.",
    "Not judged: fewer than {a} texts of each kind to train a classifier with.": (
        "판정하지 않음: 분류기를 학습하기에는 글이 종류마다 {a}편보다 적습니다."
    ),
    "Shown one real and one synthetic text, a classifier picks the right one {a} of the time; 50% "
    "is guessing.": (
        "실제 글과 합성 글을 한 편씩 보여 주면 분류기가 {a}의 경우에 합성 글을 맞힙니다. 무작위로 "
        "추측하면 50%입니다."
    ),
    "Half of the texts have up to {a} characters; 95 of 100 have {b} to {c}.": (
        "글의 절반은 {a}자 이하이고, 100편 가운데 95편은 {b}~{c}자입니다."
    ),
    "Half of the synthetic texts have up to {a} characters, half of the real ones up to {b}; the "
    "largest gap between the two distributions is {c} of the texts.": (
        "합성 글의 절반은 {a}자, 실제 글의 절반은 {b}자 이하입니다. 두 분포의 가장 큰 간격은 글의 "
        "{c}입니다."
    ),
    "Not judged: fewer than 1,000 {A} in a set.": "판정하지 않음: {A}이(가) 1,000개보다 적습니다.",
    "The words and pairs of words of synthetic texts differ from those of real ones by {b} bits (0 "
    "the same, 1 nothing in common); among real texts it is {c}, with as many of them.": (
        "합성 글의 단어와 단어 쌍은 실제 글과 {b}비트 다릅니다(0은 같음, 1은 겹치는 것이 없음). "
        "같은 양의 실제 글끼리는 {c}비트입니다."
    ),
    "The runs of three characters of synthetic texts differ from those of real ones by {b} bits (0 "
    "the same, 1 nothing in common); among real texts it is {c}, with as many of them.": (
        "합성 글의 문자 3-그램은 실제 글과 {b}비트 다릅니다(0은 같음, 1은 겹치는 것이 "
        "없음). 같은 양의 실제 글끼리는 {c}비트입니다."
    ),
    "{a} of the synthetic texts have this, and {b} of the real ones ({c} of the other half).": (
        "합성 글의 {a}, 실제 글의 {b}가 그렇습니다(실제 글의 다른 반은 {c})."
    ),
    "{a} of the texts have this.": "글의 {a}가 그렇습니다.",
    "Not judged: name the column of labels that someone would predict.": (
        "판정하지 않음: 예측할 레이블 열을 정해 주십시오."
    ),
    "Not judged: the synthetic rows have no column {a}.": (
        "판정하지 않음: 합성 행에 {a} 열이 없습니다."
    ),
    "Not judged: fewer than {a} texts with a label, or one label only.": (
        "판정하지 않음: 레이블이 있는 글이 {a}편보다 적거나, 레이블이 하나뿐입니다."
    ),
    "Not judged: fewer than {a} synthetic texts with a label, or one label only.": (
        "판정하지 않음: 레이블이 있는 합성 글이 {a}편보다 적거나, 레이블이 하나뿐입니다."
    ),
    "Predicting {a} of real texts held out: AUC {b} when trained on {c} synthetic texts and their "
    "labels, {d} when trained on as many real ones.": (
        "따로 둔 실제 글의 {a} 맞히기: AUC는 레이블이 있는 합성 글 {c}편으로 학습하면 {b}, 같은 "
        "수의 실제 글로 학습하면 {d}입니다."
    ),
    "A classifier that did not see a text finds its label {a} of the time; always saying the "
    "commonest label would be right {b} of the time.": (
        "그 글을 보지 않은 분류기가 레이블을 {a} 맞힙니다. 가장 흔한 레이블만 말하면 {b} 맞습니다."
    ),
    "Not judged: no column of scores was found; name one with `score`.": (
        "판정하지 않음: 점수 열을 찾지 못했습니다. `score`로 정해 주십시오."
    ),
    "Not judged: the column {a} of the kept rows holds no number.": (
        "판정하지 않음: 남긴 행의 {a} 열에 수가 없습니다."
    ),
    "The mean {a} of the kept rows is {b}; before curation it was {c}.": (
        "남긴 행의 {a} 평균은 {b}입니다. 고르기 전에는 {c}였습니다."
    ),
    "The mean {a} of the kept rows is {b}.": "남긴 행의 {a} 평균은 {b}입니다.",
    "{a} rows to read: {b}.": "읽어 볼 행이 {a}개 있습니다.",
    "{a} of {b} synthetic texts equal a real one; {c} would by chance, as real texts do so with "
    "each other.": (
        "합성 글 {b}편 가운데 {a}가 실제 글과 같습니다. 실제 글끼리의 우연으로는 {c}입니다."
    ),
    "{a} of {b} synthetic texts are nearly the same as a real one; {c} would by chance, as real "
    "texts do so with each other.": (
        "합성 글 {b}편 가운데 {a}가 실제 글과 거의 같습니다. 실제 글끼리의 우연으로는 {c}입니다."
    ),
    "{a} of {b} synthetic texts of {c} characters or more hold {d} in a row from a real one; {e} "
    "would by chance, as real texts do so with each other.": (
        "{c}자 이상인 합성 글 {b}편 가운데 {a}에 실제 글의 연속한 {d}자가 들어 있습니다. 실제 "
        "글끼리의 우연으로는 {e}입니다."
    ),
    "Not judged: no synthetic text has {a} characters.": (
        "판정하지 않음: {a}자가 되는 합성 글이 없습니다."
    ),
    "Not judged: no benchmark texts were given to compare with.": (
        "판정하지 않음: 견줄 벤치마크 글을 주지 않았습니다."
    ),
    "{a} of {b} synthetic texts hold a run of {c} words (or {d} Korean characters) of one of {e} "
    "benchmark texts.": (
        "합성 글 {b}편 가운데 {a}편에 벤치마크 글 {e}편 중 하나와 연속으로 같은 단어 {c}개(한글은 "
        "{d}자)가 있습니다."
    ),
    "{a} of {b} synthetic texts hold what looks like {C} data; {d} of the real ones do.": (
        "합성 글 {b}편 가운데 {a}편에 개인정보({C})로 보이는 것이 있습니다. 실제 글은 {d}입니다."
    ),
    "{a} of {b} synthetic texts hold what looks like {C} data.": (
        "합성 글 {b}편 가운데 {a}편에 개인정보({C})로 보이는 것이 있습니다."
    ),
    "{a} of {b} mail addresses and long numbers in the synthetic texts are among the {c} of the "
    "real ones; what both halves of these have is public.": (
        "합성 글의 메일 주소와 긴 번호 {b}개 가운데 {a}개가 실제 글의 {c}개에 들어 있습니다. 실제 "
        "글의 양쪽 반에 다 있는 것은 공개된 값입니다."
    ),
    "The synthetic texts hold no mail address and no long number.": (
        "합성 글에는 메일 주소도 긴 번호도 없습니다."
    ),
    "Not judged: fewer than {a} real texts to make clusters of.": (
        "판정하지 않음: 실제 글이 {a}편보다 적어 군집을 지을 수 없습니다."
    ),
    "{a} synthetic texts reach {b} of {c} groups of alike real texts; {d} real texts reach {e}.": (
        "합성 글 {a}편이 비슷한 실제 글의 군집 {c}개 가운데 {b}개에 닿습니다. 실제 글 "
        "{d}편은 {e}개에 닿습니다."
    ),
    "{a} of the rows would have to change their {b} to meet the quota; furthest off is {c} with "
    "{d} instead of {e}.": (
        "할당을 맞추려면 행의 {a}에서 {b}이(가) 바뀌어야 합니다. 가장 먼 것은 {c}, {e} 대신 "
        "{d}입니다."
    ),
    "Not judged: fewer than {a} texts.": "판정하지 않음: 글이 {a}편보다 적습니다.",
    "Not judged: the texts have hardly any words.": "판정하지 않음: 글에 단어가 거의 없습니다.",
    "Not judged: hardly any text.": "판정하지 않음: 글이 거의 없습니다.",
    "Of the words in groups of {a} words, {b} are different; {c} in real text.": (
        "단어 {a}개 묶음에서 서로 다른 단어가 {b}입니다. 실제 글은 {c}입니다."
    ),
    "Of the pairs of words in groups of {a} words, {b} are different; {c} in real text.": (
        "단어 {a}개 묶음에서 서로 다른 단어 쌍이 {b}입니다. 실제 글은 {c}입니다."
    ),
    "Of the runs of three words in groups of {a} words, {b} are different; {c} in real text.": (
        "단어 {a}개 묶음에서 서로 다른 연속한 세 단어가 {b}입니다. 실제 글은 {c}입니다."
    ),
    "Of the words in groups of {a} words, {b} are different.": (
        "단어 {a}개 묶음에서 서로 다른 단어가 {b}입니다."
    ),
    "Of the pairs of words in groups of {a} words, {b} are different.": (
        "단어 {a}개 묶음에서 서로 다른 단어 쌍이 {b}입니다."
    ),
    "Of the runs of three words in groups of {a} words, {b} are different.": (
        "단어 {a}개 묶음에서 서로 다른 연속한 세 단어가 {b}입니다."
    ),
    "The BLEU of a text against the {a} others of its group (0 nothing shared, 1 all of it) is "
    "{b}; {c} in real text.": (
        "글 한 편과 같은 묶음의 나머지 {a}편 사이의 BLEU(0은 겹침 없음, 1은 전부)는 {b}입니다. "
        "실제 글은 {c}입니다."
    ),
    "The BLEU of a text against the {a} others of its group (0 nothing shared, 1 all of it) is "
    "{b}.": (
        "글 한 편과 같은 묶음의 나머지 {a}편 사이의 BLEU(0은 겹침 없음, 1은 전부)는 {b}입니다."
    ),
    "{a} synthetic texts amount to {b} wholly different ones; {c} for real ones.": (
        "합성 글 {a}편은 완전히 서로 다른 글 {b}편에 해당합니다. 실제 글은 {c}편입니다."
    ),
    "{a} synthetic texts amount to {b} wholly different ones.": (
        "합성 글 {a}편은 완전히 서로 다른 글 {b}편에 해당합니다."
    ),
    "{a} characters of synthetic text are packed to 1/{b} of their size; 1/{c} for real text.": (
        "합성 글 {a}자는 압축하면 크기가 {b}분의 1이 됩니다. 실제 글은 {c}분의 1입니다."
    ),
    "{a} characters of synthetic text are packed to 1/{b} of their size.": (
        "합성 글 {a}자는 압축하면 크기가 {b}분의 1이 됩니다."
    ),
    "{a} of the synthetic texts begin like another of {b}; {c} of real texts.": (
        "합성 글의 {a}가 {b}편 가운데 다른 글과 똑같이 시작합니다. 실제 글은 {c}입니다."
    ),
    "{a} of the synthetic texts begin like another of {b}.": (
        "합성 글의 {a}가 {b}편 가운데 다른 글과 똑같이 시작합니다."
    ),
    "{a} of {b} synthetic texts equal an earlier one; {c} of as many real ones do.": (
        "합성 글 {b}편 가운데 {a}가 앞의 글과 같습니다. 같은 수의 실제 글은 {c}입니다."
    ),
    "{a} of {b} synthetic texts equal an earlier one; {c} of {d} real ones do.": (
        "합성 글 {b}편 가운데 {a}가 앞의 글과 같습니다. 실제 글 {d}편은 {c}입니다."
    ),
    "{a} of {b} synthetic texts equal an earlier one.": (
        "합성 글 {b}편 가운데 {a}가 앞의 글과 같습니다."
    ),
    "{a} of {b} synthetic texts are nearly the same as an earlier one; {c} of as many real ones "
    "do.": "합성 글 {b}편 가운데 {a}가 앞의 글과 거의 같습니다. 같은 수의 실제 글은 {c}입니다.",
    "{a} of {b} synthetic texts are nearly the same as an earlier one; {c} of {d} real ones do.": (
        "합성 글 {b}편 가운데 {a}가 앞의 글과 거의 같습니다. 실제 글 {d}편은 {c}입니다."
    ),
    "{a} of {b} synthetic texts are nearly the same as an earlier one.": (
        "합성 글 {b}편 가운데 {a}가 앞의 글과 거의 같습니다."
    ),
    "The text looked at is {a}.": "살펴본 글은 {a} 열입니다.",
    "The text of the {A} rows is {b}.": "{A} 행의 글은 {b} 열입니다.",
    "The real texts were cut in two by lot: one half shows what real text gets.": (
        "실제 글을 무작위로 둘로 나누었습니다. 한쪽 반은 실제 글이 얻는 값을 보여 줍니다."
    ),
    "{a} of {b} {C} rows were drawn by lot.": "{C} 행 {b}개에서 {a}개를 무작위로 뽑았습니다.",
    "{a} {B} texts are longer than {c} characters; the rest was not read.": (
        "{B} 글 {a}편은 {c}자보다 길어 나머지는 읽지 않았습니다."
    ),
}
