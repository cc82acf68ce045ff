"""Oxford Flowers 17, the data set of the paper's experiment, read straight out of its archive.

1,360 photos, 80 of each of 17 flowers, lie in the archive in the order of their classes: ``jpg/image_0001.jpg`` to
``jpg/image_0080.jpg`` are daffodils, the next 80 snowdrops, and so on (Nilsback and Zisserman, CVPR 2006).

:func:`load_flowers` looks for ``17flowers.tgz`` in the folder named by ``DNNPROV_DATA``, in ``../shared/data`` beside
the repository, and in the user's cache. Where it is nowhere, it tries the official download into that cache; without
network it falls back to scikit-learn's digits, cut to 80 images a class, and says so on stderr.

Nothing decoded is kept on disk: reading and shrinking all photos takes about two seconds, as JPEG decodes at a fraction
of its size when asked for one.
"""

from __future__ import annotations

import io
import os
import sys
import tarfile
import time
import urllib.request
from dataclasses import dataclass, replace
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

ARCHIVE_NAME = "17flowers.tgz"
DOWNLOAD_URL = f"https://www.robots.ox.ac.uk/~vgg/data/flowers/17/{ARCHIVE_NAME}"
CLASS_NAMES = (
    "daffodil", "snowdrop", "lily of the valley", "bluebell", "crocus", "iris", "tigerlily", "tulip", "fritillary",
    "sunflower", "daisy", "coltsfoot", "dandelion", "cowslip", "buttercup", "windflower", "pansy",
)  # fmt: skip
IMAGES_PER_CLASS = 80
GRAY_SCALE = "gray-scale"

_CONNECT_SECONDS = 5.0
_DOWNLOAD_SECONDS = 60.0  # for the whole archive of 58 MB: the demo must not wait for a slow line
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, as Pillow's mode L


class ArchiveError(Exception):
    """The archive was found, but it does not hold the 1,360 photos of Oxford Flowers 17."""


@dataclass(frozen=True, eq=False)
class Split:
    """Images and their classes.

    Attributes:
        images: float32 in [0, 1], shape (count, size, size, 3).
        labels: class numbers from 0, shape (count,).
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """A data set, split for training.

    Attributes:
        name: ``17flowers`` or ``digits``.
        class_names: in the order of the class numbers.
        source: the archive the photos came from; ``None`` for digits.
        train: 60 % of each class, shuffled.
        validation: 15 % of each class.
        test: 25 % of each class.
        filter_name: ``none``, or the filter that the images went through.
    """

    name: str
    class_names: tuple[str, ...]
    source: Path | None
    train: Split
    validation: Split
    test: Split
    filter_name: str = "none"

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Rows, columns and colour channels of one image."""
        rows, columns, channels = self.train.images.shape[1:]
        return rows, columns, channels


def load_flowers(size: int = 64, *, allow_download: bool = True) -> LabelledImages:
    """Returns the photos, or digits where they cannot be had, as squares of ``size`` pixels.

    The split is the same in each process and for each size. Photos are squeezed to a square, not cropped: no part of a
    flower gets lost.

    Args:
        size: rows and columns of the images returned.
        allow_download: try the official download where no archive is at hand.

    Raises:
        ArchiveError: an archive is there, but damaged or another one.
    """
    archive = find_archive()
    if archive is None and allow_download:
        archive = _try_download(_cached_archive())
    if archive is None:
        _say(f"no {ARCHIVE_NAME}: going on with scikit-learn's digits. For the photos, get {DOWNLOAD_URL} and "
             "set DNNPROV_DATA to its folder.")  # fmt: skip
        return _split("digits", tuple("0123456789"), None, _read_digits(size))
    return _split("17flowers", CLASS_NAMES, archive, _read_photos(archive, size))


def find_archive(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Returns where ``17flowers.tgz`` lies on this machine, without touching the network."""
    places = [Path(__file__).resolve().parents[2] / "shared" / "data" / ARCHIVE_NAME, _cached_archive(environ)]
    if folder := environ.get("DNNPROV_DATA"):
        named = Path(folder).expanduser() / ARCHIVE_NAME
        if not named.is_file():
            _say(f"DNNPROV_DATA is {folder!r}, but no {ARCHIVE_NAME} lies there; looking elsewhere.")
        places.insert(0, named)
    return next((place for place in places if place.is_file()), None)


def apply_gray_scale(data: LabelledImages) -> LabelledImages:
    """Returns the same data set in shades of gray.

    The three channels stay, all alike, so that one and the same network trains with and without the filter.
    """

    def gray(split: Split) -> Split:
        return replace(split, images=np.repeat((split.images @ _LUMA)[..., np.newaxis], 3, axis=-1))

    return replace(
        data, train=gray(data.train), validation=gray(data.validation), test=gray(data.test), filter_name=GRAY_SCALE
    )


def _read_photos(archive: Path, size: int) -> NDArray[np.uint8]:
    """Returns all photos in the order of their numbers, shape (1360, size, size, 3)."""
    num_photos = len(CLASS_NAMES) * IMAGES_PER_CLASS
    photos = np.empty((num_photos, size, size, 3), dtype=np.uint8)
    seen: set[int] = set()
    try:
        for number, jpeg in _iterate_jpegs(archive):
            photos[number - 1] = _shrink(jpeg, size)
            seen.add(number)
    except (tarfile.TarError, EOFError, OSError, IndexError) as error:
        raise ArchiveError(f"{str(archive)!r} cannot be read as Oxford Flowers 17: {error}. Delete it, or get it anew "
                           f"from {DOWNLOAD_URL}.") from error  # fmt: skip
    if len(seen) != num_photos:
        raise ArchiveError(f"{str(archive)!r} holds {len(seen)} photos jpg/image_NNNN.jpg, expected {num_photos}. "
                           f"Get it anew from {DOWNLOAD_URL}.")  # fmt: skip
    return photos


def _iterate_jpegs(archive: Path) -> Iterator[tuple[int, bytes]]:
    """Yields each photo's number, from 1, and its file's content, in one pass over the archive."""
    with tarfile.open(archive, "r|gz") as tar:
        for member in tar:
            stem = Path(member.name).stem
            if member.name.endswith(".jpg") and stem.removeprefix("image_").isdecimal():
                content = tar.extractfile(member)
                if content is not None:
                    yield int(stem.removeprefix("image_")), content.read()


def _shrink(jpeg: bytes, size: int) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(jpeg)) as photo:
        photo.draft("RGB", (2 * size, 2 * size))  # decode at 1/2, 1/4 or 1/8: still twice the size asked for, or more
        return np.asarray(photo.convert("RGB").resize((size, size), Image.Resampling.BICUBIC))


def _read_digits(size: int) -> NDArray[np.uint8]:
    """Returns 80 images of each digit in the order of their classes, shape (800, size, size, 3)."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    chosen = np.concatenate([np.flatnonzero(digits.target == digit)[:IMAGES_PER_CLASS] for digit in range(10)])
    small = [Image.fromarray((digit * (255 / 16)).astype(np.uint8)) for digit in digits.images[chosen]]
    return np.stack([np.asarray(image.convert("RGB").resize((size, size))) for image in small])


def _split(name: str, class_names: tuple[str, ...], source: Path | None, images: NDArray[np.uint8]) -> LabelledImages:
    """Shares out each class, 80 images in a row, by a shuffle that is always the same."""
    shuffle = np.random.default_rng(17)
    order = np.stack([shuffle.permutation(IMAGES_PER_CLASS) + IMAGES_PER_CLASS * c for c in range(len(class_names))])

    def take(columns: NDArray[np.intp]) -> Split:
        chosen = columns.ravel()
        return Split(images[chosen].astype(np.float32) / np.float32(255), (chosen // IMAGES_PER_CLASS).astype(np.int32))

    train, validation, test = np.split(order, [48, 60], axis=1)
    train = shuffle.permutation(train.ravel())
    return LabelledImages(name, class_names, source, take(train), take(validation), take(test))


def _cached_archive(environ: Mapping[str, str] = os.environ) -> Path:
    cache = environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "dnnprov" / ARCHIVE_NAME


def _try_download(target: Path) -> Path | None:
    """Returns ``target``, downloaded; ``None``, with the reason on stderr, where that failed or took too long."""
    _say(f"no {ARCHIVE_NAME} on this machine: trying {DOWNLOAD_URL} for up to {_DOWNLOAD_SECONDS:.0f} s.")
    part = target.with_name(f"{ARCHIVE_NAME}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _download(part)
        return part.replace(target)
    except (OSError, HTTPException) as error:  # URLError and TimeoutError are OSErrors
        _say(f"the download failed: {error}")
        return None
    finally:
        part.unlink(missing_ok=True)


def _download(target: Path) -> None:
    deadline = time.monotonic() + _DOWNLOAD_SECONDS
    with urllib.request.urlopen(DOWNLOAD_URL, timeout=_CONNECT_SECONDS) as response, target.open("wb") as file:
        while chunk := response.read1(1 << 18):
            file.write(chunk)
            if time.monotonic() > deadline:
                raise TimeoutError(f"only {file.tell() / 1e6:.0f} MB came in {_DOWNLOAD_SECONDS:.0f} s")
        expected = int(response.headers.get("Content-Length", file.tell()))
        if file.tell() != expected:
            raise ConnectionError(f"the connection ended after {file.tell()} of {expected} bytes")


def _say(message: str) -> None:
    print(f"flowers17: {message}", file=sys.stderr)
