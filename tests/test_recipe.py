from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from onomast.errors import RecipeError
from onomast.recipe import Recipe, essence, read_recipe, recipe_names, recipe_path, to_toml
from onomast.typed_toml import from_table, to_table


@pytest.mark.parametrize("name", recipe_names())
def test_every_builtin_recipe_round_trips(name: str, tmp_path: Path) -> None:
    recipe = read_recipe(name)
    path = tmp_path / "copy.toml"
    path.write_text(to_toml(recipe), encoding="utf-8")
    assert read_recipe(path) == recipe
    assert recipe.name == name
    assert recipe.description


@pytest.mark.parametrize("name", recipe_names())
def test_every_field_of_a_builtin_recipe_is_commented(name: str) -> None:
    """A field has a comment on its line or above its group of lines."""
    lines = recipe_path(name).read_text(encoding="utf-8").splitlines()
    commented = False
    for line in lines:
        commented = "#" in line or (commented and bool(line.strip()) and not line.startswith("["))
        if "=" in line.split("#")[0]:
            assert commented or line.split(" ")[0] in ("name", "tagger", "description"), line


def test_unknown_key_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"linear\.featurs: unknown field; did you mean 'features'\?"):
        from_table(Recipe, {"name": "x", "tagger": "linear", "linear": {"featurs": {}}})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("neural.training.epochs", "many", "'many' is not a whole number"),
        ("neural.training.epochs", "1.5", "1.5 is not a whole number"),
        ("neural.training.optimizer", "adan", "did you mean 'adam'"),
        ("neural.encoder.order", "3", "3 is not a list"),
        ("linear.features.hyphen", "1", "1 is not true or false"),
        ("neural.words", "3", "3 is not a table"),
    ],
)
def test_wrong_values_are_refused_with_their_key(key: str, value: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        read_recipe("crf", {key: value})
    assert str(caught.value).startswith(key)


def test_changes_are_applied_without_touching_the_rest() -> None:
    changed = read_recipe("crf", {"linear.features.prefix": "3", "seed": "7"})
    plain = read_recipe("crf")
    assert changed.linear.features.prefix == 3
    assert changed.seed == 7
    features = dataclasses.replace(changed.linear.features, prefix=plain.linear.features.prefix)
    assert dataclasses.replace(changed, seed=0, linear=dataclasses.replace(changed.linear, features=features)) == plain


def test_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match="did you mean 'crf'"):
        read_recipe("cfr")


def test_a_file_that_is_no_toml_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(b"name = \xff")
    with pytest.raises(RecipeError, match="not a TOML file"):
        read_recipe(path)


def test_to_table_leaves_out_absent_values() -> None:
    assert "vectors" not in to_table(Recipe(name="x", tagger="neural"))["neural"]["words"]


@pytest.mark.parametrize("name", recipe_names())
def test_the_essence_of_a_recipe_is_all_of_it_but_words_and_defaults(name: str) -> None:
    recipe = read_recipe(name)
    assert from_table(Recipe, essence(recipe)) == dataclasses.replace(recipe, description="")
    assert essence(dataclasses.replace(recipe, description="other words")) == essence(recipe)
    assert essence(read_recipe(name, {"sources.mu": "0.123"})) != essence(recipe)


@pytest.mark.parametrize(
    ("old", "new"),
    [("neural.members", "neural.ensemble_size"), ("neural.training.pieces", "neural.training.gradient_accumulation")],
)
def test_a_renamed_field_is_read_by_its_former_name_and_written_by_its_present_one(
    old: str, new: str, tmp_path: Path
) -> None:
    changed = read_recipe("transformer", {new: "3"})
    assert read_recipe("transformer", {old: "3"}) == changed
    *_, former = old.split(".")
    *_, present = new.split(".")
    path = tmp_path / "old.toml"
    path.write_text(to_toml(changed).replace(f"{present} = 3", f"{former} = 3"), encoding="utf-8")
    assert read_recipe(path) == changed
    assert f"{former} = " not in to_toml(changed)
    assert read_recipe(path, {new: "2"}) == read_recipe("transformer", {new: "2"})
    both = to_table(changed)
    table = both["neural"] if former == "members" else both["neural"]["training"]
    table[former] = 4
    with pytest.raises(RecipeError, match=f"{former}.*{present}"):
        from_table(Recipe, both)
    assert former in json.dumps(essence(changed))  # so that results keep their digests


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("crf", "neural.heads.pos", "1.0"),
        ("crf", "neural.training.epochs", "3"),
        ("crf", "augment.label", "5"),
        ("crf", "stage", '[{corpus = ["target"]}]'),
        ("crf", "sources.smoothing", "1.0"),
        ("small", "linear.c1", "1.0"),
        ("small", "neural.pretrained.window", "64"),
        ("small", "neural.heads.entities.beta", "0.5"),
        ("transformer", "neural.words.width", "64"),
        ("transformer", "neural.encoder.width", "64"),
    ],
)
def test_a_field_that_the_tagger_does_not_use_is_refused_by_name(name: str, key: str, value: str) -> None:
    with pytest.raises(RecipeError, match=rf"{key}.*is not used.*leave the field out"):
        read_recipe(name, {key: value})


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("small", "neural.encoder.width", "20000"),
        ("small", "neural.ensemble_size", "100000"),
        ("small", "neural.training.threads", "-1"),
        ("small", "neural.encoder.skip", "[-1000000000]"),
        ("small", "neural.training.learning_rate", "nan"),
        ("crf", "linear.features.prefix", "1000000"),
        ("crf", "linear.features.word", "[-1000000]"),
        ("crf", "seed", "-1"),
    ],
)
def test_values_out_of_bounds_are_refused(name: str, key: str, value: str) -> None:
    with pytest.raises(RecipeError, match=rf"{key}.*expected"):
        read_recipe(name, {key: value})


def test_a_default_value_of_an_unused_field_is_no_error() -> None:
    assert read_recipe("crf", {"neural.training.epochs": "100"}) == read_recipe("crf")


@pytest.mark.parametrize("text", ["a." * 50_000 + "b = 1", "name = " + "[" * 100_000, "# " + "x" * 2_000_000])
def test_toml_bombs_are_one_clear_error(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match=r"bomb\.toml"):
        read_recipe(path)
