"""Probability maps to text regions: `decode`, and `warm_up` to have its kernels ready."""

from dbrt.postproc.decode import decode
from dbrt.postproc.warm_up import warm_up

__all__ = ["decode", "warm_up"]
