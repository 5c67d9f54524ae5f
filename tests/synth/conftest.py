"""A font that is there wherever Pillow is, so that these tests do not depend on the machine's."""

import pytest

from dbrt.synth.fonts import FontBook


@pytest.fixture(scope="session")
def font(tmp_path_factory):
    image_font = pytest.importorskip("PIL.ImageFont", reason="Pillow is not installed")
    path = tmp_path_factory.mktemp("fonts") / "default.ttf"
    path.write_bytes(image_font.load_default(20).font_bytes)
    return path


@pytest.fixture(scope="session")
def book(font):
    return FontBook({"latin": ((font,),)})
