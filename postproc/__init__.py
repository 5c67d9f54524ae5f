"""Probability maps to text regions: `decode`, and `warm_up` to have its kernels ready."""

from dbrt.postproc.decoder import decode, warm_up

__all__ = ["decode", "warm_up"]
