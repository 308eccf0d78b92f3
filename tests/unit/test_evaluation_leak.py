"""Finding test conversations that a model was trained on."""

from mi_coder.conversation import Conversation
from mi_coder.evaluation.leak import overlap, training_hash, training_hashes


def test_hash_is_the_start_of_sha256() -> None:
    assert training_hash("abc") == "ba7816bf8f01cfea"


def test_ids_are_hashed_as_utf8() -> None:
    assert training_hash("é") == "4a99557e4033c353"


def chat(identity: str, **fields: object) -> Conversation:
    return Conversation(identity, [], fields)


def test_overlap_names_each_seen_conversation_once() -> None:
    chats = [chat("c"), chat("a"), chat("b"), chat("a")]
    assert overlap(chats, [training_hash("a"), training_hash("c")]) == ("a", "c")
    assert overlap([chat("b")], [training_hash("a")]) == ()


def test_a_conversation_of_a_training_group_counts_as_seen() -> None:
    kept = training_hashes(chat("a", source_group="worker 7"))
    assert overlap([chat("b", source_group="worker 7"), chat("c", source_group="worker 8")], kept) == ("b",)
    assert overlap([chat("d", source_group="a"), chat("worker 7")], kept) == ()


def test_a_conversation_of_a_training_group_counts_as_seen_without_its_group() -> None:
    kept = training_hashes(chat("a", source_group="worker 7"))
    assert overlap([chat("a"), chat("b")], kept) == ("a",)


def test_without_a_group_the_hash_of_the_id_is_all_that_is_kept() -> None:
    assert training_hashes(chat("abc")) == training_hashes(chat("abc", source_group=None)) == ("ba7816bf8f01cfea",)
