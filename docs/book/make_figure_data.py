"""Write the data of the book's moving figures, docs/book/figures/data.

    python docs/book/make_figure_data.py               from files of this repository
    python docs/book/make_figure_data.py runs/shapes   and the models of a run of `tervit train`

Each number comes from a file or a function of the repository; tests/figures checks that.
"""

import argparse
from pathlib import Path

from figure_data import chapters, read, stored, threshold, vit, write


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, nargs="?", help="folder of a finished run on shapes")
    args = parser.parse_args()
    if args.run:
        write("vit_models", vit.packed_files(args.run))
        write("vit_accuracy", vit.accuracy(read("vit_models")))
    models = read("vit_models")
    write("crossing_curves", stored.crossing_curves())
    write("roofline_measured", stored.roofline_measured())
    write("ste_task", chapters.straight_through())
    write("gradcheck_arrays", chapters.gradient_check())
    write("threshold_rows", threshold.trained_rows(models))
    write("vit_pictures", vit.picture_data(models["ternary"]))
    write("vit_cifar10", vit.cifar10_model())
    write("vit_numpy", vit.numpy_lines())


if __name__ == "__main__":
    main()
