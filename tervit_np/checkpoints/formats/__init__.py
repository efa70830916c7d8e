"""Weights in files that others wrote: safetensors and PyTorch's two containers, read without torch.

Every reader checks sizes before it allocates, runs nothing that a file says, and turns whatever is
wrong into one sentence (ValueError).
"""
