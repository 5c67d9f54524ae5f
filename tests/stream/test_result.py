from __future__ import annotations

import json

from dbrt.regions import TextRegions


def test_a_line_holds_regions_in_pixels_of_the_frame_and_times(make_result):
    line = json.loads(json.dumps(make_result(index=3).to_dict()))
    assert line["schema"] == "dbrt.stream.frame/1"
    assert (line["source"], line["frame"], line["time_s"]) == ("clip.mp4", 3, 0.12)
    assert (line["width"], line["height"]) == (64, 48)
    assert line["times_ms"] == {"network": 12.5}
    assert len(TextRegions.from_dict(line)) == 1


def test_the_picture_is_drawn_once_for_all_sinks(make_result):
    drawn = []
    result = make_result(on_drawn=drawn.append)
    assert result.picture() is result.picture()
    assert len(drawn) == 1
    assert (result.picture() != result.frame).any()
