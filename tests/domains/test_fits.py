"""FITS, read back by astropy: places by its WCS, flux, and what is refused."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubled import Doubled, blocks, smooth

from subpixel import Upscaler
from subpixel.domains.fits_header import scaled_header
from subpixel.domains.frames import Grid
from subpixel.errors import UnreadableImage, UnwritableImage
from subpixel.inference.choice import Restoration
from subpixel.inference.window import Window

fits = pytest.importorskip("astropy.io.fits")
from astropy.wcs import WCS  # noqa: E402

TAN = {
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.1, "CRVAL2": 2.2, "CRPIX1": 9.3, "CRPIX2": 14.8,
    "CUNIT1": "deg", "CUNIT2": "deg",
}  # fmt: skip
CD = {"CD1_1": -7e-5, "CD1_2": 2e-5, "CD2_1": 1.5e-5, "CD2_2": 8e-5}
KINDS: dict[str, dict[str, Any]] = {
    "CD": CD,
    "CDELT": {"CDELT1": -7e-5, "CDELT2": 8e-5},
    "CROTA": {"CDELT1": -7e-5, "CDELT2": 7e-5, "CROTA2": 30.0},
    "PC": {"CDELT1": -7e-5, "CDELT2": 8e-5, "PC1_1": 0.8, "PC1_2": -0.6, "PC2_1": 0.6, "PC2_2": 0.8},
    "SIP": CD | {
        "CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 2, "B_ORDER": 3, "A_2_0": 3e-4, "A_1_1": -2e-4,
        "A_0_2": 1e-4, "B_2_0": 2e-4, "B_0_3": 1e-5, "B_1_2": -2e-5,
    },
    "other": {"CTYPE1": "GLON-CAR", "CTYPE2": "GLAT-CAR", **CD},
    "alternate": CD | {"CTYPE1A": "LINEAR", "CTYPE2A": "LINEAR", "CRPIX1A": 1.0, "CRPIX2A": 1.0, "CDELT1A": 2.0,
                       "CDELT2A": 3.0, "CRVAL1A": 7.0, "CRVAL2A": 8.0},
}  # fmt: skip


def header(kind: str) -> Any:
    made = fits.Header()
    made.update(TAN | KINDS[kind])
    return made


def wcs(of: Any, key: str = " ") -> Any:
    with warnings.catch_warnings(action="ignore"):
        return WCS(of, key=key, fix=False)


def grown(down: int, across: int, x: int = 0, y: int = 0) -> Grid:
    """That of a window of 20 x 30 pixels."""
    return Grid(Window(x, y, 20, 30), 30 * down, 20 * across)


@pytest.mark.parametrize("grid", [grown(2, 2), grown(3, 3), grown(2, 3), grown(2, 3, 7, 4)])
@pytest.mark.parametrize("kind", [k for k in KINDS if k != "CROTA"])
def test_a_star_is_where_it_was(kind: str, grid: Grid) -> None:
    """By astropy's own WCS, for random places; corners of FITS pixels are at 0.5."""
    low, high = wcs(header(kind)), wcs(scaled_header(header(kind), grid))
    places = np.random.default_rng(0).uniform(0, 40, (50, 2))
    again = high.all_world2pix(low.all_pix2world(places + 0.5, 1), 1, tolerance=1e-10, maxiter=50) - 0.5
    corner = grid.window.x, grid.window.y
    np.testing.assert_allclose(again, (places - corner) * grid.factors[::-1], atol=1e-6)


def test_alternate_and_rotated_coordinates() -> None:
    low, high = (wcs(h, "A") for h in (header("alternate"), scaled_header(header("alternate"), grown(2, 2))))
    np.testing.assert_allclose(
        high.all_pix2world([[0.5, 0.5], [2.5, 4.5]], 1), low.all_pix2world([[0.5, 0.5], [1.5, 2.5]], 1)
    )
    low, high = (wcs(h) for h in (header("CROTA"), scaled_header(header("CROTA"), grown(3, 3))))
    np.testing.assert_allclose(high.all_pix2world([[30.5, 15.5]], 1), low.all_pix2world([[10.5, 5.5]], 1), rtol=1e-12)


def test_flux_is_kept_and_surface_brightness_too(tmp_path: Path, doubled: Doubled) -> None:
    rng = np.random.default_rng(1)
    values = (rng.gamma(2, 300, (30, 26)) + 1000).astype(np.float32)
    fits.writeto(tmp_path / "a.fits", values, header("CD"))
    assert "counts are shared" in str(doubled(tmp_path / "a.fits", tmp_path / "b.fits"))
    got = fits.getdata(tmp_path / "b.fits")
    np.testing.assert_allclose(4 * blocks(got), values, rtol=1e-6)
    assert got.sum(dtype=float) == pytest.approx(values.sum(dtype=float), rel=1e-6)
    for unit, kept in (("MJy/sr", True), ("mag/arcsec2", True), ("K", True), ("adu", False), ("Jy", False),
                       ("electron/s", False), ("Jy/beam", True), ("erg/s/cm2/arcsec2", True)):  # fmt: skip
        fits.writeto(tmp_path / "c.fits", values, header("CD") + fits.Header({"BUNIT": unit}), overwrite=True)
        doubled(tmp_path / "c.fits", tmp_path / "d.fits")
        factor = 1 if kept else 4
        np.testing.assert_allclose(factor * blocks(fits.getdata(tmp_path / "d.fits")), values, rtol=1e-6, err_msg=unit)


def test_weights_keep_their_numbers_and_errors_share_them(tmp_path: Path, doubled: Doubled) -> None:
    values = np.random.default_rng(1).uniform(900, 1100, (30, 26)).astype(np.float32)
    names = {"SCI": 4, "ERR": 4, "WHT": 1, "VAR_2": 1, "EXP": 1, "EXPLOSION": 4}
    hdus = [fits.PrimaryHDU(), *(fits.ImageHDU(values, name=name) for name in names)]
    fits.HDUList(hdus).writeto(tmp_path / "a.fits")
    assert "the numbers of WHT are kept" in str(doubled(tmp_path / "a.fits", tmp_path / "b.fits"))
    for name, factor in names.items():
        np.testing.assert_allclose(
            factor * blocks(fits.getdata(tmp_path / "b.fits", name)), values, rtol=1e-6, err_msg=name
        )


def test_a_synthetic_star_keeps_its_centroid(tmp_path: Path, doubled: Doubled) -> None:
    y, x = np.mgrid[:40, :40] + 0.5
    star = 5000 * np.exp(-((x - 18.37) ** 2 + (y - 21.82) ** 2) / (2 * 1.8**2)) + 10
    fits.writeto(tmp_path / "a.fits", star.astype(np.float32))
    doubled(tmp_path / "a.fits", tmp_path / "b.fits", Upscaler("swift-x2"))
    got = fits.getdata(tmp_path / "b.fits").astype(float) - 2.5
    y, x = (np.mgrid[:80, :80] + 0.5) / 2
    assert (got * x).sum() / got.sum() == pytest.approx(18.37, abs=0.02)
    assert (got * y).sum() / got.sum() == pytest.approx(21.82, abs=0.02)


def test_cubes_integers_tables_and_extensions(tmp_path: Path, doubled: Doubled) -> None:
    cube = (np.stack([smooth() * k for k in (100, 200)]) + 30000).astype(np.uint16)
    table = fits.BinTableHDU.from_columns([fits.Column("x", "D", array=[1.0, 2.0])], name="CAT")
    first = fits.PrimaryHDU(header=fits.Header({"OBSERVER": "Hubble"}))
    image = fits.ImageHDU(cube, header("PC") + fits.Header({"DATASEC": "[3:20,1:24]"}), name="SCI")
    packed = fits.CompImageHDU(np.tile(smooth(), (4, 4)).astype(np.float32), name="PACKED", quantize_level=0)
    fits.HDUList([first, image, table, packed]).writeto(tmp_path / "a.fits", checksum=True)
    assert "1 tables are copied" in str(doubled(tmp_path / "a.fits", tmp_path / "b.fits"))
    with fits.open(tmp_path / "b.fits", checksum=True) as made:
        made.verify("exception")
        assert [hdu.name for hdu in made] == ["PRIMARY", "SCI", "CAT", "PACKED"]
        assert made[0].header["OBSERVER"] == "Hubble"
        assert made["SCI"].data.shape == (2, 48, 40)
        assert made["SCI"].header["DATASEC"] == "[5:40,1:48]"
        assert not {"BZERO", "CHECKSUM"} & set(made["SCI"].header)
        np.testing.assert_allclose(4 * blocks(made["SCI"].data), cube, rtol=1e-6)
        assert made["CAT"].data["x"].tolist() == [1, 2]
        packed = fits.getdata(tmp_path / "a.fits", "PACKED")
        np.testing.assert_allclose(4 * blocks(made["PACKED"].data), packed, atol=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64"])
def test_flags_and_classes_are_copied(dtype: str, tmp_path: Path, doubled: Doubled) -> None:
    info = np.iinfo(dtype)
    classes = np.random.default_rng(0).choice(np.array([0, 1, 4, 96, info.max, info.min], dtype), (2, 24, 20))
    science = fits.ImageHDU(smooth().astype(np.float32), header("PC"), name="SCI")
    flags = fits.ImageHDU(classes, header("PC") + fits.Header({"CHECKSUM": "x"}), name="DQ", ver=2)
    packed = fits.CompImageHDU(classes[0], name="SEGMAP") if info.bits < 64 and dtype != "uint32" else flags.copy()
    fits.HDUList([fits.PrimaryHDU(), science, flags, packed]).writeto(tmp_path / "a.fits")
    assert "the classes of DQ are copied" in str(doubled(tmp_path / "a.fits", tmp_path / "b.fits"))
    with fits.open(tmp_path / "b.fits") as made:
        made.verify("exception")
        for found, wanted in ((made["DQ", 2], classes), (made[3], classes[0] if made[3].name == "SEGMAP" else classes)):
            assert found.data.dtype.newbyteorder("=") == dtype
            np.testing.assert_array_equal(found.data, wanted.repeat(2, -1).repeat(2, -2))
        assert made["DQ", 2].header["CRPIX1"] == made["SCI"].header["CRPIX1"]
        np.testing.assert_allclose(4 * blocks(made["SCI"].data), smooth(), atol=1e-5)


@pytest.mark.parametrize(("unit", "counted"), [("nanomaggy", True), ("1e-17 erg/s/cm2/Angstrom/spaxel", True),
                                               ("MJy/sr", False), ("mag/arcsec2", False), ("R", False),
                                               ("erg/s/cm2/A", True), ("1E-17 erg/s/cm^2/Ang", True), ("FLAM", True),
                                               ("1e-14 ergs/cm^2/s/A", True), ("cps", True), ("K", False),
                                               ("erg/s/cm2/A/arcsec2", False), ("km/s", False)])  # fmt: skip
def test_units_of_a_pixel_are_sums(unit: str, counted: bool, tmp_path: Path, doubled: Doubled) -> None:
    fits.writeto(tmp_path / "a.fits", smooth(), fits.Header({"BUNIT": unit}))
    doubled(tmp_path / "a.fits", tmp_path / "b.fits")
    np.testing.assert_allclose((4 if counted else 1) * blocks(fits.getdata(tmp_path / "b.fits")), smooth(), atol=1e-9)


def test_missing_pixels_stay_and_their_rim_is_flagged(tmp_path: Path, doubled: Doubled) -> None:
    values = smooth(40, 40).astype(np.float32)
    values[10, 12] = np.nan
    fits.writeto(tmp_path / "a.fits.gz", values)
    assert "saw filled values" in str(doubled(tmp_path / "a.fits.gz", tmp_path / "b.fits.gz", Upscaler("bicubic")))
    with fits.open(tmp_path / "b.fits.gz") as made:
        np.testing.assert_array_equal(np.argwhere(np.isnan(made[0].data)), [[20, 24], [20, 25], [21, 24], [21, 25]])
        flags = made["RIM"].data[0]
    expected = np.zeros((40, 40), np.uint8)
    expected[8:13, 10:15] = 1
    expected[10, 12] = 0
    np.testing.assert_array_equal(flags, np.kron(expected, np.ones((2, 2), np.uint8)))


@pytest.mark.parametrize(
    ("cards", "words"),
    [
        ({"AMDX1": 67.0, "PPO3": 1.0}, "photographic plate"),
        ({"CPDIS1": "LOOKUP", "CTYPE1": "RA---TAN"}, "table"),
        ({"CTYPE1": "WAVE-TAB"}, "-TAB"),
        ({"CTYPE1": "RA---XYZ", "CTYPE2": "DEC--XYZ", "CD1_1": 0.0, "CD2_2": 0.0}, "cannot be read"),
    ],
)
def test_coordinates_that_cannot_grow_are_refused(cards: Any, words: str, tmp_path: Path, doubled: Doubled) -> None:
    fits.writeto(tmp_path / "a.fits", smooth(), fits.Header(cards))
    with pytest.raises(UnreadableImage, match=words):
        doubled(tmp_path / "a.fits", tmp_path / "b.fits")


def test_other_refusals(tmp_path: Path, doubled: Doubled, monkeypatch: pytest.MonkeyPatch) -> None:
    fits.writeto(tmp_path / "a.fits", np.ones((9, 9), np.int64))
    with pytest.raises(UnreadableImage, match="64 bits"):
        doubled(tmp_path / "a.fits", tmp_path / "b.fits")
    fits.BinTableHDU.from_columns([fits.Column("x", "D", array=[1.0])]).writeto(tmp_path / "t.fits")
    with pytest.raises(UnreadableImage, match="no image"):
        doubled(tmp_path / "t.fits", tmp_path / "b.fits")
    fits.writeto(tmp_path / "c.fits", smooth(), header("SIP"))
    with pytest.raises(UnreadableImage, match="whole factors"):
        doubled(tmp_path / "c.fits", tmp_path / "b.fits", Upscaler("bicubic", scale=1.5))
    fits.writeto(tmp_path / "d.fits", smooth())
    (tmp_path / "d.fits").write_bytes((tmp_path / "d.fits").read_bytes()[:-2880])
    with pytest.raises(UnreadableImage, match=r"^cannot read .*d\.fits: it is damaged: cannot reshape array"):
        doubled(tmp_path / "d.fits", tmp_path / "b.fits")
    monkeypatch.setattr("subpixel.domains.fits_header._scale_sip", lambda *_: None)
    with pytest.raises(UnwritableImage, match="off by"):
        doubled(tmp_path / "c.fits", tmp_path / "b.fits")
    assert not (tmp_path / "b.fits").exists()


def test_parts_that_are_no_flux_are_known_by_their_names(tmp_path: Path, doubled: Doubled) -> None:
    bits, numbers = (smooth() * 3 + 8).astype("i4"), (smooth() + 5).astype("f4")
    classes, kept = ("CTX", "CON", "PIXELDQ", "AND_MASK", "BITMASK", "SEG"), ("WAVELENGTH", "VAR_POISSON", "NSAMP")
    parts = [fits.ImageHDU(bits, name=name) for name in classes] + [fits.ImageHDU(numbers, name=name) for name in kept]
    fits.HDUList([fits.PrimaryHDU(), *parts]).writeto(tmp_path / "a.fits")
    doubled(tmp_path / "a.fits", tmp_path / "b.fits")
    with fits.open(tmp_path / "b.fits") as made:
        for name in classes:
            np.testing.assert_array_equal(made[name].data, np.kron(bits, np.ones((2, 2), "i4")), name)
        for name in kept:
            np.testing.assert_allclose(blocks(made[name].data), numbers, rtol=1e-5, err_msg=name)


def test_a_map_of_the_whole_sky_has_corners_outside_of_it(tmp_path: Path, doubled: Doubled) -> None:
    sky = fits.PrimaryHDU(smooth().astype("f4"))
    sky.header.update({"CTYPE1": "RA---AIT", "CTYPE2": "DEC--AIT", "CRPIX1": 10.0, "CRPIX2": 12.0})
    sky.header.update({"CDELT1": -20.0, "CDELT2": 20.0, "CRVAL1": 0.0, "CRVAL2": 0.0, "BUNIT": "K"})
    sky.writeto(tmp_path / "a.fits")
    doubled(tmp_path / "a.fits", tmp_path / "b.fits")
    before, after = (WCS(fits.getheader(tmp_path / name)) for name in ("a.fits", "b.fits"))
    assert np.isnan(before.all_pix2world([[1, 1]], 1)).all()
    np.testing.assert_allclose(
        after.all_pix2world([[2 * 13 - 0.5, 2 * 9 - 0.5]], 1), before.all_pix2world([[13, 9]], 1)
    )


def test_iraf_s_offset_without_its_matrix_an_image_of_one_number_and_a_tail(tmp_path: Path, doubled: Doubled) -> None:
    image = fits.PrimaryHDU(smooth().astype("f4"))
    image.header["LTV1"] = -10.0
    one = fits.ImageHDU(name="ERR")
    one.header.update({"NPIX1": 20, "NPIX2": 24, "PIXVALUE": 3.0})
    fits.HDUList([image, one]).writeto(tmp_path / "a.fits")
    with (tmp_path / "a.fits").open("ab") as file:
        file.write(b"more of it")
    assert "left out: what lies behind its last part" in (doubled(tmp_path / "a.fits", tmp_path / "b.fits") or "")
    with fits.open(tmp_path / "b.fits") as made:
        header = made[0].header
        assert (header["LTV1"], header["LTM1_1"]) == (-20.5, 2.0)  # physical 11 is pixel 1, and 1.5 = 2 * 11 - 20.5
        assert [made[1].header[key] for key in ("NPIX1", "NPIX2", "PIXVALUE")] == [40, 48, 0.75]


def test_unsigned_numbers_that_are_blank_are_missing(tmp_path: Path, doubled: Doubled) -> None:
    values = (smooth() * 100 + 500).astype(np.uint16)
    fits.writeto(tmp_path / "a.fits", values, fits.Header({"BUNIT": "adu"}))
    with fits.open(tmp_path / "a.fits", mode="update", do_not_scale_image_data=True) as file:
        file[0].header["BLANK"] = 32767
        file[0].data[5:8, 5:9] = 32767
    assert "saw filled values" in str(doubled(tmp_path / "a.fits", tmp_path / "b.fits"))
    made = fits.getdata(tmp_path / "b.fits")
    missing = np.zeros(made.shape, bool)
    missing[10:16, 10:18] = True
    np.testing.assert_array_equal(np.isnan(made), missing)
    sums = np.where(missing[::2, ::2], np.nan, 4 * blocks(np.nan_to_num(made)))
    np.testing.assert_allclose(sums, np.where(missing[::2, ::2], np.nan, values), rtol=1e-5)


def test_what_would_be_inherited_is_refused(tmp_path: Path, doubled: Doubled) -> None:
    first = fits.PrimaryHDU(header=header("PC"))
    image = fits.ImageHDU(smooth().astype("f4"), fits.Header({"INHERIT": True}), name="SCI")
    fits.HDUList([first, image]).writeto(tmp_path / "a.fits")
    with pytest.raises(UnreadableImage, match="SCI inherits where it lies from the first header"):
        doubled(tmp_path / "a.fits", tmp_path / "b.fits")
    image.header.update(header("PC"))
    fits.HDUList([first, image]).writeto(tmp_path / "c.fits")
    doubled(tmp_path / "c.fits", tmp_path / "d.fits")


def test_a_restoration_that_no_kernel_does_is_refused(tmp_path: Path, doubled: Doubled) -> None:
    fits.writeto(tmp_path / "a.fits", smooth())
    with pytest.raises(UnreadableImage, match="denoise: lanczos is told nothing of an image"):
        doubled(tmp_path / "a.fits", tmp_path / "b.fits", Upscaler(restoration=Restoration(denoise=0.7)))
