"""`tervit export`: a trained model as one small file, for our kernels or as an ONNX graph."""

import argparse
from typing import TYPE_CHECKING

from tervit_np.cli.models import add_model, files_read, open_model
from tervit_np.cli.options import add_stage, refuse_overwriting
from tervit_np.cli.parser import CommandParser
from tervit_np.cli.plans import add_plan

if TYPE_CHECKING:
    from pathlib import Path

    from tervit_np.cli.models import LoadedModel

_FILES = {"packed": "packed.safetensors", "onnx": "model.onnx"}

HELP = """Write a quantized model as one small file.

Two formats: packed, with five ternary weights in a byte, or two of 4 bits, for `tervit predict` and
`tervit eval`; or an ONNX graph (opset 25), with four ternary weights in a byte, for onnxruntime and
others."""
EXAMPLES = """\
  tervit export runs/cifar10                       to runs/cifar10/packed.safetensors
  tervit export runs/cifar10 --out cifar.safetensors --precision float16
  tervit export deit_small_patch16_224 --plan ternary --out deit.safetensors
  tervit export runs/cifar10 --stage float --plan plan.toml
  tervit export runs/cifar10 --format onnx         to runs/cifar10/model.onnx

then:
  tervit predict cifar.safetensors cat.jpg"""


def add_arguments(parser: CommandParser) -> None:
    """Declare the options."""
    add_model(parser, packed=False)
    add_stage(parser)
    add_plan(parser, "quantize by another plan")
    parser.add_argument(
        "--format", choices=tuple(_FILES), default="packed", help="of the file (default: packed)"
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="file to write (default: packed.safetensors or model.onnx in the run's folder; for "
        "weights from elsewhere, next to them, with their name in front)",
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "float16"),
        help="of scales and unquantized tensors of a packed file (default: float32)",
    )


def run(args: argparse.Namespace) -> int:
    """Write the file and print its size."""
    from pathlib import Path

    from tervit_np.analysis.sizes import sizes
    from tervit_np.models.quantization import plan_of

    loaded = open_model(args.model, args.stage, args.plan)
    if loaded.model.packed:
        raise ValueError(f"{loaded.file} is packed; export the model that it was exported from")
    out = Path(args.out) if args.out else _default_path(loaded, args.format)
    refuse_overwriting("--out", out, files_read(loaded, args.plan))
    _export(loaded, out, args.format, args.precision)
    if not plan_of(loaded.model).rules:
        print("note: no layer of this model is quantized; try --plan ternary or another --stage")
    size, float32 = out.stat().st_size, sizes(loaded.model).float32
    print(f"{out}: {size / 1e6:.3f} MB, {float32 / size:.1f} times smaller than in float32")
    if args.format == "onnx":
        print(
            'in onnxruntime set session.qdq_matmulnbits_accuracy_level to "1", otherwise its '
            "layers of 4 and 8 bits round their inputs once more"
        )
    return 0


def _default_path(loaded: "LoadedModel", file_format: str) -> "Path":
    """Return a path next to the model; for weights from elsewhere their name comes first."""
    file = _FILES[file_format]
    name = file if loaded.data is not None else f"{loaded.file.stem}-{file}"
    return loaded.file.with_name(name)


def _export(loaded: "LoadedModel", out: "Path", file_format: str, precision: str | None) -> None:
    from tervit_np.deploy import export
    from tervit_np.deploy.onnx_file import export_onnx

    if file_format != "onnx" and out.suffix.lower() == ".onnx":
        raise ValueError(
            f"--out is {out}, as an ONNX graph is called; add --format onnx, or name a packed file "
            f"{out.with_suffix('.safetensors').name}"
        )
    if file_format == "onnx" and precision is not None:
        raise ValueError("--precision applies to packed files; an ONNX graph computes in float32")
    if file_format == "onnx":
        export_onnx(loaded.model, out, extra=loaded.description())
    else:
        export(loaded.model, out, precision=precision or "float32", extra=loaded.description())
