"""Readers of other formats: safetensors and PyTorch's two containers, without torch.

Every reader checks sizes before it allocates memory, runs no code from a file, and raises
ValueError with one sentence for any damage.
"""
