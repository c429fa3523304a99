"""Formats beyond those that every Pillow reads, and what is said where the extra for them is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from data_images import encoded, photograph, write_classes

from eyebright.data.decode import decode
from eyebright.data.folder import scan
from eyebright.data.formats import known
from eyebright.data.header import read_header
from eyebright.errors import DataError, ImageError
from eyebright.runtime.install import install_command

HEIC = Path(__file__).parents[3] / "material" / "waves.heic"
PICTURE = photograph(64, 48)


@pytest.fixture
def without_extras(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(known, "find_spec", lambda name: None)
    known.extensions.cache_clear()
    yield
    known.extensions.cache_clear()


@pytest.mark.parametrize(("kind", "ending"), [("AVIF", "avif"), ("JPEG2000", "jp2")])
def test_what_pillow_reads(kind: str, ending: str, tmp_path: Path) -> None:
    if ending not in known.extensions():
        pytest.skip(f"this Pillow reads no {kind}")
    path = tmp_path / f"a.{ending}"
    path.write_bytes(encoded(PICTURE, kind))
    assert np.abs(decode(path).astype(int) - np.asarray(PICTURE)).mean() < 6
    assert (read_header(path).width, read_header(path).height) == (64, 48)


def test_heic() -> None:
    pytest.importorskip("pi_heif")
    y, x = np.mgrid[:48, :64] / 48
    expected = np.stack([128 + 100 * np.sin(9 * x), 128 + 100 * np.sin(9 * y), 128 + 0 * x], -1)
    assert np.abs(decode(HEIC) - expected).mean() < 6
    assert read_header(HEIC).width == 64
    assert "heic" in known.extensions()


def test_dicom() -> None:
    pytest.importorskip("pydicom")
    from pydicom.data import get_testdata_file

    windowed = decode(get_testdata_file("MR_small.dcm"))
    assert windowed.shape == (64, 64, 3)
    assert (windowed.min(), windowed.max()) == (52, 255)
    signed = decode(get_testdata_file("CT_small.dcm"))  # without a window
    assert (signed.min(), signed.max()) == (0, 255)
    colour = decode(get_testdata_file("SC_rgb_small_odd.dcm"))
    assert colour[0, 0].tolist() == [166, 141, 52] or colour.std() > 10
    with pytest.raises(ImageError, match="JPEG-LS"):
        decode(get_testdata_file("MR_small_jpeg_ls_lossless.dcm"))
    with pytest.raises(ImageError, match="must hold a picture"):
        decode(get_testdata_file("rtplan.dcm"))


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_dicom_without_a_window_is_deep_grey(kind: str, tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    values = np.array([[0, 1000, 4095]], np.uint16)
    data = pydicom.Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    data.Rows, data.Columns, data.SamplesPerPixel = 1, 3, 1
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.PhotometricInterpretation = kind
    data.PixelData = values.tobytes() + b""
    data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    found = decode(tmp_path / "a.dcm", white_level=4095)[0, :, 0].tolist()
    assert found == ([255, 193, 0] if kind == "MONOCHROME1" else [0, 62, 255])
    assert read_header(tmp_path / "a.dcm").white_level == 65535


def test_the_line_that_installs_the_extra_is_said(without_extras: None, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"\[heif\]"):
        decode(HEIC)
    write_classes(tmp_path / "data", {"cat": 5, "dog": 5})
    (tmp_path / "data" / "cat" / "x.heic").write_bytes(HEIC.read_bytes())
    notes = [w.reason_values for w in scan(tmp_path / "data").warnings]
    assert {"format": "HEIC", "extra": "heif", "command": install_command("heif")} in notes
    (tmp_path / "phone" / "cat").mkdir(parents=True)
    (tmp_path / "phone" / "cat" / "x.HEIC").write_bytes(HEIC.read_bytes())
    with pytest.raises(DataError, match=r"1 file with other extensions \(\.heic 1\).*\[heif\]"):
        scan(tmp_path / "phone")
