"""One BLAS thread and the fast BLAS kernel, settled before NumPy is imported."""

from tervit_np.cli.startup import prepare

prepare()
