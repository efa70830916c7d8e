"""Training: optimizer, schedule, progressive stages, the loop, run folders."""

from tervit_np.train.adamw import AdamW
from tervit_np.train.clip import clip_grad_norm
from tervit_np.train.ema import EMA
from tervit_np.train.evaluate import Evaluation, cached_batch_size, evaluate
from tervit_np.train.interrupt import Interrupted
from tervit_np.train.loop import run
from tervit_np.train.muon import Muon
from tervit_np.train.parallel import ParallelModel
from tervit_np.train.presets import PRESETS, Preset, named_preset, preset_for
from tervit_np.train.resume import RunArguments, run_arguments_from
from tervit_np.train.schedule import warmup_cosine
from tervit_np.train.splits import Data, load_data
from tervit_np.train.stage_schedules import with_ramp, with_schedule
from tervit_np.train.stages import Recipe, Stage, StageResult, float_twin

__all__ = [
    "EMA",
    "PRESETS",
    "AdamW",
    "Data",
    "Evaluation",
    "Interrupted",
    "Muon",
    "ParallelModel",
    "Preset",
    "Recipe",
    "RunArguments",
    "Stage",
    "StageResult",
    "cached_batch_size",
    "clip_grad_norm",
    "evaluate",
    "float_twin",
    "load_data",
    "named_preset",
    "preset_for",
    "run",
    "run_arguments_from",
    "warmup_cosine",
    "with_ramp",
    "with_schedule",
]
