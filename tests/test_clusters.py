"""Clusters of words and marks of large values: what a linear tagger makes of vectors."""

import numpy as np
import pytest

from onomast.errors import OnomastError
from onomast.taggers.linear.clusters import Thresholds, binarize, cluster_words, thresholds


class Table:
    """Vectors of a dictionary."""

    def __init__(self, table: dict[str, list[float]]) -> None:
        self.table = table

    def rows(self, words):
        width = len(next(iter(self.table.values())))
        rows = np.array([self.table.get(word, [0.0] * width) for word in words], np.float32).reshape(-1, width)
        return rows, np.array([word in self.table for word in words], np.uint8)


def three_groups(count: int = 60) -> Table:
    generator = np.random.default_rng(3)
    centres = np.eye(3, 8) * 5
    return Table({f"w{i}": list(centres[i % 3] + generator.normal(0, 0.3, 8)) for i in range(count)})


def test_words_of_one_direction_share_a_cluster() -> None:
    table = three_groups()
    numbers = cluster_words(table, list(table.table), k=6, seed=1).numbers
    groups = [{numbers[f"w{i}"] for i in range(start, 60, 3)} for start in range(3)]
    assert not groups[0] & groups[1] and not groups[1] & groups[2] and not groups[0] & groups[2]


def test_one_seed_gives_one_result_and_every_word_is_in_its_nearest_cluster() -> None:
    table = three_groups()
    words = list(table.table)
    first, second = (cluster_words(table, words, k=5, seed=7) for _ in range(2))
    assert first.numbers == second.numbers and np.array_equal(first.centroids, second.centroids)
    rows = table.rows(words)[0]
    assert list(first.assign(rows)) == [first.numbers[word] for word in words]
    distances = ((rows / np.linalg.norm(rows, axis=1, keepdims=True))[:, None] - first.centroids[None]) ** 2
    assert list(distances.sum(-1).argmin(1)) == [first.numbers[word] for word in words]


def test_words_without_a_vector_get_no_cluster() -> None:
    table = three_groups()
    clusters = cluster_words(table, ["w0", "nothing", "w1", "w0"], k=2)
    assert set(clusters.numbers) == {"w0", "w1"}
    assert list(clusters.assign(np.zeros((2, 8), np.float32))) == [-1, -1]
    assert clusters.assign(np.zeros((0, 8), np.float32)).shape == (0,)


def test_fewer_words_than_clusters_make_fewer_clusters() -> None:
    table = Table({"a": [1.0, 0.0], "b": [1.0, 0.0], "c": [0.0, 1.0]})
    clusters = cluster_words(table, ["a", "b", "c"], k=10)
    assert clusters.centroids.shape == (2, 2)
    assert clusters.numbers["a"] == clusters.numbers["b"] != clusters.numbers["c"]


@pytest.mark.parametrize(("words", "k"), [(["a"], 0), (["none", "of", "them"], 3), ([], 3)])
def test_nothing_to_cluster_is_an_error(words: list[str], k: int) -> None:
    with pytest.raises(OnomastError, match=r"clusters were asked|has a vector"):
        cluster_words(Table({"a": [1.0, 2.0]}), words, k=k)


def test_marks_follow_the_means_of_positive_and_negative_values() -> None:
    rows = np.array([[1.0, -4.0], [3.0, -2.0], [-1.0, 0.0], [0.5, 0.0]], np.float32)
    limits = thresholds(rows)
    assert np.allclose(limits.positive, [1.5, 0.0]) and np.allclose(limits.negative, [-1.0, -3.0])
    assert binarize(rows, limits).tolist() == [[0, -1], [1, 0], [-1, 0], [0, 0]]


def test_marks_equal_the_plain_loop() -> None:
    rows = np.random.default_rng(0).normal(size=(30, 7)).astype(np.float32)
    limits = thresholds(rows)
    for column in range(7):
        values = [float(value) for value in rows[:, column]]
        above, below = [v for v in values if v > 0], [v for v in values if v < 0]
        high, low = sum(above) / len(above), sum(below) / len(below)
        plain = [1 if v > high else -1 if v < low else 0 for v in values]
        assert binarize(rows, limits)[:, column].tolist() == plain
    assert not binarize(
        np.zeros((2, 7), np.float32), Thresholds(np.zeros(7, np.float32), np.zeros(7, np.float32))
    ).any()
