"""Conditions and formulas, such as `age >= 18 and city in ('Seoul', 'Bern')`: never executed.

    condition = parse("age >= 18 and not (city is null)", schema)
    keep = condition.mask(batch)          # (N,) booleans
    formula = parse_value("round(0.3 * age + log(income), 1)", schema)
    values = formula.evaluate(batch)      # an Arrow array (N,)

The language is that of an SQL WHERE: `= <> != < <= > >=`, `and or not`, `in (…)`, `between`,
`is null`, `is not null`, `+ - * /`, parentheses, and the functions of `functions.py`. Text stands
in single or double quotes, dates and times as text (`since > '2024-03-01'`), names with spaces or
quotes in backticks; a name may have dots (`customer.city`). As in SQL, a comparison with a missing
value is neither true nor false, a row is kept where the whole is true, and what is computed from a
missing value is missing.

Arithmetic is in floating point, between whole numbers too: exact up to 2^53, and never wrapped
around; `round(x)`, `floor` and `ceil` give whole numbers again. What is divided by zero, or
outside of a function's domain (`log(-1)`), is missing. Every name and type is checked against the
schema when the text is parsed. Text is turned into an `Expression` by `parser.py`, whose classes
are in `nodes.py`; `str()` writes one so that it parses to itself.
"""

from geurim.expressions.functions import FUNCTIONS
from geurim.expressions.nodes import (
    Arithmetic,
    Call,
    Column,
    Comparison,
    Expression,
    In,
    IsNull,
    Junction,
    Literal,
    Negative,
    Not,
)
from geurim.expressions.parser import parse, parse_value
from geurim.expressions.tokens import names

__all__ = [
    "FUNCTIONS",
    "Arithmetic",
    "Call",
    "Column",
    "Comparison",
    "Expression",
    "In",
    "IsNull",
    "Junction",
    "Literal",
    "Negative",
    "Not",
    "names",
    "parse",
    "parse_value",
]
