"""One BLAS thread for all tests, set before NumPy is imported.

Test arrays are small: more threads than cores to spare make them ten times slower, not faster.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
