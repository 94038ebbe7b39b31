"""The imprint as PDF objects: its image is compressed once per picture, not once per document."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from PIL import Image
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from services.seal.domain import imprint
from services.seal.domain.structures import Picture
from services.seal.pdf.pages import Spot
from services.seal.pdf.reasons import PDF_STAMP_REFUSED

_ROTATIONS = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}
_array: Any = generic.ArrayObject
_number: Any = generic.NumberObject
_float: Any = generic.FloatObject
_dictionary: Any = generic.DictionaryObject


@dataclass(frozen=True, slots=True)
class Stamp:
    """A picture ready to be written: indices into a palette and their transparency, both deflated."""

    width: int
    height: int
    palette: bytes
    colours: bytes
    alpha: bytes


@lru_cache(maxsize=256)
def prepare_stamp(picture: Picture) -> Stamp:
    """Return the picture's form for PDF, of at most 256 colours with any transparency.

    Raises:
        PDF_STAMP_REFUSED: It does not decode within bounds.
    """
    if not imprint.decodes(picture):
        raise PDF_STAMP_REFUSED()
    with Image.open(io.BytesIO(picture.data)) as image:
        full = image.convert("RGBA")
    alpha = full.getchannel("A")
    flat = full.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    palette = bytes(flat.getpalette() or b"")
    return Stamp(full.width, full.height, palette, _deflated(flat.tobytes()), _deflated(alpha.tobytes()))


def _deflated(data: bytes) -> bytes:
    return zlib.compress(data, 9)


def add_image(writer: IncrementalPdfFileWriter, stamp: Stamp) -> Any:
    """Add the image with its soft mask to the document; return its reference."""
    mask = writer.add_object(_image(stamp, pdf_name("/DeviceGray"), stamp.alpha))
    space = _array(
        [pdf_name("/Indexed"), pdf_name("/DeviceRGB"), _number(len(stamp.palette) // 3 - 1),
         generic.ByteStringObject(stamp.palette)]
    )  # fmt: skip
    image = _image(stamp, space, stamp.colours)
    image[pdf_name("/SMask")] = mask
    return writer.add_object(image)


def _image(stamp: Stamp, space: Any, data: bytes) -> Any:
    head = {
        "/Type": pdf_name("/XObject"), "/Subtype": pdf_name("/Image"), "/Width": _number(stamp.width),
        "/Height": _number(stamp.height), "/BitsPerComponent": _number(8), "/ColorSpace": space,
        "/Filter": pdf_name("/FlateDecode"),
    }  # fmt: skip
    stream: Any = generic.StreamObject(
        {pdf_name(key): value for key, value in head.items()}, encoded_data=data
    )
    return stream


def add_form(writer: IncrementalPdfFileWriter, image: Any, spot: Spot) -> Any:
    """Add the appearance for a spot, upright as the page is shown; return its reference."""
    x, y, width, height = spot.clip
    resources = _dictionary({pdf_name("/XObject"): _dictionary({pdf_name("/Seal"): image})})
    drawn = b"q %.4f 0 0 %.4f %.4f %.4f cm /Seal Do Q" % (
        spot.width,
        spot.height,
        -x,
        y + height - spot.height,
    )
    matrix = (*_ROTATIONS[spot.page.rotation], 0, 0)
    form: Any = generic.StreamObject(
        {
            pdf_name("/Type"): pdf_name("/XObject"),
            pdf_name("/Subtype"): pdf_name("/Form"),
            pdf_name("/BBox"): _array(
                [_float(0), _float(0), _float(round(width, 4)), _float(round(height, 4))]
            ),
            pdf_name("/Matrix"): _array([_number(each) for each in matrix]),
            pdf_name("/Resources"): resources,
        },
        stream_data=drawn,
    )
    return writer.add_object(form)
