"""Live video to text regions: sources, the pipeline between, and sinks.

OpenCV is loaded here, before any module of this package can load PyAV: in the other order
`cv2.imshow` hangs for ever under X11 (PyAV-Org/PyAV#1050; both wheels carry libxcb).
"""

import cv2  # noqa: F401
