"""Recipe or model folder -> tagger."""

from __future__ import annotations

from pathlib import Path

from onomast.errors import ModelError, RecipeError, require
from onomast.recipe import Recipe, check_recipe, read_saved_recipe
from onomast.tagger import Tagger


def new_tagger(recipe: Recipe) -> Tagger:
    """The untrained tagger that a recipe describes. Raises RecipeError for values that it cannot use."""
    check_recipe(recipe)
    return _tagger_class(recipe)(recipe)  # type: ignore[call-arg]


def load_tagger(folder: str | Path) -> Tagger:
    """Load any saved tagger. Raises ModelError naming the folder and what is wrong with it."""
    folder = Path(folder)
    path = folder / "recipe.toml"
    if not path.is_file():
        found = "no such folder" if not folder.is_dir() else "there is no recipe.toml in it"
        raise ModelError(f"{found}; expected a folder written by `onomast train ... --out {folder}`", folder=folder)
    try:
        recipe = read_saved_recipe(path)
    except RecipeError as error:
        raise ModelError(f"recipe.toml cannot be read: {error}", folder=folder) from None
    if any(folder.glob("*.onnx")):
        from onomast.taggers.onnx.tagger import ONNXTagger

        return ONNXTagger.load(folder)
    return _tagger_class(recipe).load(folder)


def _tagger_class(recipe: Recipe) -> type[Tagger]:
    if recipe.tagger == "linear":
        from onomast.taggers.linear.tagger import LinearTagger

        return LinearTagger
    libraries = ["torch", *(["transformers"] if recipe.neural.pretrained.model else [])]
    require(*libraries, purpose=f"the recipe {recipe.name}")
    from onomast.taggers.neural.tagger import NeuralTagger

    return NeuralTagger
