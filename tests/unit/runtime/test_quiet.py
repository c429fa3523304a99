"""What libraries print of files that are skipped anyway does not reach the terminal."""

from __future__ import annotations

import sys
from io import BytesIO

import pytest
from data_images import encoded, photograph
from PIL import Image

from eyebright.runtime.quiet import quiet_libraries


@pytest.mark.skipif(sys.platform == "win32", reason="libtiff is linked into Pillow there")
def test_libtiff_is_quiet_in_the_block_alone(capfd: pytest.CaptureFixture[str]) -> None:
    whole = encoded(photograph(60, 40), "TIFF", compression="tiff_adobe_deflate")
    damaged = whole[:200] + bytes(200) + whole[400:]

    def said() -> str:
        with pytest.raises(OSError, match=r"error|truncated"):
            Image.open(BytesIO(damaged)).load()
        return capfd.readouterr().err

    loud = said()
    assert "ZIPDecode" in loud
    with quiet_libraries():
        assert said() == ""
    assert said() == loud
