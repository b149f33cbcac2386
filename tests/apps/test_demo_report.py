import base64
import re
from dataclasses import replace

from spss.annotation import Plane
from spss_apps.annotator import Question
from spss_apps.demo import table
from spss_apps.demo_record import DemoRecord, DrawnPlane, RoundRecord
from spss_apps.report import Figure, write_report

PNG = b"\x89PNG fake"


def record():
    question = Question("case <1>", Plane(0, 17), "sagittal", "entropy > 0.4 & rising", 0.5)
    plane = DrawnPlane(question, "1 plane", 0.81, 1.2)
    dice = {"front": 0.5, "back": 0.25, "mean": 0.375}
    rounds = [
        RoundRecord((plane,), 1, dice, 0.02, "It is in use.", 60.0, 5.0, 70.0),
        RoundRecord(
            (plane,), 2, {name: value + 0.2 for name, value in dice.items()}, 0.02, "", 1, 1, 9
        ),
    ]
    return DemoRecord(
        command="spss demo --rounds 2",
        data="Phantoms, 10 volumes",
        class_names=("background", "front", "back"),
        volumes=8,
        test_volumes=2,
        settings={"seed": "0"},
        rounds=rounds,
        seconds=90.0,
    )


def report_of(tmp_path, item):
    path = tmp_path / "report.html"
    figures = [Figure("A volume.", "Dice 0.5", PNG)]
    write_report(path, item, curve=PNG, planes=[PNG, PNG], comparisons=figures)
    return path.read_text(encoding="utf-8")


def test_the_report_needs_nothing_but_itself(tmp_path):
    html = report_of(tmp_path, record())
    assert "http" not in html
    assert "<script" not in html
    sources = re.findall(r"src='([^']*)'", html)
    assert len(sources) == 4
    for source in sources:
        assert base64.b64decode(source.removeprefix("data:image/png;base64,")) == PNG


def test_the_report_tells_command_scores_reasons_and_order(tmp_path):
    html = report_of(tmp_path, record())
    assert "spss demo --rounds 2" in html
    assert "0.575" in html
    assert "1. It is in use." in html
    assert "entropy &gt; 0.4 &amp; rising" in html
    assert "case &lt;1&gt;" in html
    assert html.index("1. sagittal plane 17") < html.index("2. sagittal plane 17")


def test_the_table_has_a_line_a_round_with_dice_per_class():
    lines = table(record()).splitlines()
    titles = ["round", "planes", "Dice front", "Dice back", "Dice mean", "seconds"]
    assert lines[0].split() == " ".join(titles).split()
    assert lines[2].split() == ["1", "1", "0.500", "0.250", "0.375", "70"]
    assert lines[3].split() == ["2", "2", "0.700", "0.450", "0.575", "9"]
    assert len({len(line) for line in lines}) == 1


def test_the_json_has_every_plane_with_its_reason():
    data = replace(record()).to_json()
    assert [len(item["planes"]) for item in data["rounds"]] == [1, 1]
    assert data["rounds"][0]["planes"][0]["reason"] == "entropy > 0.4 & rising"
    assert data["rounds"][1]["test_dice"]["mean"] == 0.575
