"""Cells that a spreadsheet will not run."""

# What makes Excel, LibreOffice or Google Sheets take a cell for a formula (OWASP, CSV injection).
STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def harmless(cell: str) -> str:
    """The cell's text, with an apostrophe before what would be a formula; numbers stay as they are."""
    if not cell.startswith(STARTS_A_FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return "'" + cell
    return cell
