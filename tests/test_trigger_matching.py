"""The Trigger Matching Network: its instances, the loss of stage 1 by hand, and the triggers it attends to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from made_up import fitted, labelled, neural_recipe
from onomast.corpus import Corpus
from onomast.errors import DataError, ModelError, RecipeError
from onomast.recipe import Recipe, read_recipe
from onomast.sentence import Sentence, Trigger
from onomast.taggers.neural.tagger import NeuralTagger
from onomast.taggers.triggers.encoder import TriggerEncoder
from onomast.taggers.triggers.instances import Instance, instances_of, once_for_each_trigger, with_random_triggers
from onomast.taggers.triggers.stage import MatchingTask

FLIGHT = Sentence(
    ("Amina", "Okello", "flew", "home", "to", "Kano", "."),
    ("B-PER", "I-PER", "O", "O", "O", "B-LOC", "O"),
    triggers=(Trigger((0, 2), (2, 4)), Trigger((0, 2), (3,)), Trigger((5, 6), (4,))),
)
PLAIN = Sentence(("Rain", "fell"), ("O", "O"))


def explained(sentence: Sentence) -> Sentence:
    """A sentence of `labelled` whose verb explains the person, and the word before it the place."""
    return replace(sentence, triggers=(Trigger((0, 1), (1,)), Trigger((3, 4), (2,)), Trigger((3, 4), (1, 2))))


def corpus(number: int = 8) -> Corpus:
    return Corpus("made up", tuple(map(explained, labelled(number))))


def recipe(**triggers: str) -> Recipe:
    quick = {"epochs": "2", "width": "8", "hops": "2", **triggers}
    changes = {f"neural.triggers.{name}": value for name, value in quick.items()}
    return neural_recipe("tmn", **{"neural.encoder.dropout": "0", "neural.training.learning_rate": "0.01", **changes})


def trained(**triggers: str) -> tuple[NeuralTagger, TriggerEncoder]:
    tagger = fitted(recipe(**triggers), corpus())
    encoder = tagger.network.encoder
    assert isinstance(encoder, TriggerEncoder)
    return tagger, encoder


def test_each_trigger_is_an_instance_with_the_label_of_its_entity() -> None:
    instances = instances_of(recipe(), Corpus("c", (FLIGHT, PLAIN)))
    assert [(one.text, one.label) for one in instances] == [
        (("flew", "to"), "PER"),
        (("home",), "PER"),
        (("to",), "LOC"),
    ]
    assert [one.sentence.triggers for one in instances] == [(trigger,) for trigger in FLIGHT.triggers]


def test_an_entity_that_was_relabelled_takes_its_triggers_along() -> None:
    renamed = Corpus("c", (FLIGHT,)).relabel({"PER": "O", "LOC": "PLACE"})
    assert [one.label for one in instances_of(recipe(), renamed)] == ["PLACE"]


def test_a_corpus_without_triggers_is_refused() -> None:
    with pytest.raises(
        DataError, match="recipe tmn learns from entity triggers, but the training sentences carry none"
    ):
        fitted(recipe(), Corpus("bare", labelled(8)))


def test_sentences_are_repeated_once_for_each_trigger() -> None:
    repeated = once_for_each_trigger([PLAIN, FLIGHT])
    assert [one.triggers for one in repeated] == [(), *((trigger,) for trigger in FLIGHT.triggers)]


def test_random_triggers_keep_their_form_and_avoid_their_entity() -> None:
    places = set()
    for seed in range(50):
        (moved,) = with_random_triggers(Corpus("c", (FLIGHT,)), seed).train
        assert [trigger.entity for trigger in moved.triggers] == [trigger.entity for trigger in FLIGHT.triggers]
        for new, old in zip(moved.triggers, FLIGHT.triggers, strict=True):
            assert not set(new.tokens) & set(range(*new.entity))
            assert np.diff(new.tokens).tolist() == np.diff(old.tokens).tolist()
        places.add(moved.triggers[0].tokens)
    assert places == {(2, 4), (3, 5), (4, 6)}
    assert with_random_triggers(Corpus("c", (FLIGHT,)), 3) == with_random_triggers(Corpus("c", (FLIGHT,)), 3)


def test_random_triggers_find_a_place_where_the_form_does_not_fit() -> None:
    narrow = Sentence(("a", "b", "c"), ("O", "B-X", "O"), triggers=(Trigger((1, 2), (0, 1)),))
    (moved,) = with_random_triggers(Corpus("c", (narrow,)), 0).train
    assert moved.triggers[0].tokens == (0, 2)


def test_loss_of_stage_1_is_that_of_the_formulas() -> None:
    """Two sentences: each is the other's negative, whatever is drawn."""
    _, encoder = trained()
    first, second = (replace(one, triggers=one.triggers[:1]) for one in corpus().train[:2])
    second = replace(second, tokens=(*second.tokens[:-1], "!"))
    task = MatchingTask(encoder, [Instance(first, "PER"), Instance(second, "LOC")])
    task.module.eval()
    vectors = []
    for one in (first, second):
        hidden, mask = encoder.matcher(encoder.matcher.prepare([one]))
        trigger = torch.tensor([[index in one.triggers[0].tokens for index in range(len(one))]])
        vectors.append([encoder.pooling(hidden, tokens)[0].detach().double().numpy() for tokens in (trigger, mask)])
    classification, pairs = [], []
    weight, bias = (value.detach().double().numpy() for value in task.module.labels.parameters())
    for index, (g_t, g_s) in enumerate(vectors):
        scores = weight @ g_t + bias
        classification.append(np.log(np.exp(scores).sum()) - scores[1 - index])  # names are LOC, PER
        distance = np.linalg.norm(g_t - vectors[1 - index][1])
        pairs += [np.square(g_s - g_t).sum() / 2, max(0.0, 1 - distance) ** 2 / 2]
    assert float(task.loss([0, 1], 0.0).detach()) == pytest.approx(np.mean(classification) + np.mean(pairs), rel=1e-4)


def test_in_training_the_query_is_the_mean_of_the_sentences_own_triggers() -> None:
    _, encoder = trained()
    encoder.train()
    one = corpus().train[0]
    hidden, mask = encoder.matcher(encoder.matcher.prepare([one]))
    each = [
        encoder.pooling(hidden, torch.tensor([[index in trigger.tokens for index in range(len(one))]]))
        for trigger in one.triggers
    ]
    wanted = encoder.attention(hidden, torch.stack(each).mean(0), mask)
    torch.testing.assert_close(encoder(encoder.prepare([one, PLAIN]))[0][:1], wanted)


@pytest.mark.parametrize("nearest", ["1", "3"])
def test_when_tagging_the_query_is_the_mean_of_the_nearest_triggers(nearest: str) -> None:
    _, encoder = trained(nearest=nearest)
    encoder.eval()
    (other,) = labelled(1, seed=9)
    with torch.no_grad():
        hidden, mask = encoder.matcher(encoder.matcher.prepare([other]))
        made = encoder(encoder.prepare([explained(other)]))[0]  # its own triggers are not looked at
        distances = (encoder.vectors - encoder.pooling(hidden, mask)).norm(dim=1)
        chosen = distances.argsort()[: int(nearest)]
        wanted = encoder.attention(hidden, encoder.vectors[chosen].mean(0, keepdim=True), mask)
    torch.testing.assert_close(made, wanted)


def test_a_shared_lstm_sees_triggers_with_its_last_weights() -> None:
    tagger, encoder = trained()
    tagger.tag([PLAIN])
    with torch.inference_mode():
        for row, one in enumerate(instances_of(tagger.recipe, corpus())):
            hidden, _ = encoder.matcher(encoder.matcher.prepare([one.sentence]))
            tokens = torch.tensor([[index in one.sentence.triggers[0].tokens for index in range(len(one.sentence))]])
            torch.testing.assert_close(encoder.vectors[row], encoder.pooling(hidden, tokens)[0], atol=1e-5, rtol=1e-4)


def test_merged_triggers_are_the_mean_and_ambiguous_ones_are_left_out() -> None:
    tagger, encoder = trained(lstm='"separate"')
    instances = instances_of(tagger.recipe, corpus())
    apart = encoder.vectors.clone()
    encoder.settings = replace(encoder.settings, merge=True)
    texts = [one.text for one in instances]
    names = list(dict.fromkeys(texts))
    ambiguous = names[1]
    predicted = ["A"] * len(instances)
    predicted[texts.index(ambiguous)] = "B"
    encoder.remember(instances, predicted)
    with torch.no_grad():
        encoder.settings = replace(encoder.settings, merge=False)
        again = encoder.vectors.clone()
        encoder.remember(instances, predicted)
        apart = encoder.vectors
    assert again.shape[0] == len(names) < len(apart)
    for row, name in enumerate(names):
        if name == ambiguous:
            assert bool(again[row].isinf().all())
        else:
            mean = apart[[index for index, text in enumerate(texts) if text == name]].mean(0)
            torch.testing.assert_close(again[row], mean, atol=1e-5, rtol=1e-4)


def test_a_resumed_training_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    settings = recipe(examples='"trigger"')
    whole = NeuralTagger(settings)
    whole.fit(corpus(), checkpoints=tmp_path)
    for stage in ("", "triggers"):
        assert (tmp_path / stage / "checkpoint.safetensors").is_file()
    again = NeuralTagger(settings)
    again.fit(corpus(), checkpoints=tmp_path)
    for name, value in whole.network.state_dict().items():
        torch.testing.assert_close(again.network.state_dict()[name], value, msg=name)


def test_there_is_no_export(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from onomast.export.build import export

    trained()[0].save(tmp_path / "model")
    with pytest.raises(ModelError, match="matches sentences with triggers, for which there is no export"):
        export(tmp_path / "model", tmp_path / "onnx")


def test_fields_without_bounds_or_use_are_refused() -> None:
    with pytest.raises(RecipeError, match="is 0; expected 1 to"):
        recipe(nearest="0")
    with pytest.raises(RecipeError, match=r"neural\.triggers.* is not used: neural\.triggers\.kind is none"):
        read_recipe("bilstm-crf", {"neural.triggers.nearest": "2"})
