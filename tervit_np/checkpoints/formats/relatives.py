"""Near relatives of DeiT and Swin, recognised by the names of their tensors.

Their weights have many names in common with ours. They are refused by name, since each computes
something else: read as a DeiT or a Swin, they would give wrong results.
"""

import re
from collections.abc import Iterable

_RELATIVES = [  # the first match wins, so that the more special ones come first
    (r"\blora_[AB]\b|\bbase_layer\.", "a model with adapters (LoRA) that are not merged into it"),
    (r"logit_scale|cpb_mlp|continuous_position_bias_mlp", "Swin V2"),
    (r"attn\.(tau|meta_mlp)", "Swin V2-CR"),
    (r"^absolute_pos_embed", "a Swin with absolute positions"),
    (r"^(reg_token|register_tokens|embeddings\.register_tokens|storage_tokens)",
     "a ViT with register tokens (DINOv2, DINOv3)"),
    (r"^blocks_token_only\.", "CaiT"),
    (r"attn\.gating_param", "ConViT"),
    (r"attn\.(q_bias|v_bias)$|^blocks\.\d+\.attn\.relative_position|^rel_pos_bias\.|lambda_[12]$",
     "BEiT"),
    (r"mlp\.(w12|w1|fc1_g|weights_in)\.", "a ViT with SwiGLU (EVA-02, DINOv2-giant)"),
    (r"\bgamma_[12]$|\bls[12]\.gamma$|layer_scale[12]?\.",
     "a ViT with LayerScale (DeiT III, DINOv2)"),
    (r"^(norm_pre|ln_pre|pre_layrnorm|vision_model)\.", "CLIP's image encoder"),
    (r"attn\.[qk]_norm\.", "a ViT with normalised queries and keys"),
    (r"^attn_pool\.", "a ViT with attention pooling (SigLIP)"),
    (r"^fc_norm\.", "a ViT that pools before its last LayerNorm (timm's fc_norm: MAE, BEiT)"),
    (r"^pre_logits\.", "a ViT with a layer before its head (pre_logits)"),
    (r"^patch_embed\.(backbone|conv_\w+|proj\.\d)", "a hybrid of ViT and a convolutional network"),
    (r"^conv_proj\.|encoder_layer_\d", "torchvision's ViT, with names of its own"),
    (r"^features\.\d+\.\d+\.attn\.", "torchvision's Swin, with names of its own"),
    (r"^(layers|stages)\.\d+\.blocks\.\d+\.attn\.w_msa\.", "a Swin with the names of OpenMMLab"),
    (r"^layers\.\d+\.ln1\.|^layers\.\d+\.attn\.attn\.", "a ViT with the names of OpenMMLab"),
    (r"^patch_embed1\.|^block1\.", "PVT"),
    (r"^stages?\.\d|^downsample_layers\.", "a network in stages such as ConvNeXt or MaxViT"),
]  # fmt: skip
_COMPILED = [(re.compile(pattern), words) for pattern, words in _RELATIVES]


def refuse_relatives(names: Iterable[str]) -> None:
    """Raise ValueError if names show a model that is related to DeiT or Swin, but is neither."""
    listed = list(names)
    for pattern, words in _COMPILED:
        if name := next((name for name in listed if pattern.search(name)), None):
            raise ValueError(
                f"these are the weights of {words}: it has the tensor {name}; expected those of a "
                "DeiT or Swin with the names of their authors, timm or Hugging Face"
            )
