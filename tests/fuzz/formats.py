"""All formats of files that the fuzz command damages, by name."""

from tests.fuzz.cache_files import CACHES
from tests.fuzz.data_files import DATA
from tests.fuzz.model_files import MODELS
from tests.fuzz.run_files import RUNS

FORMATS = MODELS | DATA | RUNS | CACHES
