import json

import pytest

from spss.errors import InputError
from spss_apps.benchmarks.training_run import Run
from spss_apps.benchmarks.training_table import method_label
from spss_apps.benchmarks.training_variants import Variant, parse_variant

OLD = {"data": "d/Set", "budget": "1x20", "axis": 0, "method": "spss", "seed": 1, "iterations": 9}


def test_a_variant_is_read_with_the_kinds_of_its_constants():
    read = parse_variant("spss:weak:selection=False,contrast_weight=0.1,negatives=20")
    assert read == Variant(
        "spss", "weak", {"selection": False, "contrast_weight": 0.1, "negatives": 20}
    )
    assert parse_variant("masked") == Variant("masked")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("spss:x", "Cannot read variant"),
        ("spss:x:selection", "Cannot read variant"),
        ("spss::selection=True", "Cannot read variant"),
        ("spss:x:magic=1", "no constant 'magic'"),
        ("spss:x:selection=0", "is a switch"),
        ("spss:x:noise=much", "must be a number"),
        ("nothing:x:noise=1", "no training method"),
    ],
)
def test_a_wrong_variant_says_what_is_wrong(text, reason):
    with pytest.raises(InputError, match=reason):
        parse_variant(text)


def test_runs_of_old_files_keep_their_names_and_variants_get_their_own():
    old = Run(**OLD)
    assert old.name == "Set-1x20-axis0-spss-9it-seed1"
    varied = Run(**OLD, variant="no_su", constants={"selection": False})
    assert varied.name == "Set-1x20-axis0-spss-no_su-9it-seed1"
    assert method_label(OLD) == "spss"
    assert method_label(json.loads(json.dumps(vars(varied)))) == "spss:no_su"
