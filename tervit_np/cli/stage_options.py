"""The stages of a new run: those of --stages or the preset, changed by options about stages."""

import argparse
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tervit_np.cli.plans import ChosenPlan, chosen_plan

if TYPE_CHECKING:
    from tervit_np.models import Classifier
    from tervit_np.train import Stage
    from tervit_np.train.presets import Preset


def chosen_stages(args: argparse.Namespace, preset: "Preset") -> "list[Stage]":
    """Return the stages of --stages or the preset, changed by the other options about stages."""
    from data_tools.terminal import shell_word
    from tervit_np.train import float_twin, with_ramp, with_schedule

    stages = list(preset.stages)
    if args.stages is not None:
        stages = parse_stages(args.stages, preset, one_rate=args.schedule == "fused")
    if args.plan is not None:
        if args.stages is not None:
            word = shell_word(f"{args.plan}:8")
            raise ValueError(
                f"--plan cannot be given with --stages; name it there: --stages {word}"
            )
        stages[-1] = replace(stages[-1], **_plan_and_name(args.plan))
    stages = _with_teacher(stages, args.teacher)
    if args.schedule is not None:
        stages = with_schedule(stages, args.schedule)
    if args.ramp is not None:
        stages = with_ramp(stages, args.ramp)
    if args.float_twin:
        for name in ("plan", "ramp"):
            if getattr(args, name) is not None:
                raise ValueError(
                    f"--float-twin makes all weights float; it leaves no use for --{name}"
                )
        stages = float_twin(stages)
    return [replace(stage, freeze=args.freeze) for stage in stages] if args.freeze else stages


def parse_stages(text: str, preset: "Preset", one_rate: bool = False) -> "list[Stage]":
    """Parse `float:20,int8:2,ternary:8@1e-3`; a missing rate is the preset's for that plan.

    With `one_rate` all stages have the rate of the first.

    Raises
    ------
    ValueError
        If a part is not PLAN:EPOCHS or PLAN:EPOCHS@RATE, its plan is unknown or invalid, or its
        rate is another one with `one_rate`.
    """
    rates = {stage.plan: stage.lr for stage in preset.stages if isinstance(stage.plan, str)}
    first, *others = text.split(",")
    stages = [_parse_stage(first.strip(), rates, preset.stages[-1].lr)]
    rates, default = ({}, stages[0].lr) if one_rate else (rates, preset.stages[-1].lr)
    stages += [_parse_stage(part.strip(), rates, default) for part in others]
    if one_rate and any(stage.lr != stages[0].lr for stage in stages):
        raise ValueError(
            "--schedule fused has one peak learning rate; give it to the first of the --stages "
            f"alone: {first.strip()}"
        )
    return stages


def _parse_stage(text: str, rates: dict[str, float], default: float) -> "Stage":
    from tervit_np.train import Stage

    plan, _, rest = text.rpartition(":")  # a path may have a colon
    epochs, _, rate = rest.partition("@")
    try:
        length, lr = float(epochs), float(rate) if rate else rates.get(plan, default)
    except ValueError:
        raise ValueError(f"--stages: {text!r} is not PLAN:EPOCHS or PLAN:EPOCHS@RATE") from None
    return Stage(**_plan_and_name(plan), epochs=length, lr=lr)


def _plan_and_name(text: str) -> dict[str, Any]:
    """Return the plan of a stage, a name or the plan of a file, and what the stage is called."""
    chosen = chosen_plan(text)
    if chosen.from_file:
        return {"plan": chosen.plan, "name": re.sub(r"[^\w.-]+", "-", Path(text).stem)}
    name = re.sub("^int([2-8])", r"\1-bit", text)  # int8-static: 8-bit-static
    return {"plan": text, "name": name}


def _with_teacher(stages: "list[Stage]", teacher: str | None) -> "list[Stage]":
    """Give all stages after the teacher's this teacher."""
    if teacher is None:
        return stages
    names = [stage.name for stage in stages]
    if teacher not in names:
        raise ValueError(f"--teacher is {teacher!r}; expected one of the stages {', '.join(names)}")
    first = names.index(teacher) + 1
    if first == len(stages):
        advice = "name an earlier stage" if first > 1 else "add a stage behind it with --stages"
        raise ValueError(
            f"--teacher is {teacher!r}, the last stage, so that no later one could learn from it; "
            f"{advice}"
        )
    return [*stages[:first], *(replace(stage, teacher=teacher) for stage in stages[first:])]


def check_plan_files(stages: "list[Stage]", model: "Classifier") -> None:
    """Raise ValueError if a plan file does not fit the model's layers."""
    for stage in stages:
        if not isinstance(stage.plan, str):
            ChosenPlan(f"{stage.name}.toml", stage.plan, from_file=True).check(model)


def describe_stage(stage: "Stage") -> str:
    """Say in one line how a stage trains."""
    from data_tools.counted import counted

    taught = f", learns from {stage.teacher}" if stage.teacher else ""
    plan = stage.plan
    named = (
        f"plan {plan}" if isinstance(plan, str) else f"plan of {counted(len(plan.rules), 'entry')}"
    )
    rate = f"peak learning rate {stage.lr:g}, at the end {stage.lr * stage.final_lr:g}"
    kept = ", keeps the optimizer's state" if stage.optimizer == "keep" else ""
    warmup = f", warm-up {counted(stage.warmup * stage.epochs, 'epoch')}" if stage.warmup else ""
    length = counted(stage.epochs, "epoch")
    fade = f", weight quantizers fade in over {counted(stage.ramp * stage.epochs, 'epoch')}"
    ramp = fade if stage.ramp else ""
    frozen = f", without training {stage.freeze}" if stage.freeze else ""
    return f"{stage.name}: {named}, {length}, {rate}{warmup}{kept}{ramp}{taught}{frozen}"
