import pytest

from vibecheck.text.version_name import as_version_name, check_version_name
from vibecheck.vision.manifest import Manifest


@pytest.mark.parametrize(
    "name", ["ft-20260131-120000", "owner/name@0123456789ab", "v", "é_1.2", "मॉडल", "x" * 120]
)
def test_names_in_any_script_are_accepted(name):
    check_version_name(name)
    assert Manifest(version=name).version == name


@pytest.mark.parametrize("name", ["", "a b", "a\n", "a\0", "a:b", "😀", "x" * 121, "x²", "\ud800"])
def test_other_names_are_refused(name):
    with pytest.raises(ValueError, match="is not the name of a version: it takes"):
        check_version_name(name)
    with pytest.raises(ValueError, match="version"):
        Manifest(version=name)


@pytest.mark.parametrize(
    ("text", "name"),
    [("my model", "my-model"), ("a/b@c", "a-b-c"), ("x² (2)", "x---2-"), ("मॉडल.1", "मॉडल.1")],
)
def test_any_text_becomes_a_name(text, name):
    assert as_version_name(text) == name
