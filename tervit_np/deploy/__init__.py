"""Small files of quantized models, and running from them."""

from tervit_np.deploy.loading import Packed, is_packed, load_packed, stored_plan
from tervit_np.deploy.writing import export

__all__ = ["Packed", "export", "is_packed", "load_packed", "stored_plan"]
