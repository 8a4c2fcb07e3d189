import pytest

from vibecheck.spreadsheet import harmless


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "-", "+"])
def test_a_formula_is_made_text(cell):
    assert harmless(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["", "happy", "a=b", "-0.5", "+3", "-1e-9", "3 - 2"])
def test_other_cells_stay_as_they_are(cell):
    assert harmless(cell) == cell
