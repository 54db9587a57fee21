"""Makes pictures fit to be read: bounded, upright, grey, straight. Part of the child process."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image, ImageFilter, ImageOps, UnidentifiedImageError

from paperwork_service.limits import Limits
from paperwork_service.sniff import DocumentError, broken, encrypted, too_costly, too_many_pages

_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "MPO")
_SKETCH = 700  # pixels of width: enough to see in which direction lines run
_STEEPEST, _COARSE, _FINE = 6.0, 0.5, 0.1  # degrees
_WORTH_TURNING = 0.15
_SMALL = 1_200_000  # pixels: below it letters are too few pixels high
_MOST_ENLARGED = 2.0
_COVERS = 0.7  # of the page's width

Image.MAX_IMAGE_PIXELS = None  # the bound is ours, and is asked for before anything is decoded


def count_pages(path: str, limits: Limits) -> int:
    """How many pages a picture has; only TIFF has more than one. Raises DocumentError."""
    with _opened(path) as picture:
        count = getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1
        if count > limits.pages:
            raise too_many_pages(count, limits.pages)
        _check_pixels(picture, limits)
        return count


def pages_of_picture(path: str, limits: Limits) -> Iterator[Image.Image]:
    """Each page as a grey picture, one at a time. Raises DocumentError."""
    count = count_pages(path, limits)
    with _opened(path) as picture:
        for index in range(count):
            picture.seek(index)
            yield _grey(picture, limits)


@contextmanager
def _opened(path: str) -> Iterator[Image.Image]:
    try:
        with Image.open(path, formats=_FORMATS) as picture:
            yield picture
    except (MemoryError, DocumentError):
        raise
    except UnidentifiedImageError:
        raise broken("the picture can not be read") from None
    except Exception as error:  # noqa: BLE001 - a decoder raises anything on a damaged file
        raise broken(f"{type(error).__name__}: {error}"[:200]) from None


def pages_of_pdf(path: str, numbers: list[int], limits: Limits) -> Iterator[Image.Image]:
    """The pages of these numbers (from 1), drawn in grey. Raises DocumentError."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        raise encrypted() if "password" in str(error).lower() else broken(str(error)) from None
    try:
        for number in numbers:
            page = document[number - 1]
            width, height = page.get_size()
            points = max(1.0, width * height)
            scale = min(_scale(page, limits), (limits.page_pixels / points) ** 0.5)
            if width * scale < 1 or height * scale < 1:
                raise broken(f"page {number} has no area")
            drawn = page.render(scale=scale, grayscale=True)
            yield drawn.to_pil().convert("L").copy()
            drawn.close()
            page.close()
    except pypdfium2.PdfiumError as error:
        raise broken(str(error)[:200]) from None
    finally:
        document.close()


def _scale(page: Any, limits: Limits) -> float:
    """That of the scan that covers the page, or the usual one: pixels drawn larger say no more."""
    import pypdfium2.raw

    most, width = limits.render_dpi / 72, page.get_width()
    for image in page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE], max_depth=2):
        left, _, right, _ = image.get_bounds()
        if right - left > _COVERS * width:
            return float(min(most, image.get_px_size()[0] / (right - left)))
    return most


def prepare(picture: Image.Image, limits: Limits) -> Image.Image:
    """Of a size that letters are read well at, and its lines level."""
    sized = _resized(picture, limits)
    angle = skew(sized)
    if abs(angle) < _WORTH_TURNING:
        return sized
    return sized.rotate(angle, Image.Resampling.BICUBIC, fillcolor=_paper(sized))


def calm(picture: Image.Image) -> Image.Image:
    """Without the specks that a scanner leaves."""
    return picture.filter(ImageFilter.MedianFilter(3))


def other_size(picture: Image.Image, limits: Limits) -> Image.Image:
    """The same at another size, for a second opinion that other pixels lead to."""
    factor = 1.5 if picture.width * picture.height * 2.25 <= limits.page_pixels else 0.75
    size = (round(picture.width * factor), round(picture.height * factor))
    return picture.resize(size, Image.Resampling.LANCZOS)


def skew(picture: Image.Image) -> float:
    """Degrees to turn it by so that its lines are level: the ink is then in the fewest rows."""
    width = min(_SKETCH, picture.width)
    height = max(1, round(picture.height * width / picture.width))
    sketch = ImageOps.invert(picture.resize((width, min(height, 2 * _SKETCH))))
    # Blurred beforehand: turning blurs as well, and would else make no turn look best.
    sketch = sketch.filter(ImageFilter.BoxBlur(1)).convert("F")
    coarse = _best(sketch, 0.0, _STEEPEST, _COARSE)
    return _best(sketch, coarse, _COARSE, _FINE)


def _best(sketch: Image.Image, middle: float, reach: float, step: float) -> float:
    count = round(reach / step)
    angles = [round(middle + step * index, 2) for index in range(-count, count + 1)]
    # Of equals the smallest turn: an empty page has no direction.
    return max(angles, key=lambda angle: (_gathered(sketch, angle), -abs(angle)))


def _gathered(sketch: Image.Image, angle: float) -> float:
    turned = sketch.rotate(angle, Image.Resampling.BILINEAR)
    rows = array("f", turned.resize((1, turned.height), Image.Resampling.BOX).tobytes())
    return sum(ink * ink for ink in rows)


def _resized(picture: Image.Image, limits: Limits) -> Image.Image:
    pixels = picture.width * picture.height
    if pixels > limits.page_pixels:
        factor = (limits.page_pixels / pixels) ** 0.5
    elif pixels < _SMALL:
        factor = min(_MOST_ENLARGED, (_SMALL / pixels) ** 0.5)
    else:
        return picture
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _paper(picture: Image.Image) -> int:
    """The commonest grey: what a corner uncovered by turning is filled with."""
    counts = picture.histogram()
    return counts.index(max(counts))


def _grey(picture: Image.Image, limits: Limits) -> Image.Image:
    """The frame in hand, decoded only after its size is known to be bearable."""
    _check_pixels(picture, limits)
    picture.draft("L", (limits.draft_side, limits.draft_side))
    upright: Image.Image = ImageOps.exif_transpose(picture)
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        upright = upright.convert("LA")
        paper = Image.new("L", upright.size, 255)
        paper.paste(upright.getchannel("L"), mask=upright.getchannel("A"))
        return paper
    if upright.mode.startswith("I;16"):  # 16 bits of grey would else be cut off at 255
        return upright.point(lambda value: value / 256).convert("L")
    return upright.convert("L")


def _check_pixels(picture: Image.Image, limits: Limits) -> None:
    pixels = picture.width * picture.height
    if pixels > limits.pixels:
        raise DocumentError(
            "document_too_many_pixels",
            f"A picture of {picture.width} × {picture.height} pixels is more than the "
            f"{limits.pixels} that are read.",
            "Scan it at 300 dpi, or make it smaller.",
        )
    if pixels * len(picture.getbands()) > limits.pixel_bytes:
        raise too_costly(f"{picture.width} × {picture.height} pixels in {picture.mode}")
