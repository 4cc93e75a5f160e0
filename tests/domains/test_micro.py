"""OME-TIFF, OME-Zarr and slides, read back by tifffile, zarr and tiffslide."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubled import Doubled, blocks, smooth

from subpixel import Upscaler
from subpixel.domains import upscale_file
from subpixel.errors import UnreadableImage
from subpixel.jobs.discovery import find_jobs

tifffile = pytest.importorskip("tifffile")
zarr = pytest.importorskip("zarr")
tiffslide = pytest.importorskip("tiffslide")

STACK = np.stack([[smooth() * 1000 * c + 5000 + 100 * z for z in range(3)] for c in (1, 2)]).astype("uint16")  # C Z Y X
ABOUT = {
    "axes": "CZYX", "PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "µm",
    "PhysicalSizeZ": 2.0, "Channel": {"Name": ["DAPI", "GFP"]},
}  # fmt: skip


def pixels(path: Path) -> Any:
    with tifffile.TiffFile(path) as file:
        return next(e for e in ElementTree.fromstring(file.ome_metadata).iter() if e.tag.endswith("Pixels"))


def test_ome_tiff_keeps_what_it_says_and_its_planes(tmp_path: Path, doubled: Doubled) -> None:
    tifffile.imwrite(tmp_path / "a.ome.tif", STACK, photometric="minisblack", metadata=ABOUT)
    assert doubled(tmp_path / "a.ome.tif", tmp_path / "b.ome.tif") is None
    made = pixels(tmp_path / "b.ome.tif")
    assert (made.get("PhysicalSizeX"), made.get("PhysicalSizeY"), made.get("PhysicalSizeZ")) == ("0.125", "0.25", "2.0")
    assert (made.get("SizeX"), made.get("SizeY"), made.get("PhysicalSizeXUnit")) == ("40", "48", "µm")
    assert [e.get("Name") for e in made.iter() if e.tag.endswith("Channel")] == ["DAPI", "GFP"]
    with tifffile.TiffFile(tmp_path / "b.ome.tif") as file:
        assert (file.series[0].axes, file.series[0].shape) == ("CZYX", (2, 3, 48, 40))
        assert np.abs(blocks(file.series[0].asarray()) - STACK).max() <= 0.5


def test_ome_tiff_pyramids_are_rebuilt(tmp_path: Path, doubled: Doubled) -> None:
    colours = np.stack([np.tile(smooth(), (12, 14)) * k + 120 for k in (10, 20, 30)], -1).astype("uint8")
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
        about = {"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
        file.write(colours, subifds=1, photometric="rgb", metadata=about)
        file.write(colours[::2, ::2], subfiletype=1, photometric="rgb")
    doubled(tmp_path / "a.ome.tif", tmp_path / "b.ome.tif", Upscaler("bicubic"))
    with tifffile.TiffFile(tmp_path / "b.ome.tif") as file:
        levels = [level.asarray() for level in file.series[0].levels]
    assert [level.shape for level in levels] == [(576, 560, 3), (288, 280, 3)]
    assert np.abs(blocks(levels[0].transpose(2, 0, 1)) - levels[1].transpose(2, 0, 1)).max() <= 0.5
    assert np.abs(levels[1].astype(int) - colours).max() <= 1


def test_ome_tiff_refusals(tmp_path: Path, doubled: Doubled) -> None:
    tifffile.imwrite(tmp_path / "a.ome.tif", STACK[0, 0], metadata={"axes": "YX"})
    text = tifffile.tiffcomment(tmp_path / "a.ome.tif")
    tifffile.tiffcomment(tmp_path / "a.ome.tif", text.replace("</OME>", '<ROI ID="ROI:0"/></OME>').encode())
    with pytest.raises(UnreadableImage, match="regions of interest"):
        doubled(tmp_path / "a.ome.tif", tmp_path / "b.ome.tif")
    tifffile.imwrite(tmp_path / "c.ome.tif", STACK[0, 0].astype("complex64"), metadata={"axes": "YX"})
    with pytest.raises(UnreadableImage, match="complex64"):
        doubled(tmp_path / "c.ome.tif", tmp_path / "b.ome.tif")


def test_ome_tiff_with_its_colours_apart_and_white_that_is_0(tmp_path: Path, doubled: Doubled) -> None:
    colours = np.stack([[smooth() * k + 120 for k in (10, 20, 30)], [smooth() * k + 99 for k in (5, 9, 7)]]).astype(
        "u1"
    )
    about = {"photometric": "rgb", "planarconfig": "separate"}
    tifffile.imwrite(tmp_path / "a.ome.tif", colours, metadata={"axes": "ZSYX"}, **about)
    tifffile.imwrite(tmp_path / "c.ome.tif", colours[0, 0], metadata={"axes": "YX"}, photometric="miniswhite")
    for source, made in (("a", "b"), ("c", "d")):
        assert doubled(tmp_path / f"{source}.ome.tif", tmp_path / f"{made}.ome.tif") is None
    with tifffile.TiffFile(tmp_path / "b.ome.tif") as file:
        assert (file.series[0].axes, len(file.pages)) == ("ZYXS", 2)
        assert np.abs(blocks(file.series[0].asarray().transpose(0, 3, 1, 2)) - colours).max() <= 0.5
    with tifffile.TiffFile(tmp_path / "d.ome.tif") as file:
        assert file.pages[0].photometric == tifffile.PHOTOMETRIC.MINISWHITE
        assert np.abs(blocks(file.asarray()) - colours[0, 0]).max() <= 0.5
    palette = np.zeros((3, 256), "u2")
    tifffile.imwrite(tmp_path / "e.ome.tif", colours[0, 0], photometric="palette", colormap=palette, metadata={})
    with pytest.raises(UnreadableImage, match="palette"):
        doubled(tmp_path / "e.ome.tif", tmp_path / "f.ome.tif")


@pytest.mark.parametrize("version", [2, 3])
def test_label_images_are_copied_and_what_lies_beside_is_told(version: int, tmp_path: Path, doubled: Doubled) -> None:
    classes = np.random.default_rng(0).integers(0, 2**40, (24, 20))
    group = zarr.open_group(str(tmp_path / "a.ome.zarr"), mode="w", zarr_format=version)
    for k in range(3):
        array = group.create_array(f"s/{k}", data=np.ascontiguousarray(classes[:: 2**k, :: 2**k]), fill_value=7)
    array.attrs["about"] = "the smallest"
    own = [{"path": f"s/{k}", "coordinateTransformations": [{"type": "scale", "scale": [1, 1]}]} for k in range(3)]
    axes = [{"name": name, "type": "space"} for name in "yx"]
    reduced = {"type": "gaussian", "metadata": {"method": "skimage.transform.pyramid_gaussian"}}
    about = {"multiscales": [{"axes": axes, "datasets": own} | reduced], "image-label": {"version": "0.4"}}
    group.attrs.update(about if version == 2 else {"ome": about})
    group.create_group("tables")
    (tmp_path / "a.ome.zarr" / "METADATA.ome.xml").write_text("<OME/>")
    note = doubled(tmp_path / "a.ome.zarr", tmp_path / "b.ome.zarr")
    assert note == "left out: METADATA.ome.xml, tables, how its levels were reduced, attributes of arrays"
    made = zarr.open_group(str(tmp_path / "b.ome.zarr"), mode="r")
    (scales,) = made.attrs.get("ome", made.attrs)["multiscales"]
    assert not scales.keys() & {"type", "metadata"}
    twice = np.kron(classes, np.ones((2, 2), int))
    for k in range(3):
        np.testing.assert_array_equal(made[f"s/{k}"][:], twice[:: 2**k, :: 2**k])
        assert made[f"s/{k}"].fill_value == 7


@pytest.mark.parametrize("version", [2, 3])
def test_ome_zarr_lies_where_it_lay(version: int, tmp_path: Path, doubled: Doubled) -> None:
    group = zarr.open_group(str(tmp_path / "a.ome.zarr"), mode="w", zarr_format=version)
    for k, name in enumerate(("0", "1")):
        values = STACK[..., :: 2**k, :: 2**k]
        group.create_array(name, shape=values.shape, dtype="uint16", chunks=(1, 1, 16, 16))[:] = values
    transforms = [{"type": "scale", "scale": [1, 2.0, 0.5, 0.25]}, {"type": "translation", "translation": [0, 1, 7, 9]}]
    axes = [{"name": n, "type": "space" if n != "c" else "channel"} for n in "czyx"]
    own = [{"path": name, "coordinateTransformations": transforms} for name in ("0", "1")]
    about = {"multiscales": [{"version": "0.4", "axes": axes, "datasets": own, "name": "cell"}], "omero": {"id": 1}}
    group.attrs.update(about if version == 2 else {"ome": about})
    assert doubled(tmp_path / "a.ome.zarr", tmp_path / "b.ome.zarr") is None
    doubled(tmp_path / "a.ome.zarr", tmp_path / "b.ome.zarr")  # takes the place of the first
    made = zarr.open_group(str(tmp_path / "b.ome.zarr"), mode="r")
    assert made.metadata.zarr_format == version
    attributes = dict(made.attrs) if version == 2 else dict(made.attrs)["ome"]
    assert attributes["omero"] == {"id": 1}
    (scales,) = attributes["multiscales"]
    first, second = (d["coordinateTransformations"] for d in scales["datasets"])
    assert first[0]["scale"] == [1, 2, 0.25, 0.125]
    assert first[1]["translation"] == [0, 1, 7 - 0.125, 9 - 0.0625]
    assert second[0]["scale"] == [1, 2, 0.5, 0.25]
    assert second[1]["translation"] == [0, 1, 7, 9]  # means of what one pixel became lie where it lay
    assert made["0"].shape == (2, 3, 48, 40)
    assert np.abs(blocks(made["0"][:]) - STACK).max() <= 0.5
    assert np.abs(made["1"][:].astype(int) - STACK).max() <= 1


def test_ome_zarr_refusals(tmp_path: Path, doubled: Doubled) -> None:
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=2)
    with pytest.raises(UnreadableImage, match="0 multiscale"):
        doubled(tmp_path / "a.zarr", tmp_path / "b.zarr")
    group.attrs.update({"plate": {}})
    with pytest.raises(UnreadableImage, match=r"several images; name the one you want, such as .*a\.zarr/A/1/0"):
        doubled(tmp_path / "a.zarr", tmp_path / "b.zarr")


def test_an_image_of_a_plate_is_named_in_it(tmp_path: Path) -> None:
    plate = zarr.open_group(str(tmp_path / "p.ome.zarr"), mode="w", zarr_format=2)
    plate.attrs.update({"plate": {}})
    image = plate.create_group("A/1/0")
    image.create_array("0", data=STACK[0, 0])
    scale = {"type": "scale", "scale": [0.5, 0.25]}
    axes, own = [{"name": n, "type": "space"} for n in "yx"], [{"path": "0", "coordinateTransformations": [scale]}]
    image.attrs.update({"multiscales": [{"version": "0.4", "axes": axes, "datasets": own}]})
    source, target = tmp_path / "p.ome.zarr/A/1/0", tmp_path / "b.ome.zarr"
    (job,) = find_jobs([str(source)], str(target), suffix="x2")
    upscale_file(job.source, job.target, Upscaler("bicubic", scale=2))
    made = zarr.open_group(str(target), mode="r")
    assert made.attrs["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"] == [0.25, 0.125]
    assert np.abs(blocks(made["0"][:]) - STACK[0, 0]).max() <= 0.5


def test_a_slide_becomes_an_ome_tiff_with_the_size_of_its_pixels(tmp_path: Path, doubled: Doubled) -> None:
    colours = np.stack([np.tile(smooth(), (12, 14)) * k + 120 for k in (10, 20, 30)], -1).astype("uint8")
    text = "Aperio Image Library v1\n280x288 (256x256) |MPP = 0.5|AppMag = 20"
    with tifffile.TiffWriter(tmp_path / "a.svs") as file:
        about = {"photometric": "rgb", "tile": (256, 256), "metadata": None}
        file.write(colours, description=text, **about)
    note = doubled(tmp_path / "a.svs", tmp_path / "b.ome.tif", Upscaler("bicubic"))
    assert "properties of aperio" in str(note)
    made = pixels(tmp_path / "b.ome.tif")
    assert (made.get("PhysicalSizeX"), made.get("SizeX")) == ("0.25", "560")
    with tifffile.TiffFile(tmp_path / "b.ome.tif") as file:
        got = file.series[0].levels[0].asarray()
    assert np.abs(blocks(got.transpose(2, 0, 1)) - colours.transpose(2, 0, 1)).max() <= 0.5
