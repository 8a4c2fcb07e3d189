import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibecheck.records.csv_safety import FORMULA, NUMBER, harmless


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("", ""),
        ("happy", "happy"),
        ("embedded-2", "embedded-2"),
        ("a=1", "a=1"),
        ("3 - 2", "3 - 2"),
        ("-0.5", "-0.5"),
        ("+3", "+3"),
        ("-1e-9", "-1e-9"),
        ("=1+1", "'=1+1"),
        ("-2+3", "'-2+3"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-", "'-"),
        ("-inf", "'-inf"),
        (" =1", "' =1"),
        ("  \t-2+3", "'   -2+3"),
        ("\t=1", "' =1"),
        ("a\t=1", "a =1"),
        ("＝1+1", "'＝1+1"),
        ("＋1", "'＋1"),
        ("－1", "'－1"),
        ("＠SUM(A1)", "'＠SUM(A1)"),
        ("a;=1", "a;'=1"),
        ("a, @SUM(A1)|-2", "a,' @SUM(A1)|'-2"),
        ("\tx", "' x"),
        ("\r=1", "' =1"),
        ("\n=1", "' =1"),
        ("\0x", "' x"),
        ("\x1bx", "'\x1bx"),
        ("a\nb", "a b"),
    ],
)
def test_cell_that_could_be_a_formula_is_escaped(cell, expected):
    assert harmless(cell) == expected


@given(st.text())
def test_no_cell_begins_like_a_formula_or_with_a_control_character(cell):
    made = harmless(cell)
    assert NUMBER.fullmatch(made) or made.strip()[:1] not in FORMULA or not made.strip()
    assert not made[:1] or made[0].isprintable()
    assert not {"\r", "\n", "\0"} & set(made)
