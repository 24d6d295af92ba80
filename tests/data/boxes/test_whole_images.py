from __future__ import annotations

import pytest

from monai_sg.data.boxes.whole_images import whole_images
from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.data.records import Datalist


def test_each_image_of_a_split_that_can_be_read(cache: VolumeCache, caplog: pytest.LogCaptureFixture) -> None:
    records = [{"image": name, "id": name, "patient": name} for name in ("far", "bad", "near")]
    datalist = Datalist(training=records, validation=[{**records[1], "id": "bad"}])
    assert whole_images(datalist, cache, "training") == [{"id": "far", "box": None}, {"id": "near", "box": None}]
    assert whole_images(datalist, cache, "test") == []
    assert not caplog.messages
    assert whole_images(datalist, cache, "validation") == whole_images(datalist, cache, "training")
    assert caplog.messages == ["No validation image can be used, so the training images are validated on."]
    with pytest.raises(ValueError, match="'all' is unknown"):
        whole_images(datalist, cache, "all")
