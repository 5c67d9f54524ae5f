"""Make `dbrt/samples/sample.mp4` and `sample.json` anew: `python tools/make_sample_clip.py`.

Needs Pillow (`pip install "dbrt[synth]"`) and the fonts named in dbrt/samples/README.md.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import cv2  # noqa: F401  (before av: the other order breaks OpenCV's windows)

import av  # isort: skip

from dbrt.synth.sample_clip import FPS, FRAMES, HEIGHT, WIDTH, clip, write_truth

SAMPLES = Path(__file__).parent.parent / "dbrt" / "samples"
BT709, LIMITED_RANGE = 1, 1  # FFmpeg's numbers
OPTIONS = {"crf": "22", "preset": "slow", "tune": "animation"}


def main(folder: Path) -> None:
    """Render the clip, encode it as H.264 yuv420p with the index in front, and write its truth."""
    folder.mkdir(parents=True, exist_ok=True)
    truths = []
    with av.open(str(folder / "sample.mp4"), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(FPS), options=OPTIONS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, FPS)
        stream.gop_size = FPS * 2
        context = stream.codec_context
        # Tagged BT.709, as players assume for this size anyway, so that colours come out right.
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = LIMITED_RANGE
        for picture, truth in clip(FRAMES):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(
                format="yuv420p", dst_colorspace=BT709, dst_color_range=LIMITED_RANGE
            )
            frame.pts, frame.time_base = truth["frame"], Fraction(1, FPS)
            container.mux(stream.encode(frame))
            truths.append(truth)
        container.mux(stream.encode(None))
    write_truth(folder / "sample.json", truths)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES)
