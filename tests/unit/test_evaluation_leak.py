"""Finding test conversations that a model was trained on."""

from mi_coder.evaluation.leak import overlap, training_hash


def test_hash_is_the_start_of_sha256() -> None:
    assert training_hash("abc") == "ba7816bf8f01cfea"


def test_ids_are_hashed_as_utf8() -> None:
    assert training_hash("é") == "4a99557e4033c353"


def test_overlap_names_each_seen_conversation_once() -> None:
    assert overlap(["c", "a", "b", "a"], [training_hash("a"), training_hash("c")]) == ("a", "c")
    assert overlap(["b"], [training_hash("a")]) == ()
