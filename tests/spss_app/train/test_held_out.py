"""Which images judge networks: decided once, by the id."""

from spss_app.train.held_out import FEWEST_ANNOTATED, is_held_out, split

IDS = [f"image {number}" for number in range(400)]


def test_the_share_is_about_what_was_asked_for():
    assert 0.15 < sum(is_held_out(i, 0.2) for i in IDS) / len(IDS) < 0.25


def test_new_images_do_not_move_old_ones():
    few = set(split(IDS[:100], 0.2)[1])
    many = set(split(IDS, 0.2)[1])
    assert few == many & set(IDS[:100])
    assert few


def test_a_larger_share_only_adds():
    assert {i for i in IDS if is_held_out(i, 0.1)} <= {i for i in IDS if is_held_out(i, 0.3)}


def test_nothing_is_held_out_while_every_image_is_needed():
    assert split(IDS[: FEWEST_ANNOTATED - 1], 0.5)[1] == []
    assert split(IDS, 0.0)[1] == []
    assert split(IDS, 0.999999)[0]
