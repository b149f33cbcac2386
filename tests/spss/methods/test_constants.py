import pytest

from spss.errors import InputError
from spss.methods.constants import make_config, read_constants


def test_constants_are_read_as_the_kind_they_are_of():
    read = read_constants("spss", ["selection=False", "contrast_weight=0.1", "negatives=20"])
    assert read == {"selection": False, "contrast_weight": 0.1, "negatives": 20}
    assert read_constants("spss", []) == {}


@pytest.mark.parametrize(
    ("method", "text", "reason"),
    [
        ("spss", "selection", "write NAME=VALUE"),
        ("spss", "magic=1", r"spss has no constant 'magic': choose among .*decay=0\.8"),
        ("spss", "selection=0", "is a switch"),
        ("spss", "noise=much", r"noise must be a number such as 0\.1, got 'much'"),
        ("spss", "noise=nan", "noise must be a number"),
        ("spss", "decay=inf", "decay must be a number"),
        ("spss", "negatives=1.5", "negatives must be a whole number such as 50"),
        ("nothing", "noise=1", "no training method"),
    ],
)
def test_a_wrong_constant_says_what_is_wrong(method, text, reason):
    with pytest.raises(InputError, match=reason):
        read_constants(method, [text])


def test_constants_become_a_config_and_their_absence_the_defaults():
    assert make_config("spss", {}) is None
    assert make_config("spss", {"selection": False}).selection is False
    with pytest.raises(InputError, match="no constant"):
        make_config("masked", {"selection": False})
