from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from eyebright.errors import DataError
from eyebright.training.linear_probe import regularisation_path
from eyebright.training.linear_probe.folds import assign_folds, class_weights, fold_weights, learnable
from eyebright.training.linear_probe.head import HeadFit, fit_head
from eyebright.training.linear_probe.logistic import LogisticProblems
from eyebright.training.linear_probe.pca import principal_directions
from eyebright.types import FloatArray, IntArray


@pytest.fixture(scope="module")
def digits() -> tuple[FloatArray, IntArray]:
    pixels, truth = load_digits(return_X_y=True)
    return pixels.astype(np.float32), truth.astype(np.int64)


@pytest.fixture(scope="module")
def whole_fit(digits: tuple[FloatArray, IntArray]) -> HeadFit:
    return fit_head(digits[0][:1200], digits[1][:1200], 10)


def probabilities(logits: FloatArray) -> FloatArray:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def standardised(pixels: FloatArray) -> FloatArray:
    """Rows of mean square norm 1, small deviations raised to a share of the median."""
    deviation = pixels.std(axis=0)
    varies = deviation > 0
    deviation = np.maximum(deviation, 0.3 * np.median(deviation[varies]))
    return np.where(varies, (pixels - pixels.mean(axis=0)) / deviation, 0) / np.sqrt(varies.sum())


@pytest.mark.parametrize(("power", "l2"), [(0.0, 1e-3), (1.0, 1e-4)])
def test_agrees_with_scikit_learn_at_the_same_strength(digits, power: float, l2: float) -> None:
    pixels, truth = digits
    keep = (truth != 3) | (np.arange(len(truth)) % 5 == 0)
    pixels, truth = pixels[keep], truth[keep]
    fit = fit_head(pixels, truth, 10, class_weight_power=power, strengths=(l2,), shares=(0.0,))
    ours = fit.head.logits(pixels)
    weights = class_weights(truth, power).astype(float)
    rows = standardised(pixels)
    theirs = LogisticRegression(C=1 / l2, tol=1e-6, max_iter=3000)
    theirs.fit(rows, truth, sample_weight=weights / weights.sum())
    np.testing.assert_allclose(probabilities(ours), theirs.predict_proba(rows), atol=1e-2)


def test_few_principal_directions_lose_little(digits) -> None:
    pixels, truth = digits
    wide = np.concatenate([pixels, np.sqrt(pixels), pixels**2], axis=1)[:400]
    exact = fit_head(wide, truth[:400], 10, strengths=(1e-3,))
    reduced = fit_head(wide, truth[:400], 10, strengths=(1e-3,), rank=100)
    assert reduced.path[0].log_loss == pytest.approx(exact.path[0].log_loss, rel=0.02)


def test_as_many_directions_as_rows_that_hang_together() -> None:
    """Rows that differ in one direction above all, some of them twice, have fewer directions than rows."""
    for seed in range(4):
        random = np.random.default_rng(seed)
        rows = 30 * random.standard_normal((120, 1)) + 0.3 * random.standard_normal((120, 900))
        rows = np.concatenate([rows, rows[:20]])
        rows = (rows - rows.mean(axis=0)).astype(np.float32)
        reduced, directions = principal_directions(rows, len(rows), 0)
        np.testing.assert_allclose(reduced @ directions.basis.T, rows, atol=0.05)


def test_held_out_accuracy_is_that_of_unseen_digits(digits, whole_fit: HeadFit) -> None:
    pixels, truth = digits
    unseen = (whole_fit.head.logits(pixels[1200:]).argmax(axis=1) == truth[1200:]).mean()
    held_out = (whole_fit.held_out.argmax(axis=1) == truth[:1200]).mean()
    assert unseen > 0.9
    assert held_out == pytest.approx(unseen, abs=0.06)
    assert whole_fit.held_out.shape == (1200, 10)


def test_the_strength_with_the_lowest_held_out_loss_is_chosen(whole_fit: HeadFit) -> None:
    losses = [point.log_loss for point in whole_fit.path]
    assert whole_fit.path[int(np.argmin(losses))].l2 == whole_fit.l2
    assert len(losses) - 1 - int(np.argmin(losses)) <= 2


@pytest.mark.parametrize("rank", [None, 30])
def test_two_runs_are_equal_bit_for_bit(digits, rank: int | None) -> None:
    pixels, truth = digits
    one, two = (fit_head(pixels[:500], truth[:500], 10, rank=rank) for _ in range(2))
    assert one.head.weights.tobytes() == two.head.weights.tobytes()
    assert one.head.bias.tobytes() == two.head.bias.tobytes()
    assert one.held_out.tobytes() == two.held_out.tobytes()
    assert one.path == two.path


def test_weights_are_float32_and_half_precision_features_give_the_same_head(digits, whole_fit) -> None:
    half = fit_head(digits[0][:1200].astype(np.float16), digits[1][:1200], 10)
    assert half.head.weights.dtype == half.head.bias.dtype == half.held_out.dtype == np.float32
    np.testing.assert_array_equal(half.head.weights, whole_fit.head.weights)  # pixels are 0 to 16: exact


@pytest.mark.parametrize("factor", [2.0**-20, 2.0**20])
def test_the_scale_of_the_features_does_not_matter(digits, whole_fit: HeadFit, factor: float) -> None:
    pixels, truth = digits
    scaled = fit_head(pixels[:1200] * np.float32(factor), truth[:1200], 10)
    assert scaled.l2 == whole_fit.l2
    np.testing.assert_allclose(
        probabilities(scaled.head.logits(pixels * np.float32(factor))),
        probabilities(whole_fit.head.logits(pixels)),
        atol=1e-3,
    )


def test_a_path_leads_to_the_solution_of_its_last_strength(digits) -> None:
    """Each strength begins where the two before it point, and ends where it would have ended by itself."""
    pixels, truth = digits[0][:600], digits[1][:600]
    strengths = (1e-2, 1e-3, 3e-4, 1e-4)
    path = fit_head(pixels, truth, 10, strengths=strengths, shares=(0.0,))
    alone = fit_head(pixels, truth, 10, strengths=strengths[-1:], shares=(0.0,))
    assert path.path[-1].log_loss == pytest.approx(alone.path[0].log_loss, abs=5e-3)
    if path.l2 == alone.l2:
        np.testing.assert_allclose(
            probabilities(path.head.logits(pixels)), probabilities(alone.head.logits(pixels)), atol=1e-2
        )


def test_where_solutions_point_is_near_the_next_one(digits, monkeypatch) -> None:
    counts: list[int] = []
    evaluate = LogisticProblems._evaluate

    def counted(problems, coefficients, penalty, chosen):
        counts[-1] += len(chosen)
        return evaluate(problems, coefficients, penalty, chosen)

    monkeypatch.setattr(LogisticProblems, "_evaluate", counted)
    for begin in (regularisation_path._extrapolated, lambda solved, l2, start: start):
        monkeypatch.setattr(regularisation_path, "_extrapolated", begin)
        counts.append(0)
        fit_head(digits[0][:600], digits[1][:600], 10)
    assert counts[0] < 0.9 * counts[1]


def test_constant_columns_have_no_say(digits) -> None:
    pixels, truth = digits[0][:300].copy(), digits[1][:300]
    constant = np.full((300, 2), [0.1, -1e4], np.float32)
    fit = fit_head(np.concatenate([pixels, constant], axis=1), truth, 10)
    assert not fit.head.weights[64:].any()
    only = fit_head(constant, truth, 10)
    assert np.isfinite(only.held_out).all()
    assert not only.head.weights.any()


def test_a_nearly_dead_column_cannot_decide_alone(digits) -> None:
    pixels, truth = digits[0][:300], digits[1][:300]
    spark = np.zeros((300, 1), np.float32)
    spark[7] = 1e-4
    head = fit_head(np.concatenate([pixels, spark], axis=1), truth, 10).head
    lit = np.append(pixels[20], np.float32(1.0))[None]  # 10,000 times what training saw
    assert head.logits(lit).argmax() == truth[20]


def test_features_that_are_not_finite_are_refused(digits) -> None:
    pixels = digits[0][:100].copy()
    pixels[3, 5] = np.inf
    with pytest.raises(DataError, match="1 of 64 columns"):
        fit_head(pixels, digits[1][:100], 10)


def test_two_classes(digits) -> None:
    chosen = np.isin(digits[1], [3, 8])
    pixels, truth = digits[0][chosen], (digits[1][chosen] == 8).astype(np.int64)
    fit = fit_head(pixels, truth, 2)
    assert fit.head.weights.shape == (64, 2)
    assert max(point.accuracy for point in fit.path) > 0.95


@pytest.mark.parametrize("classes", [2, 10])
def test_two_images_a_class_are_enough(digits, classes: int) -> None:
    rows = np.concatenate([np.flatnonzero(digits[1] == label)[:2] for label in range(classes)])
    fit = fit_head(digits[0][rows], digits[1][rows], classes)
    assert np.isfinite(fit.held_out).all()
    assert (fit.head.logits(digits[0][rows]).argmax(axis=1) == digits[1][rows]).all()
    rest = np.flatnonzero(digits[1] < classes)
    right = fit.head.logits(digits[0][rest]).argmax(axis=1) == digits[1][rest]
    assert right.mean() > 4 / (classes + 4)


def test_a_class_that_lies_in_one_group_does_not_spoil_the_choice(digits) -> None:
    pixels, truth = digits[0][:300], digits[1][:300]
    groups = np.where(truth == 4, 1000, np.arange(300))
    fit = fit_head(pixels, truth, 10, groups=groups)
    assert np.isfinite(fit.held_out).all()
    assert (fit.head.logits(pixels).argmax(axis=1) == truth)[truth == 4].mean() > 0.9
    assert min(point.log_loss for point in fit.path) < 0.5


def test_copies_are_not_held_out_from_each_other(digits) -> None:
    pixels, truth = digits[0][:200], np.random.default_rng(0).permutation(digits[1][:200])
    twice = np.concatenate([pixels, pixels])
    labels, groups = np.concatenate([truth, truth]), np.tile(np.arange(200), 2)
    blind = fit_head(twice, labels, 10, strengths=(1e-5,))
    aware = fit_head(twice, labels, 10, strengths=(1e-5,), groups=groups)
    assert blind.path[0].accuracy > 0.5  # labels are shuffled: only a leaked copy can be right
    assert aware.path[0].accuracy < 0.3


def test_only_scored_rows_are_measured(digits) -> None:
    pixels, truth = digits[0][:300], digits[1][:300]
    noise = np.random.default_rng(1).permutation(pixels.ravel()).reshape(pixels.shape)
    rows, labels = np.concatenate([pixels, noise]), np.concatenate([truth, truth])
    plain = np.arange(600) < 300
    groups = np.tile(np.arange(300), 2)
    fit = fit_head(rows, labels, 10, groups=groups, scored=plain)
    assert fit.held_out.shape == (300, 10)
    best = max(fit.path, key=lambda point: point.accuracy)
    assert best.accuracy > 0.8
    assert max(point.accuracy for point in fit_head(rows, labels, 10, groups=groups).path) < 0.7


def test_class_weights_raise_the_rare_classs_recall(digits) -> None:
    pixels, truth = digits
    train = np.arange(len(truth)) < 900
    common, rare = np.flatnonzero(train & (truth == 8))[:80], np.flatnonzero(train & (truth == 1))[:4]
    rows = np.concatenate([common, rare])
    test = np.flatnonzero(~train & (truth == 1))
    recall = {}
    for power in (0.0, 1.0):
        head = fit_head(
            pixels[rows], (truth[rows] == 1).astype(np.int64), 2, class_weight_power=power, strengths=(1e-2,)
        ).head
        recall[power] = (head.logits(pixels[test]).argmax(axis=1) == 1).mean()
    assert recall[1.0] > recall[0.0] + 0.1


def test_problems_solved_in_sequence_give_what_they_give_together(digits, monkeypatch) -> None:
    together = fit_head(digits[0][:400], digits[1][:400], 10, strengths=(1e-3, 1e-4))
    monkeypatch.setattr("eyebright.training.linear_probe.logistic._PROBLEM_BYTES", 1)
    monkeypatch.setattr("eyebright.training.linear_probe.logistic._CHUNK_BYTES", 1)
    apart = fit_head(digits[0][:400], digits[1][:400], 10, strengths=(1e-3, 1e-4))
    np.testing.assert_allclose(probabilities(apart.held_out), probabilities(together.held_out), atol=1e-2)


def test_folds_are_stratified_and_keep_groups_whole(digits) -> None:
    truth = digits[1][:500]
    fold = assign_folds(truth, None, 5, seed=3)
    table = np.array([np.bincount(truth[fold == f], minlength=10) for f in range(5)])
    assert (table.max(axis=0) - table.min(axis=0)).max() <= 1
    groups = np.arange(500) // 4
    grouped = assign_folds(truth, groups, 5, seed=3)
    assert all(len(set(grouped[groups == group])) == 1 for group in range(125))


@pytest.mark.parametrize(("sizes", "folds"), [([2, 2], 2), ([3, 3, 4], 3), ([2, 40, 40], 5), ([1, 2], 2)])
def test_the_number_of_folds_follows_the_median_class(sizes: list[int], folds: int) -> None:
    truth = np.repeat(np.arange(len(sizes)), sizes)
    fold = assign_folds(truth, None, 5, seed=0)
    assert set(fold) == set(range(folds))
    for label in np.flatnonzero(np.array(sizes) >= 2):
        assert len(set(fold[truth == label])) >= 2


def test_every_class_keeps_its_share_of_the_weight_in_every_fold(digits) -> None:
    truth = np.repeat([0, 1, 2], [2, 9, 30])
    weights = class_weights(truth, 0.5)
    fold = assign_folds(truth, None, 5, seed=0)
    columns = fold_weights(truth, weights, fold)
    assert not columns[np.arange(41), fold].any()
    shares = np.array([np.bincount(truth, column) for column in columns.T])
    np.testing.assert_allclose(shares, np.tile(np.bincount(truth, weights) / 41, (5, 1)), rtol=1e-5)
    assert learnable(truth, fold).all()
    assert not learnable(np.array([0, 0, 1]), np.array([0, 1, 0]))[2]


def test_class_weights_count_rows_by_their_weight():
    truth = np.array([0, 0, 1, 1, 1])
    twice = np.array([0, 0, 0, 1, 1, 1])
    weights = class_weights(truth, 0.5, np.array([2, 1, 1, 1, 1], np.float32))
    copied = class_weights(twice, 0.5)
    assert weights[0] / weights[2] == pytest.approx((copied[0] + copied[1]) / copied[3])
    assert class_weights(truth, 0.5, np.full(5, 3, np.float32)) == pytest.approx(class_weights(truth, 0.5))


def test_rows_of_little_weight_hardly_count(digits):
    """Wrong labels that weigh nothing to speak of leave the head as it is without them."""
    pixels, truth = digits[0][:500], digits[1][:500]
    wrong = np.arange(500) % 4 == 0
    given = np.where(wrong, (truth + 1) % 10, truth)
    light = fit_head(pixels, given, 10, weights=np.where(wrong, 1e-4, 1).astype(np.float32))
    heavy = fit_head(pixels, given, 10)
    right = [
        (fit.head.logits(digits[0][500:]).argmax(axis=1) == digits[1][500:]).mean() for fit in (light, heavy)
    ]
    assert right[0] > right[1] + 0.02
    assert right[0] > 0.9
