import pytest

from tervit_np.models import CONFIGS
from tests.checkpoints.forms import MODELS


@pytest.fixture
def small_models(monkeypatch):
    """Know only the models of forms.py."""
    for name in list(CONFIGS):
        monkeypatch.delitem(CONFIGS, name)
    for name, config in MODELS.items():
        monkeypatch.setitem(CONFIGS, name, config)
