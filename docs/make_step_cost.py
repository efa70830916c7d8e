# ruff: noqa: E501  the page has wide tables
"""Write docs/step_cost.md: what a step would take on many machines, by the model of a step's time.

python docs/make_step_cost.py
"""

import json
from math import ceil
from pathlib import Path

from tervit_np.analysis.macs import macs
from tervit_np.analysis.step_cost import Machine, StepCost, Work, step_cost
from tervit_np.models import create_model
from tervit_np.train.parts import part_count_of

DOCS = Path(__file__).parent
PAGE = DOCS / "step_cost.md"
MODELS = {"DeiT-S": ("deit_small_patch16_224", 16), "Swin-S": ("swin_small_patch4_window7_224", 4)}
IMAGES, EPOCHS = 1_281_167, 300  # of ImageNet-1k; our choice, DeiT's number of epochs
CORES, NETWORK, MEMORY, LATENCY = 16, 25e9 / 8, 40e9, 20e-6  # assumed
PRICE = 0.04  # dollars for a core and an hour, assumed
RANKS = {1024: (1, 2, 4, 12), 16384: (12, 64, 196, 1000)}  # of each batch
TEXT = """\
# What a step costs on many machines

This page is computed, not measured. `python docs/make_step_cost.py` writes it from the model in
`tervit_np/analysis/step_cost.py`, which gives compute, exchange of gradients, update and latency of
[training on many ranks](long_runs.md#one-training-on-many-machines). It answers what the paper's models
would take on CPUs, and what limits them.

Measured is one number: a ternary step of DeiT-Small takes {seconds:.2f} s for {batch} images on one core of
a Zen 4 (`docs/train_step_zen4.json`), {rate:.0f} billion operations a second. All others are assumptions: a
rank is a machine with {cores} cores that all compute at this rate, a network of {network:.0f} Gbit/s, {memory:.0f} GB/s
of memory, {latency:.0f} µs for a message, {price:.2f} dollars for a core and an hour. Decoding of pictures is left
out. For Swin the same rate is assumed. No run on more than three ranks, and none on several machines, has
been made.

| model | parameters | operations of an image, forward and backward |
|---|---|---|
{models}

A step in seconds, and {epochs} epochs of ImageNet-1k:

| model | batch | ranks | parts | compute | exchange | exposed | gather | update | step | images/s | efficiency | days | dollars |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
{table}

"Exchange" is hidden behind the computation of other parts but for what is "exposed"; a thread sees to that,
since MPI moves most data only inside its calls (`tervit_np/train/gradient_sum.py`). Efficiency is the speed
compared with as many times that of one rank at the same batch.

* A batch of 1,024 images of DeiT-S has {few} parts, one for 1,024 patches. More than {most} machines of
  {cores} cores have no use for it: larger clusters need larger batches, with which training is not the
  same. At a batch of 16,384 that bound is {more} machines, and a thousand are slower than that.
* Each part's gradient travels, so that the sum has the bits of one process. Swin-S has sixteen times as
  many patches and so as many more parts, whose gradients are what its step waits for. An all-reduce of
  each rank's own sum would send one gradient a step, but its bits would depend on the number of ranks.
* A network that is faster by as much as "exchange" exceeds "compute" hides it again.
* The exchange of the last part has no other part to hide behind, and takes as long as the gather: at most
  {last_round:.1f} % of a step in this table. Only that could be saved by sending the gradient of each block while
  the backward pass of the blocks before it still runs, which is why a part's gradient is sent when it is
  complete.
"""


def main() -> None:
    """Compute and write the page."""
    measured = json.loads((DOCS / "train_step_zen4.json").read_text())["rows"]
    (row,) = (row for row in measured if row["shape"] == "DeiT-Small 224")
    per_image = {name: work_of(model) for name, (model, _) in MODELS.items()}
    seconds = row["seconds"]["ternary"]
    rate = row["batch"] * per_image["DeiT-S"][0] / seconds
    machine = Machine(CORES, rate, NETWORK, MEMORY, LATENCY)
    lines, last_round = [], 0.0
    for name, (_, patch) in MODELS.items():
        operations, parameters = per_image[name]
        for batch, counts in RANKS.items():
            work = Work(operations, parameters, (224 // patch) ** 2, batch)
            alone = batch / step_cost(work, machine, 1).seconds
            for ranks in counts:
                cost = step_cost(work, machine, ranks)
                lines.append(line(name, work, cost, ranks, alone))
                last_round = max(last_round, cost.gather / cost.seconds)
    parts = parts_of(1024, (224 // 16) ** 2)
    text = TEXT.format(
        seconds=seconds,
        batch=row["batch"],
        rate=rate / 1e9,
        cores=CORES,
        network=8 * NETWORK / 1e9,
        memory=MEMORY / 1e9,
        latency=1e6 * LATENCY,
        price=PRICE,
        epochs=EPOCHS,
        models="\n".join(
            f"| {name} | {parameters / 1e6:.1f} million | {operations / 1e9:.1f} billion |"
            for name, (operations, parameters) in per_image.items()
        ),
        table="\n".join(lines),
        few=parts,
        most=ceil(parts / CORES),
        last_round=100 * last_round,
        more=ceil(parts_of(16384, (224 // 16) ** 2) / CORES),
    )
    PAGE.write_text(text, encoding="utf-8")
    print(PAGE)


def work_of(name: str) -> tuple[float, int]:
    """Return operations of one image, forward and backward, and the number of parameters."""
    model = create_model(name, num_classes=1000)
    return 6.0 * sum(macs(model).values()), model.num_params()


def parts_of(batch: int, patches: int) -> int:
    """Return the number of parts of a batch."""
    return part_count_of(batch * patches)


def line(name: str, work: Work, cost: StepCost, ranks: int, alone: float) -> str:
    """Write one row of the table."""
    speed = work.batch / cost.seconds
    hours = EPOCHS * (IMAGES // work.batch) * cost.seconds / 3600
    dollars = hours * ranks * CORES * PRICE
    times = (cost.compute, cost.exchange, cost.exposed, cost.gather, cost.update, cost.seconds)
    cells = [
        name,
        f"{work.batch:,}",
        f"{ranks:,}",
        f"{parts_of(work.batch, work.patches):,}",
        *(f"{value:.3g}" for value in times),
        f"{speed:,.0f}",
        f"{100 * speed / (ranks * alone):.0f} %",
        f"{hours / 24:.3g}",
        f"{dollars:,.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
