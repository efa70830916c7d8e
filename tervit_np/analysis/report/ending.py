"""The end of the page: what to do next, and how to reproduce the run."""

from collections import defaultdict
from typing import Any

from data_tools.counted import counted
from data_tools.terminal import shell_word
from tervit_np.analysis import html
from tervit_np.analysis.report.results import Results, is_quantized
from tervit_np.deploy import can_be_packed
from tervit_np.quant.plan import plan_table
from tervit_np.train.progress import clock
from tervit_np.train.stage_time import total_time


def next_steps(results: Results) -> list[str]:
    """List commands that go on with this run."""
    run, last = shell_word(results.run.folder.path), results.last.model
    commands = {
        f"tervit predict {run} PICTURE --show seen.png": "what the model sees in your picture",
        f"tervit log {run} --csv": "every number of the training, for a spreadsheet",
    }
    if is_quantized(last) and can_be_packed(last):
        commands[f"tervit export {run}"] = "the small file, which runs on integer kernels"
    if {"float", "ternary"} <= {result.name for result in results.stages}:
        commands[f"tervit surface {run}"] = "the loss around both models, and between them"
        commands[f"tervit sensitivity {run}"] = "which layers suffer most, by the loss"
    commands["tervit exercise"] = "write parts of the library yourself, with hints"
    return [html.heading("What to do next"), html.definitions(commands, "commands")]


def provenance(results: Results) -> list[str]:
    """Write the command, the data and the software of the run, and the quantizers of each layer."""
    run, config = results.run, results.run.config
    data = config["data"]
    machine = defaultdict(lambda: "unknown", config["environment"])
    cores = "1 core" if machine["cores"] == "1" else f"{machine['cores']} cores"
    seconds = total_time([stage.seconds for stage in run.stages])
    duration = "unknown time" if seconds is None else clock(seconds)
    stages = ", ".join(f"{s['name']} {s['epochs']:g}" for s in config["stages"])
    facts = {
        "seed": str(config["seed"]),
        "model": f"{config['model']['parameters']:,} parameters",
        "images": f"{data['train']:,} train, {data['val']:,} validation, {data['test']:,} test",
        "epochs": stages,
        "training": f"{duration} on {_processes(config)}",
        **_cpu_time(results),
        "started": config["started"].replace("T", " "),
        "software": f"tervit_np {machine['tervit_np']}, Python {machine['python']}, NumPy "
        f"{machine['numpy']}, Numba {machine['numba']}, backend {machine['backend']}",
        "machine": f"{machine['processor']}, {cores}, {machine['blas']}",
    }
    command = config["command"] or "tervit_np.train.run(...), called from Python"
    table = html.code(plan_table(results.last.model.quantizable(), results.last.model.norms()))
    return [
        html.heading("How to reproduce this"),
        html.code(command),
        html.definitions(facts),
        html.details("Quantizers of each layer", table),
    ]


def _cpu_time(results: Results) -> dict[str, str]:
    """Return the CPU time of training; nothing where that of a stage is unknown."""
    run = results.run
    seconds = total_time([stage.cpu_seconds for stage in run.stages])
    if seconds is None:
        return {}
    of_rank = " of rank 0" if run.config.get("ranks", 1) > 1 else ""
    return {"CPU time": f"{clock(seconds)}{of_rank}"}


def _processes(config: dict[str, Any]) -> str:
    """Say on how many ranks and threads a run began, as "2 ranks of 4 threads each"."""
    ranks, threads = config.get("ranks", 1), config["threads"]
    words = counted(threads, "thread")
    return words if ranks == 1 else f"{ranks} ranks of {words} each"
