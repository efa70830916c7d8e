"""What chapters state of the library, of stored results and of each other, and do not compute."""

import ast
import json
import re
from pathlib import Path

import numpy as np

import tervit_np as tv
from tervit_np.analysis.comparison import read_record
from tervit_np.analysis.comparison.statistics import summarize
from tervit_np.analysis.sizes import sizes
from tervit_np.quant import IDENTITY, Plan, Quest, Sherry, Ternary, TernaryGamma, UniformWeight
from tervit_np.quant.plan import NORMS

ROOT = Path(__file__).parents[2]
TUTORIALS = ROOT / "tutorials"


def text_of(number: str) -> str:
    """Return a chapter on one line, without the marks of comments."""
    (chapter,) = TUTORIALS.glob(f"{number}_*.py")
    text = re.sub(r"\n# ?", "\n", chapter.read_text(encoding="utf-8"))
    return re.sub(r"\s+", " ", text)


def answers_to(number: str) -> str:
    """Return the answers to a chapter's tasks, on one line."""
    text = (TUTORIALS / "answers.md").read_text(encoding="utf-8")
    return re.sub(
        r"\s+", " ", re.split(rf"^## {number} ", text, flags=re.MULTILINE)[1].split("\n## ")[0]
    )


def against_tervit(record: str) -> dict[str, tuple[float, float]]:
    """Return mean and margin of each rule's test accuracy minus that of TerViT's rule."""
    found = read_record(ROOT / "docs" / "comparisons" / record)
    accuracy = {arm.name: np.array(found.accuracies(arm.name)) for arm in found.plan.arms}
    differences = {arm: summarize(a - accuracy["TerViT"]) for arm, a in accuracy.items()}
    return {arm: (d.mean, d.margin) for arm, d in differences.items()}


def test_chapter_20_says_what_can_be_quantized():
    (chapter,) = TUTORIALS.glob("20_*.py")
    rows = re.search(r"open_points = (\[.*?\])\n", chapter.read_text("utf-8"), re.DOTALL)
    points = {what: where for what, where, _ in ast.literal_eval(rows[1])}
    for where in points.values():
        for name in re.findall(r"(\w+)\(", where):
            assert hasattr(tv.quant, name) or hasattr(tv.train, name), name
    fixed = [what for what, where in points.items() if where.startswith("not quantizable")]
    assert fixed == ["GELU, biases"]
    model = tv.create_model("deit_shapes", depth=1)
    tv.quantize(model, Plan([(NORMS, TernaryGamma(), IDENTITY)]))
    assert isinstance(model.blocks[0].norm1.gamma_quant, TernaryGamma)


OPEN = {  # what chapter 20 lists as open, or knows from two accounts that differ
    "gammas of LayerNorms": r"norms?\b",
    "GELU, biases": r"GELU",
    "a teacher for the ternary stage": r"teacher|distill",
    "patch embedding and head": r"patch embedding",
}


def test_no_chapter_says_of_the_paper_what_chapter_20_leaves_open():
    """Where "In the paper" names such a thing, it says whose choice it is or points there."""
    assert all(f'"{what}"' in text_of("20") for what in OPEN)
    for chapter in sorted(TUTORIALS.glob("[0-9][0-9]_*.py")):
        head = ast.get_docstring(ast.parse(chapter.read_text("utf-8"))) or ""
        (said,) = re.findall(r"^:In the paper: (.*?)(?:\n\S|\n\n|\Z)", head, re.DOTALL | re.M)
        for what, words in OPEN.items():
            if re.search(words, said):
                assert "chapter 20" in said, (chapter.name, what)


def test_the_step_from_the_largest_weight_loses_more_of_longer_rows():
    rng, errors = np.random.default_rng(0), []
    for length, rows in ((64, 20_000), (1000, 4000), (20_000, 400)):
        w = rng.normal(size=(rows, length))
        square = np.square(UniformWeight(2).forward(w)[0] - w).sum(axis=1)
        errors.append((square / np.square(w).sum(axis=1)).mean())
    said = re.search(r"([\d.]+), ([\d.]+) and ([\d.]+), means over many rows", answers_to("12"))
    assert said is not None
    off = np.abs(np.array(said.groups(), float) - errors)
    assert (off < [0.006, 0.006, 0.01]).all()  # the last one of 400 rows


def numbers_of(chapter: str) -> dict[str, float]:
    """Return the stored numbers of a chapter, by their names."""
    stored = json.loads((ROOT / "docs" / "tutorials.json").read_text(encoding="utf-8"))
    numbers = stored["chapters"][chapter]["numbers"]
    return {name: number["value"] for name, number in numbers.items() if "value" in number}


def test_chapter_11_says_how_large_the_planted_channel_mostly_is():
    assert numbers_of("11_activations")["the channel, median / largest"] < 1 / 3
    assert "in half of the tokens the channel is below a third of its largest" in text_of("11")


def test_chapter_12_says_what_shrinking_costs():
    numbers = numbers_of("12_three_values")
    mlp, scores = (
        numbers["float"] - numbers[f"float, {kinds} times 0.71"] for kinds in ("fc1 and fc2", "qkv")
    )
    assert f"Shrinking only fc1 and fc2 costs {mlp:.0f} points" in text_of("12")
    assert f"Shrinking only qkv costs {scores:.1f} points" in text_of("12")


def test_chapter_22_says_how_far_the_step_of_the_largest_weight_is_off():
    numbers = numbers_of("22_the_zoo")
    assert round(numbers["largest, Gaussian"] / numbers["TerViT, Gaussian"]) == 4
    assert "with four times TerViT's error on Gaussian rows" in text_of("22")


def test_chapter_17_says_how_the_paper_may_have_counted():
    swin = tv.quantize(tv.create_model("swin_small_patch4_window7_224"), "ternary")
    assert round(sizes(swin).paper / 1e6, 1) == 13.1
    assert "Its 13.1 MB for Swin-S come out if a ternary weight counts 2 bits" in text_of("17")


def test_the_ladder_for_one_token_follows_from_stored_times():
    stored = json.loads((ROOT / "docs" / "bench_zen4.json").read_text(encoding="utf-8"))
    speeds = {v["name"]: v["speed"] for v in stored["variants"]["results"]["variants"]}
    operations = 2 * 384 * 1536
    of_layer = {
        row["tokens"]: 1e-9 * row["tokens"] * operations / row["times"]["ternary"]["median"]
        for row in stored["layers"]["results"]
        if (row["inputs"], row["outputs"]) == (384, 1536)
    }
    text, fastest = answers_to("18"), speeds["vnni512"]
    assert f"{fastest:.0f} / 6 = {fastest / 6:.0f} G at most" in text
    millions, microseconds = f"{1e-6 * operations:.2f}", f"{1e-3 * operations / fastest:.1f}"
    assert f"the {millions} million operations take {microseconds} µs" in text
    assert f"from {of_layer[197]:.0f} G to {of_layer[1]:.0f}." in text
    assert f"unpack all {384 * 1536:,} weights" in text


def test_chapter_22_agrees_with_the_comparisons_of_its_rules():
    text = text_of("22")
    assert text.count("`docs/rules.md <../docs/rules.md>`_") == 2
    assert "all of them but *largest* and *4 bits*" in text
    first, more = against_tervit("zoo.json"), against_tervit("zoo-more.json")
    assert {"exact", "BitNet", "QuEST", "Sherry"} < set(first)
    assert "DoReFa, four levels" in more
    assert all(abs(first[arm][0]) < first[arm][1] for arm in ("exact", "QuEST"))
    behind = {arm for arm, (mean, margin) in first.items() if mean + margin < 0}
    assert {"BitNet", "dampened"} <= behind
    assert "the pull, at its default strength, is behind" in text
    assert "On CIFAR-10, with another optimizer, it is not" in text
    for name in ("cifar10-winners.json", "swin-winners.json"):
        record = read_record(ROOT / "docs" / "comparisons" / name)
        assert np.mean(record.accuracies("BitNet")) > np.mean(record.accuracies("direct"))
    assert all(first[arm][0] < first[arm][1] for arm in ("Q-EMA", "dampened", "freezing"))


def test_the_list_of_chapters_has_their_seconds():
    readme = (TUTORIALS / "README.md").read_text(encoding="utf-8")
    named = 0
    for file, run in re.findall(r"\]\((\d\d_\w+\.py)\) \| [^|]+ \| ([^|]+) \|", readme):
        seconds = re.search(r"(\d+) seconds to run", (TUTORIALS / file).read_text("utf-8"))
        if seconds:
            assert run.split(" *")[0] == f"{seconds[1]} s", file
            named += 1
    assert named >= 2


def rows_of_the_list() -> list[tuple[str, str]]:
    """Return each chapter's file and what its row of the list says of the time to run."""
    readme = (TUTORIALS / "README.md").read_text(encoding="utf-8")
    return re.findall(r"\]\((\d\d_\w+\.py)\) \| \d+ min \| ([^|]+) \|", readme)


def test_the_list_of_chapters_has_the_stored_times():
    """Except that of chapter 04, which trains the shared model where they were stored."""
    stored = json.loads((ROOT / "docs" / "tutorials.json").read_text(encoding="utf-8"))
    assert len(rows_of_the_list()) == len(stored["chapters"]) == 23
    for file, run in rows_of_the_list():
        number, unit = re.match(r"(\d+) (s|min)\b", run).groups()
        said = int(number) * {"s": 1, "min": 60}[unit]
        if file != "04_tokens.py":
            assert 0.4 < stored["chapters"][file.removesuffix(".py")]["seconds"] / said < 2, file


def test_chapters_with_a_star_use_the_shared_model():
    for file, run in rows_of_the_list():
        assert run.endswith("*") == ("trained_model()" in (TUTORIALS / file).read_text("utf-8"))


def test_chapter_19_says_how_long_a_deit_small_takes():
    stored = json.loads((ROOT / "docs" / "train_step_zen4.json").read_text(encoding="utf-8"))
    (row,) = (row for row in stored["rows"] if row["shape"] == "DeiT-Small 224")
    step = row["seconds"]["float"] / row["batch"]  # of a picture, on one core
    assert 0.2 < 100 * step / 2 / 60 < 0.3  # minutes for a hundred pictures, on two cores
    assert "a quarter of a minute for each hundred pictures" in text_of("19")
    layers = 4 * 12 + 2
    assert 20 < 3 * layers * 200 * step / 3 / 2 / 60 < 40  # three kinds; forward: a third of a step
    said = f"with {layers} layers and 224 pixels take 200 pictures and half an hour"
    assert said in text_of("19") and "some thousands of pictures" in text_of("19")


def test_random_logits_are_mostly_wrong_and_the_true_one_is_in_the_middle():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(20_000, 10)), rng.integers(0, 10, 20_000)
    true = logits[np.arange(len(labels)), labels]
    assert abs((true > logits.mean(axis=1)).mean() - 0.5) < 0.02
    assert abs((logits.argmax(axis=1) != labels).mean() - 0.9) < 0.02
    assert "as often above the mean of its row as below it" in answers_to("02")
    assert "nine answers of ten are wrong" in answers_to("02")


def test_a_mask_of_later_tokens_leaves_their_keys_the_gradients_of_later_queries():
    rng = np.random.default_rng(0)
    q, k, da = rng.normal(size=(3, 5, 5))
    later = np.triu(np.ones((5, 5), bool), 1)
    a, _ = tv.ops.softmax(np.where(later, -np.inf, q @ k.T))
    ds = tv.ops.softmax_backward(da, a)
    assert not ds[later].any()
    dk = ds.T @ q
    assert dk[1:].any(axis=1).all()  # from the queries of each token and of those behind it
    assert "a token sends no gradient to the keys of later ones" in answers_to("05")


def definitions(number: str, heading: str, **changed: str) -> dict[str, object]:
    """Run a chapter up to a heading, without what it prints, checks and draws.

    `changed` has other values for names that are assigned once.
    """
    (chapter,) = TUTORIALS.glob(f"{number}_*.py")
    source = chapter.read_text(encoding="utf-8").split(f"# {heading}\n")[0]
    for name, value in changed.items():
        source, count = re.subn(rf"^{name} = .*$", f"{name} = {value}", source, flags=re.MULTILINE)
        assert count == 1
    module = ast.parse(source)
    module.body = [
        node
        for node in module.body
        if not isinstance(node, ast.Expr) and "tervit_lesson" not in ast.unparse(node)
    ]
    names: dict[str, object] = {"SEED": 0}
    exec(compile(module, chapter, "exec"), names)
    return names


def test_a_uniform_row_has_the_decibels_of_the_answers():
    of = {
        kind: definitions("10", "Who shares a scale?", row=f"rng.{kind}")
        for kind in ("normal(size=1000)", "uniform(-1, 1, size=1000)")
    }
    normal, uniform = ((n["sqnr"], np.abs(n["row"]).max() / n["row"].std()) for n in of.values())
    assert f"{uniform[0]:.1f} dB instead of {normal[0]:.1f}" in answers_to("10")
    assert f"is {normal[1]:.1f} standard deviations, that of the uniform row {uniform[1]:.1f}" in (
        answers_to("10")
    )


def test_a_mask_behind_the_softmax_loses_what_the_answers_say():
    names = definitions("16", "Backward by hand")
    x, p, w, s, mask, allowed = (names[n] for n in ("x", "p", "w", "s", "mask", "allowed"))
    probs = names["branch"](x, p, w, s, 0 * mask)[1][4].reshape(-1, *mask.shape)
    sums = (probs * allowed).sum(axis=-1)[:, 3]  # the rows of the last window
    said = f"sum to {sums.mean():.2f} on average, between {sums.min():.2f} and {sums.max():.2f}"
    assert said in answers_to("16")


def entropy_of(codes: np.ndarray) -> float:
    """Return the bits of a code, counted by itself."""
    p = np.unique(codes, return_counts=True)[1] / codes.size
    return float(-(p * np.log2(p)).sum())


def test_the_codes_of_the_zoo_have_the_entropies_of_the_answers():
    w, text = np.random.default_rng(0).normal(size=(64, 1024)), answers_to("22")
    bits = {q: entropy_of(q().encode(w).codes) for q in (Ternary, Quest, Sherry)}
    assert all(1.535 < bits[q] < 1.585 for q in (Ternary, Quest))
    assert f"Sherry has {bits[Sherry]:.2f} bits, more than the {5 / 4:.2f} that it takes" in text
    wide = {b: entropy_of(UniformWeight(b).encode(w).codes) for b in (2, 4)}
    assert f"4 bits moves to {wide[4]:.1f}" in text and f"*largest* to {wide[2]:.1f}" in text


def arrays_in(cache: object, path: str = "") -> dict[str, np.ndarray]:
    """Return the arrays of a cache by their paths."""
    if isinstance(cache, np.ndarray):
        return {path: cache}
    if not isinstance(cache, tuple):
        return {}
    parts = cache._asdict() if hasattr(cache, "_asdict") else dict(enumerate(cache))
    return {
        k: a for key, part in parts.items() for k, a in arrays_in(part, f"{path}.{key}").items()
    }


def test_the_memory_of_a_block_is_what_the_answers_say():
    x = np.random.default_rng(0).normal(size=(2, 197, 384)).astype(np.float32)
    _, cache = tv.nn.Block(384, 6, 1536, 0.0).forward(x)
    arrays = arrays_in(cache)
    assert sum(path.endswith(".weight") for path in arrays) == 4
    assert "Weights and gammas, which caches also name, are not counted" in answers_to("03")
    counted = [path for path in arrays if not path.endswith((".weight", ".gamma"))]
    once = {id(arrays[path]): (path, arrays[path]) for path in counted}
    sizes_mb = {path: a.nbytes / 2e6 for path, a in once.values()}
    norms, mlp = (
        sum(size for path, size in sizes_mb.items() if path.startswith(part))
        for part in (".norm", ".mlp")
    )
    total = sum(sizes_mb.values())
    said = f"{total:.2f} MB for one picture, a tenth of it ({100 * norms / total:.1f} %) in both"
    assert said in answers_to("03") and 0.4 < mlp / total < 0.5


def test_files_of_few_bits_have_the_sizes_of_the_answers(tmp_path):
    ratios = {}
    for plan in ("int4", "int2", "ternary"):
        model = tv.quantize(tv.create_model("deit_shapes"), plan)
        tv.export(model, tmp_path / "m.safetensors")
        floats = 4 * sum(param.size for _, param in model.named_params())
        ratios[plan] = floats / (tmp_path / "m.safetensors").stat().st_size
    said = f"{ratios['int4']:.1f} and {ratios['int2']:.1f} times smaller than float32"
    assert said in answers_to("00")
    assert f"five codes in a byte and is {ratios['ternary']:.1f} times smaller" in answers_to("00")
