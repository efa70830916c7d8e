import pytest

from tervit_np.models import CONFIGS
from tests.checkpoints.forms import MODELS


@pytest.fixture
def small_models():
    """Know only the models of forms.py; the registry gets its models back in their order."""
    known = dict(CONFIGS)
    CONFIGS.clear()
    CONFIGS.update(MODELS)
    yield
    CONFIGS.clear()
    CONFIGS.update(known)
