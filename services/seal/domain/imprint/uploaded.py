"""An uploaded seal picture: really decoded, measured, its background taken away, kept as a small palette PNG."""

from __future__ import annotations

from PIL import Image, ImageChops, ImageStat

from chassis.errors import Kind, Reason, Violation, declare, refuse
from services.seal.domain.imprint.decoding import MAX_BYTES, MAX_PIXELS, UndecodableError, decode
from services.seal.domain.imprint.designs import IMPRINT_SIZE, LEAST_MM, MOST_MM
from services.seal.domain.imprint.drawing import PIXELS_PER_MM, palette_png
from services.seal.domain.structures import Picture

IMPRINT_KIND = declare(
    "IMPRINT_KIND",
    Kind.INVALID_ARGUMENT,
    "印模图片只接受 PNG、BMP、GIF、JPG",
    "A seal's picture is a PNG, BMP, GIF or JPG",
)
IMPRINT_DAMAGED = declare(
    "IMPRINT_DAMAGED", Kind.INVALID_ARGUMENT, "印模图片无法解码", "The picture does not decode"
)
IMPRINT_TOO_LARGE = declare(
    "IMPRINT_TOO_LARGE",
    Kind.INVALID_ARGUMENT,
    "印模图片过大（最多 {limit_bytes} 字节、{limit_pixels} 像素）",
    "The picture is too large (at most {limit_bytes} bytes and {limit_pixels} pixels)",
)
IMPRINT_RESOLUTION = declare(
    "IMPRINT_RESOLUTION",
    Kind.INVALID_ARGUMENT,
    "印模分辨率为 {dpi} dpi，至少需要 {least_dpi} dpi",
    "The picture has {dpi} dpi at that size; {least_dpi} are needed",
)
IMPRINT_PROPORTION = declare(
    "IMPRINT_PROPORTION",
    Kind.INVALID_ARGUMENT,
    "图片长宽比与印模尺寸不符",
    "The picture's proportions are not those of the size stated",
)
IMPRINT_BACKGROUND = declare(
    "IMPRINT_BACKGROUND",
    Kind.INVALID_ARGUMENT,
    "印模背景应为透明或白色",
    "The background must be transparent or white",
)
IMPRINT_BLANK = declare("IMPRINT_BLANK", Kind.INVALID_ARGUMENT, "图片中没有印文", "The picture shows nothing")
IMPRINT_TOO_DETAILED = declare(
    "IMPRINT_TOO_DETAILED",
    Kind.INVALID_ARGUMENT,
    "印模压缩后超过 {limit_bytes} 字节",
    "The imprint is more than {limit_bytes} bytes after reduction",
)
_LEAST_DPI, _MM_PER_INCH = 150, 25.4
_MOST_KEPT_BYTES = 64 << 10
_WHITE = 232  # a scanner's white and up
_RIM_SHARE = 0.95  # of the outermost pixels that must be background
_FAINT = 40  # opacity below which a pixel is no ink
_LEAST_INK = 0.004  # share of the sheet


def read_upload(data: bytes, width_mm: int, height_mm: int) -> Picture:
    """Return the picture to put into a seal: one colour in 16 steps of transparency, at most 64 KiB.

    Raises:
        INVALID_REQUEST: Names every fault at once: `image` for kind, decoding, pixels, resolution, background, no
            ink or too much detail; `width_mm` and `height_mm` for a size outside 10 to 60 mm.
    """
    faults = [
        IMPRINT_SIZE.at(path, least_mm=LEAST_MM, most_mm=MOST_MM)
        for path, side in (("width_mm", width_mm), ("height_mm", height_mm))
        if not LEAST_MM <= side <= MOST_MM
    ]
    try:
        image = _decoded(data)
    except UndecodableError as error:
        refuse([*faults, _undecodable(error.reason)])
        raise
    if not faults:
        faults += _measured(image, width_mm, height_mm)
    opacity, colour, problem = _ink(image)
    if problem is not None:
        faults.append(problem.at("image"))
    refuse(faults)
    kept = palette_png(_fitted(opacity, width_mm, height_mm), colour)
    if len(kept) > _MOST_KEPT_BYTES:
        refuse([IMPRINT_TOO_DETAILED.at("image", limit_bytes=_MOST_KEPT_BYTES)])
    return Picture("PNG", kept, width_mm, height_mm)


def _decoded(data: bytes) -> Image.Image:
    if len(data) > MAX_BYTES:
        raise UndecodableError("pixels")
    image = decode(data)
    if getattr(image, "n_frames", 1) != 1:
        raise UndecodableError("kind")
    return image.convert("RGBA")


def _undecodable(why: str) -> Violation:
    if why == "pixels":
        return IMPRINT_TOO_LARGE.at("image", limit_bytes=MAX_BYTES, limit_pixels=MAX_PIXELS)
    return (IMPRINT_KIND if why == "kind" else IMPRINT_DAMAGED).at("image")


def _measured(image: Image.Image, width_mm: int, height_mm: int) -> list[Violation]:
    across, down = (
        pixels * _MM_PER_INCH / mm for pixels, mm in zip(image.size, (width_mm, height_mm), strict=True)
    )
    found = []
    if min(across, down) < _LEAST_DPI:
        found.append(IMPRINT_RESOLUTION.at("image", dpi=int(min(across, down)), least_dpi=_LEAST_DPI))
    if not 0.95 <= across / down <= 1.05:
        found.append(IMPRINT_PROPORTION.at("image"))
    return found


def _ink(image: Image.Image) -> tuple[Image.Image, tuple[int, int, int], Reason | None]:
    """Return how much ink lies where, its mean colour, and what is wrong with the background or the ink."""
    alpha, rgb = image.getchannel("A"), image.convert("RGB")
    if alpha.getextrema() == (255, 255):
        if not _white_rim(rgb):
            return alpha, (0, 0, 0), IMPRINT_BACKGROUND
        darkness = ImageChops.invert(_least(rgb))
    else:
        darkness = ImageChops.multiply(alpha, ImageChops.invert(_least(rgb)))
        if not _clear_rim(darkness):
            return alpha, (0, 0, 0), IMPRINT_BACKGROUND
    mask = darkness.point(lambda value: 255 if value >= _FAINT else 0)
    inked = ImageStat.Stat(mask).mean[0] / 255
    if inked < _LEAST_INK:
        return darkness, (0, 0, 0), IMPRINT_BLANK
    red, green, blue = (round(value) for value in ImageStat.Stat(rgb, mask).mean)
    fullest = 255 - min(red, green, blue)
    scale = [min(255, round(value * 255 / max(fullest, 1))) for value in range(256)]
    return darkness.point(scale), (red, green, blue), None


def _least(rgb: Image.Image) -> Image.Image:
    """Return the darkest channel of each pixel: ink of any colour is dark in one of them."""
    red, green, blue = rgb.split()
    return ImageChops.darker(ImageChops.darker(red, green), blue)


def _white_rim(rgb: Image.Image) -> bool:
    rim = _rim(_least(rgb))
    return sum(value >= _WHITE for value in rim) >= _RIM_SHARE * len(rim)


def _clear_rim(opacity: Image.Image) -> bool:
    rim = _rim(opacity)
    return sum(value < _FAINT for value in rim) >= _RIM_SHARE * len(rim)


def _rim(channel: Image.Image) -> bytes:
    """Return the corner blocks' pixels: a frame or ring may touch the edges, but not fill a corner."""
    width, height = channel.size
    side = max(1, min(width, height) // 24)
    corners = [(x, y, x + side, y + side) for x in (0, width - side) for y in (0, height - side)]
    return b"".join(channel.crop(corner).tobytes() for corner in corners)


def _fitted(opacity: Image.Image, width_mm: int, height_mm: int) -> Image.Image:
    """Return the sheet at no more than 305 dpi."""
    size = (width_mm * PIXELS_PER_MM, height_mm * PIXELS_PER_MM)
    return opacity.resize(size, Image.Resampling.LANCZOS) if opacity.size[0] > size[0] else opacity
