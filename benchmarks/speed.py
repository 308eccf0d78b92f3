"""Speed of the tagger against `transformers.pipeline`, in one run on one machine.

    python benchmarks/speed.py [--data ../shared/data] [--messages 600] [--threads 1] [--model FOLDER]

Both sides code the same counselor messages with the same context, from text to probabilities, with the weights of the
same model; the pipeline runs them as 32-bit floats in batches of 32, in the order of the file. They take turns, and the
figures are messages per CPU-second (user + system time of this process), the median of the rounds. The pipeline knows
no funnel: it reads the context in every layer. The ratio comes from padding, whose part is printed, from the funnel,
and from the rest: the tagger sorts messages by length and reads several at once.

Cold starts are CPU-seconds of a child process, the median of seven, of an installed program: Python's compiled files
are in place. The script ends with 1 where a target is missed.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 3
BATCH = 32
LEAST_RATIO = 6.0
MOST_SECONDS = {"mi-code tag, one chat": 0.6, "mi-code --help": 0.2}


def main() -> None:
    arguments = _arguments()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    conversations = _conversations(arguments.data)
    missed = [*_compare(conversations, arguments), *_cold_starts()]
    for target in missed:
        print(f"MISSED: {target}")
    sys.exit(1 if missed else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the corpora (ESConv)")
    parser.add_argument("--messages", type=int, default=600)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--model", type=Path, help="model folder; default: the bundled model")
    return parser.parse_args()


def _conversations(root: Path) -> list:
    from mi_coder import corpora

    return list(corpora.load("esconv", root))


def _compare(conversations: list, arguments: argparse.Namespace) -> list[str]:
    """Print both speeds and their ratio; the targets that were missed."""
    import torch

    from mi_coder import Tagger

    torch.set_num_threads(arguments.threads)
    tagger = Tagger.load(arguments.model, threads=arguments.threads)
    chosen = _first(conversations, arguments.messages)
    places = [(c, at) for c in chosen for at, message in enumerate(c.messages) if message.is_counselor]
    jobs = [tagger.job(c.messages[at].text, c.messages[:at]) for c, at in places]
    windows = [window for job in jobs for window in job.windows]
    pipeline = _pipeline(tagger)
    pairs = [_texts(pipeline.tokenizer, window) for window in windows]

    def run_pipeline() -> None:
        pipeline(pairs, batch_size=BATCH)

    def run_tagger() -> None:
        again = [tagger.job(c.messages[at].text, c.messages[:at]) for c, at in places]
        tagger.code(again)

    run_tagger()
    pipeline(pairs[:BATCH], batch_size=BATCH)
    speeds = {"pipeline": [], "tagger": []}
    for _ in range(ROUNDS):
        for name, run in (("pipeline", run_pipeline), ("tagger", run_tagger)):
            started = time.process_time()
            run()
            speeds[name].append(len(places) / (time.process_time() - started))
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    ratios = [fast / slow for fast, slow in zip(speeds["tagger"], speeds["pipeline"], strict=True)]
    lengths = [len(window.ids) for window in windows]
    padded = sum(max(lengths[at : at + BATCH]) * len(lengths[at : at + BATCH]) for at in range(0, len(lengths), BATCH))
    print(f"{len(places)} ESConv counselor messages, {tagger.context} messages of context, {arguments.threads} threads")
    mean, growth = statistics.mean(lengths), padded / sum(lengths)
    print(f"mean tokens {mean:.1f}; padding makes the pipeline read {growth:.2f} times that")
    print(f"transformers.pipeline fp32, batch {BATCH}: {medians['pipeline']:7.1f} messages per CPU-second")
    print(f"mi_coder Tagger:                     {medians['tagger']:7.1f} messages per CPU-second")
    ratio = statistics.median(ratios)
    print(f"ratio: {ratio:.2f} (rounds: {', '.join(f'{one:.2f}' for one in ratios)}), target {LEAST_RATIO}")
    return [] if ratio >= LEAST_RATIO else [f"ratio {ratio:.2f}, at least {LEAST_RATIO}"]


def _first(conversations: list, messages: int) -> list:
    """Whole conversations, every fifth of the corpus first, until there are enough counselor messages."""
    chosen, count = [], 0
    for conversation in [*conversations[::5], *conversations[1::5]]:
        if count >= messages:
            break
        chosen.append(conversation)
        count += len(conversation.counselor_messages)
    return chosen


def _pipeline(tagger) -> object:
    """A text-classification pipeline with the encoder weights and the head of the bundled model."""
    import onnx
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, pipeline

    from mi_coder.training.base import resolve_base

    base = resolve_base("minilm")
    codes = len(tagger.config.codes)
    config = AutoConfig.from_pretrained(base, num_labels=codes, problem_type="multi_label_classification")
    model = AutoModelForSequenceClassification.from_config(config).eval()
    graph = onnx.load(str(tagger.folder / "model.onnx")).graph
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    state = model.state_dict()
    loaded = 0
    for name in state:
        if (found := _weight(tensors, name)) is not None:
            state[name] = torch.tensor(found)
            loaded += 1
    model.load_state_dict(state)
    if loaded < len(state) - 4:
        sys.exit(f"only {loaded} of {len(state)} weights were found in the bundled model")
    return pipeline(
        "text-classification",
        model=model,
        tokenizer=AutoTokenizer.from_pretrained(base),
        top_k=None,
        function_to_apply="sigmoid",
    )


def _weight(tensors: dict, name: str):
    """The weight of a Transformers parameter in the model file: as it is, or from 8-bit integers and their scales."""
    inner = name.removeprefix("bert.")
    for stored in tensors:
        if stored.endswith(f".{inner}"):
            return tensors[stored]
        if stored.endswith(f".{inner}_int8"):
            scale = tensors[stored.removesuffix("_int8") + "_scale"]
            floats = tensors[stored].astype("float32") * scale
            return floats if scale.ndim == 2 else floats.T.copy()
    return None


def _texts(tokenizer, window) -> dict:
    """The message and the context of a window as text, already cut as the tagger cuts."""
    message = tokenizer.decode(window.ids[1 : window.own - 1])
    return {"text": message, "text_pair": tokenizer.decode(window.ids[window.own : -1])}


def _cold_starts() -> list[str]:
    """Print the cold starts; the targets that were missed."""
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        chat = Path(folder) / "chat.jsonl"
        messages = [{"role": "client", "text": "i failed again"}, {"role": "counselor", "text": "What happened?"}]
        chat.write_text(json.dumps({"conversation_id": "c1", "messages": messages}) + "\n")
        command = [str(Path(sys.executable).with_name("mi-code"))]
        for label, arguments in (
            ("mi-code tag, one chat", ["tag", str(chat), "-o", str(Path(folder) / "out.jsonl"), "--force", "--quiet"]),
            ("mi-code --help", ["--help"]),
        ):
            _cpu([*command, *arguments])
            seconds = statistics.median(_cpu([*command, *arguments]) for _ in range(7))
            most = MOST_SECONDS[label]
            print(f"cold start of {label}: {seconds:.2f} CPU-seconds, target {most}")
            missed += [] if seconds <= most else [f"{label}: {seconds:.2f} CPU-seconds, at most {most}"]
    return missed


def _cpu(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
