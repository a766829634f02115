"""Korean places, postcodes and Latin spellings, which fit together (Faker's are drawn apart)."""

from __future__ import annotations

_PLACES = """
서울특별시 1 9 종로구 중구 용산구 성동구 광진구 동대문구 성북구 노원구 은평구 마포구
    양천구 강서구 구로구 영등포구 동작구 관악구 서초구 강남구 송파구 강동구
경기도 10 18 의정부시 고양시 파주시 남양주시 성남시 용인시 수원시 화성시 안산시 안양시
    부천시 광명시 평택시 김포시 구리시 하남시
인천광역시 21 23 중구 미추홀구 연수구 남동구 부평구 계양구 서구
강원특별자치도 24 26 춘천시 원주시 강릉시 동해시 속초시 홍천군
충청북도 27 29 청주시 충주시 제천시 옥천군 음성군
세종특별자치시 30 30 조치원읍 연기면
충청남도 31 33 천안시 공주시 아산시 서산시 당진시 홍성군
대전광역시 34 35 동구 중구 서구 유성구 대덕구
경상북도 36 40 포항시 경주시 김천시 안동시 구미시 경산시
대구광역시 41 43 중구 동구 서구 수성구 달서구 달성군
울산광역시 44 45 중구 남구 동구 북구 울주군
부산광역시 46 49 중구 영도구 부산진구 동래구 해운대구 금정구 수영구 사상구
경상남도 50 53 창원시 진주시 통영시 김해시 거제시 양산시
전북특별자치도 54 56 전주시 군산시 익산시 정읍시 남원시
전라남도 57 60 목포시 여수시 순천시 나주시 광양시
광주광역시 61 62 동구 서구 남구 북구 광산구
제주특별자치도 63 63 제주시 서귀포시
"""  # region, the first two digits of its postcodes, its cities or boroughs


def _places() -> dict[str, tuple[tuple[int, int], list[str]]]:
    found = {}
    for line in _PLACES.replace("\n    ", " ").strip().split("\n"):
        region, first, last, *cities = line.split()
        found[region] = ((int(first), int(last)), cities)
    return found


PLACES = _places()
"""Region -> (the first two digits of its postcodes, its cities and boroughs)."""

_ROADS = """
중앙 시청 대학 한강 남산 봉은사 테헤란 학동 언주 도산 선릉 양재 서초 강변
월드컵 백제 신라 세종 충무 을지 퇴계 율곡 다산 소월 벚꽃 은행나무 느티나무 해안
산성 평화 통일 번영 미래 과학 문화 예술
"""
ROADS = _ROADS.split()
ROAD_ENDS = ("로", "길", "대로", "1길", "2길", "3길", "5길", "12길", "24길")

_WORDS = """
오늘 어제 내일 아침 저녁 우리 사람 친구 가족 회사 학교 시장 거리 날씨 음식
커피 영화 음악 책 이야기 생각 마음 시간 장소 주문 상품 배송 포장 가격 품질
색상 크기 서비스 직원 답변 문의 예약 방문 여행 정말 아주 조금 많이 다시 항상
가끔 빨리 천천히 함께 그리고 그래서 하지만 특히 좋았습니다 괜찮습니다 아쉬웠습니다
친절했습니다 도착했습니다 기다렸습니다 확인했습니다 추천합니다 부탁드립니다 감사합니다
필요합니다 만족합니다 생각합니다 예쁩니다 편리합니다
"""
WORDS = _WORDS.split()

# The Revised Romanization of Korean (2000), letter by letter, as in names: first consonants,
# vowels, last consonants; - stands for none.
_LETTERS = """
g kk n d tt r m b pp s ss - j jj ch k t p h
a ae ya yae eo e yeo ye o wa wae oe yo u wo we wi yu eu ui i
- k k k n n n t l k m l l l p l m p p t t ng t t k t p h
"""
_FIRST, _MIDDLE, _LAST = (line.split() for line in _LETTERS.strip().split("\n"))


def romanize(text: str) -> str:
    """Hangul in Latin letters: "김민준" becomes "gimminjun". Other characters stay as they are."""
    out = []
    for letter in text:
        place = ord(letter) - 0xAC00
        if 0 <= place < 11_172:
            parts = (_FIRST[place // 588], _MIDDLE[place % 588 // 28], _LAST[place % 28])
            out.append("".join(p for p in parts if p != "-"))
        else:
            out.append(letter)
    return "".join(out)
