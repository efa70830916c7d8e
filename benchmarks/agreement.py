"""Compare the decisions of a packed file with those of the trained model.

    python benchmarks/agreement.py runs/cifar10

Exports the last stage of a run, loads the file, and classifies the run's test split with the
trained model and with the packed one, with attention in float32, bfloat16 and int8. The inputs of
both models' quantizers differ in their last bits, so a value close to a half may be rounded up in
one and down in the other. Prints how many decisions differ, their margins, and the largest
difference of logits.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

import tervit_np as tv
from data_tools import normalise
from tervit_np.cli.model_images import images_for
from tervit_np.cli.models import open_model


def main(run: str) -> None:
    """Compare and print."""
    loaded = open_model(run)
    images = images_for(loaded, None, "test")
    pixels, _ = images.pixels(np.arange(len(images)))
    batches = [normalise(pixels[i : i + 64], images.mean, images.std)
               for i in range(0, len(pixels), 64)]  # fmt: skip
    trained = np.concatenate([loaded.model.predict(batch) for batch in batches])
    ordered = np.sort(trained, axis=1)
    margins = ordered[:, -1] - ordered[:, -2]
    print(f"{loaded.file}: {images.name}, {len(trained)} test images, "
          f"median margin of a decision {np.median(margins):.3f}")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "packed.safetensors"
        tv.export(loaded.model, file)
        for attention in ("float32", "bfloat16", "int8"):
            packed = tv.load_packed(file, attention=attention)
            logits = np.concatenate([packed.predict(batch) for batch in batches])
            differing = np.flatnonzero(logits.argmax(axis=1) != trained.argmax(axis=1))
            distance = np.abs(logits - trained).max() / np.abs(trained).max()
            accuracies = [
                100 * (x.argmax(axis=1) == images.labels).mean() for x in (trained, logits)
            ]
            print(
                f"attention {attention}: {len(trained) - len(differing)} decisions equal, "
                f"{len(differing)} differ, with margins up to "
                f"{margins[differing].max(initial=0):.4f}; logits within {distance:.1e} of the "
                f"largest; accuracy {accuracies[0]:.2f} % trained, {accuracies[1]:.2f} % packed"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN", help="finished run folder")
    main(parser.parse_args().run)
