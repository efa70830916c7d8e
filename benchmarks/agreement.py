"""Whether a packed file decides as the model did that it was packed from.

    python benchmarks/agreement.py runs/cifar10

Exports the last stage of a run, reads the file back and classifies the run's test split twice: by
the layers that were trained, and by the packed kernels, with attention in float32 and on bytes.
Both round the same numbers, but not to the last bit, and a value next to a half may be rounded the
other way. Prints how many decisions differ, how near a tie they were, and how far logits are apart.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import tervit_np as tv
from data_tools import normalise
from tervit_np.cli.models import images_for, open_model


def main(run: str) -> None:
    """Compare and print."""
    opened = open_model(run)
    images = images_for(opened, None, "test")
    pixels, _ = images.pixels(np.arange(len(images)))
    batches = [normalise(pixels[i : i + 64], images.mean, images.std)
               for i in range(0, len(pixels), 64)]  # fmt: skip
    trained = np.concatenate([opened.model.predict(batch) for batch in batches])
    best = np.sort(trained, axis=1)
    margins = best[:, -1] - best[:, -2]
    print(f"{opened.file}: {images.name}, {len(trained)} test images, "
          f"median margin of a decision {np.median(margins):.3f}")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "packed.safetensors"
        tv.export(opened.model, file)
        for attention in ("float32", "int8"):
            packed = tv.load_packed(file, attention=attention)
            found = np.concatenate([packed.predict(batch) for batch in batches])
            differing = np.flatnonzero(found.argmax(axis=1) != trained.argmax(axis=1))
            distance = np.abs(found - trained).max() / np.abs(trained).max()
            accuracies = [
                100 * (x.argmax(axis=1) == images.labels).mean() for x in (trained, found)
            ]
            print(
                f"attention {attention}: {len(trained) - len(differing)} decisions equal, "
                f"{len(differing)} differ at margins up to "
                f"{margins[differing].max(initial=0):.4f}; logits within {distance:.1e} of the "
                f"largest; accuracy {accuracies[0]:.2f} % trained, {accuracies[1]:.2f} % packed"
            )


if __name__ == "__main__":
    main(sys.argv[1])
