"""The chain of page headers (IFDs) of a TIFF, followed without reading all of them."""

import functools
import itertools
import mmap
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.errors import ReadError

WIDTH, HEIGHT, BITS, COMPRESSION, STRIP_OFFSETS = 256, 257, 258, 259, 273
SAMPLES, PREDICTOR, TILE_OFFSETS, SAMPLE_FORMAT = 277, 317, 324, 339
SIGNATURE = (WIDTH, HEIGHT, BITS, COMPRESSION, SAMPLES, SAMPLE_FORMAT)
MAX_TAGS = 4096
FEW_PAGES = 4
"""Up to this number, reading pages one by one is faster than reading all at once."""
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 6: 1, 7: 1, 8: 2, 9: 4, 11: 4, 12: 8, 13: 4, 16: 8}
_SIZES |= {5: 8, 10: 8, 17: 8, 18: 8}
_INTEGERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}


class Chain:
    """Positions of all page headers of a TIFF file.

    Files written frame by frame have their headers at equal distances; then the chain
    is found by bisection and checked on a sample (who reads a page checks its header
    once more). Others are followed header by header.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Attributes
    ----------
    offsets : numpy.ndarray
        Shape (n_pages,), position of each header.
    sampled : bool
        Whether pages were inferred rather than visited.
    broken : str
        Where and how the chain breaks off; empty if it ends properly.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as stream:
            try:
                self.buffer = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            except (ValueError, OSError) as error:
                raise ReadError(f"{path.name} can not be mapped: {error}") from error
        self.size = len(self.buffer)
        self.bytes = np.frombuffer(self.buffer, np.uint8)
        head = self.buffer[:16]
        marks = {b"II": "<", b"MM": ">"}
        self.order = marks.get(head[:2], "")
        whole = self.order and self.size >= 16
        kind = struct.unpack(self.order + "H", head[2:4])[0] if whole else 0
        if kind not in (42, 43):
            raise ReadError(
                f"{path.name} is not a TIFF file: it begins with {head[:8]!r}, "
                "expected 'II' or 'MM' and the number 42 or 43. Rename it to what it "
                "is, or export it as TIFF again."
            )
        self.big = kind == 43
        self._head = struct.Struct(self.order + ("Q" if self.big else "H"))
        self._next = struct.Struct(self.order + ("Q" if self.big else "I"))
        self._entry = 20 if self.big else 12
        self._layout = struct.Struct(self.order + ("HHQ" if self.big else "HHI"))
        first = self._next.unpack_from(head, 8 if self.big else 4)[0]
        self.broken = ""
        self.sampled = False
        self.offsets = self._follow(first)
        if not len(self.offsets):
            raise ReadError(
                f"{path.name} has no page: {self.broken or 'its page list is empty'}. "
                "It was not written to the end; copy or export it again."
            )

    def __len__(self) -> int:
        return len(self.offsets)

    def _visit(self, offset: int) -> tuple[int, int] | None:
        """Return (number of tags, next header) of the header at ``offset``."""
        if not 8 <= offset <= self.size - self._head.size:
            return None
        n_tags = self._head.unpack_from(self.buffer, offset)[0]
        end = offset + self._head.size + self._entry * n_tags
        if not 0 < n_tags <= MAX_TAGS or end + self._next.size > self.size:
            return None
        return n_tags, self._next.unpack_from(self.buffer, end)[0]

    def _follow(self, offset: int) -> NDArray[np.int64]:
        found: list[int] = []
        seen: set[int] = set()
        blocks: list[NDArray[np.int64]] = []
        while offset:
            visited = self._visit(offset)
            if visited is None or offset in seen:
                number = len(found) + sum(map(len, blocks))
                self.broken = (
                    f"the header of page {number} should be at byte {offset} of "
                    f"{self.size}, but is not there"
                )
                break
            seen.add(offset)
            found.append(offset)
            offset = visited[1]
            if len(found) == 8 and not blocks:
                run = self._regular_run(found[-4:])
                if run > 4:
                    step = found[-1] - found[-2]
                    more = found[-1] + step * np.arange(1, run - 3, dtype=np.int64)
                    blocks = [np.array(found, np.int64), more]
                    seen.update(found)
                    found = []
                    self.sampled = True
                    offset = int(more[-1]) + step
        return np.concatenate([*blocks, np.array(found, np.int64)])

    def _regular_run(self, known: list[int]) -> int:
        """Return how many headers from ``known[0]`` on lie at equal distances."""
        step = known[-1] - known[-2]
        steps = {b - a for a, b in itertools.pairwise(known)}
        first = self._visit(known[0])
        if steps != {step} or step <= 0 or first is None:
            return 0

        def holds(i: int) -> bool:
            visited = self._visit(known[0] + i * step)
            return visited == (first[0], known[0] + (i + 1) * step)

        low, high = len(known) - 2, (self.size - known[0]) // step + 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if holds(middle) else (low, middle)
        sample = np.linspace(0, low, 64).astype(int)
        return low + 1 if all(holds(int(i)) for i in sample) else 0

    def _gather(self, positions: NDArray[np.int64], n_bytes: int) -> NDArray[np.int64]:
        """Return the unsigned integers of ``n_bytes`` at each position."""
        if not len(positions):
            return np.empty(0, np.int64)
        inside = np.clip(positions, 0, self.size - n_bytes)
        raw: NDArray[np.uint8] = self.bytes[inside[:, None] + np.arange(n_bytes)]
        values: NDArray[np.int64]
        values = np.ascontiguousarray(raw).view(f"{self.order}u{n_bytes}")[:, 0]
        return values.astype(np.int64)

    def tags(self, page: int) -> dict[int, tuple[int, int, int]]:
        """Return tag code -> (type, count, position of its value) of a page."""
        return self._tags_at(int(self.offsets[page]))

    def _tags_at(self, offset: int) -> dict[int, tuple[int, int, int]]:
        visited = self._visit(offset)
        if visited is None:
            raise ReadError(f"there is no page header at byte {offset}")
        inline = 8 if self.big else 4
        found = {}
        for i in range(visited[0]):
            at = offset + self._head.size + i * self._entry
            code, kind, count = self._layout.unpack_from(self.buffer, at)
            place = at + self._layout.size
            if _SIZES.get(kind, 1) * count > inline:
                place = self._next.unpack_from(self.buffer, place)[0]
            found[code] = (kind, count, place)
        return found

    def value(self, tag: tuple[int, int, int]) -> int | None:
        """Return the first number of a tag (see :meth:`tags`)."""
        kind, _, place = tag
        size = _SIZES.get(kind, 0)
        if kind not in _INTEGERS or not 0 <= place <= self.size - size:
            return None
        return int.from_bytes(
            self.buffer[place : place + size], "little" if self.order == "<" else "big"
        )

    def numbers(
        self, codes: tuple[int, ...], pages: NDArray[np.intp] | None = None
    ) -> NDArray[np.int64]:
        """Return the first number of each tag in each page.

        Parameters
        ----------
        codes : tuple of int
            Tag codes.
        pages : numpy.ndarray, optional
            Which pages; default all.

        Returns
        -------
        numpy.ndarray
            Shape (n_pages, n_codes); -1 where a page has no such tag. Pages whose
            header is built as that of the second page are read all at once.
        """
        offsets = self.offsets if pages is None else self.offsets[pages]
        out = np.full((len(offsets), len(codes)), -1, np.int64)
        many = len(offsets) > FEW_PAGES
        others = self._fill_alike(codes, offsets, out) if many else range(len(offsets))
        for i in others:
            tags = self._tags_at(int(offsets[i]))
            for column, code in enumerate(codes):
                value = self.value(tags[code]) if code in tags else None
                out[i, column] = -1 if value is None else value
        return out

    def _fill_alike(
        self, codes: tuple[int, ...], offsets: NDArray[np.int64], out: NDArray[np.int64]
    ) -> NDArray[np.intp]:
        """Fill in the pages with headers as the second one; return which are others."""
        n_tags, entries = self._model
        same = self._gather(offsets, self._head.size) == n_tags
        for column, code in enumerate(codes):
            if code not in entries:
                continue
            kind, count, at = entries[code]
            same &= self._gather(offsets + at, 2) == code
            same &= self._gather(offsets + at + 2, 2) == kind
            place = offsets + at + (12 if self.big else 8)
            if _SIZES.get(kind, 1) * count > (8 if self.big else 4):
                place = self._gather(place, self._next.size)
            if kind in _INTEGERS:
                out[:, column] = self._gather(place, _SIZES[kind])
        return np.flatnonzero(~same)

    @functools.cached_property
    def _model(self) -> tuple[int, dict[int, tuple[int, int, int]]]:
        """Number of tags of the second page; code -> (type, count, place in header)."""
        offset = int(self.offsets[min(1, len(self) - 1)])
        visited = self._visit(offset)
        entries = {}
        for i in range(visited[0] if visited else 0):
            at = self._head.size + i * self._entry
            code, kind, count = self._layout.unpack_from(self.buffer, offset + at)
            entries[code] = (kind, count, at)
        return (visited[0] if visited else 0), entries


def signatures(chain: Chain) -> NDArray[np.int64]:
    """Return width, height, bits, compression, samples and format of each page.

    Where headers lie far apart (a file written frame by frame at equal distances), all
    pages are taken for equal if a sample of them is.
    """
    if is_far(chain):
        found = chain.numbers(SIGNATURE, sample_of(chain))
        if (found == found[0]).all():
            whole: NDArray[np.int64] = np.broadcast_to(
                found[0], (len(chain), len(SIGNATURE))
            )
            return whole
    return chain.numbers(SIGNATURE)


def data_offsets(chain: Chain) -> NDArray[np.int64]:
    """Return where the pixels of each page begin; -1 where a page does not say.

    Inferred from a sample under the conditions of :func:`signatures`.
    """
    if is_far(chain):
        pages = sample_of(chain)
        found = chain.numbers((STRIP_OFFSETS,), pages)[:, 0]
        gaps = found - chain.offsets[pages]
        if found.min() > 0 and (gaps[1:] == gaps[1]).all():
            offsets: NDArray[np.int64] = chain.offsets + gaps[1]
            offsets[0] = found[0]
            return offsets
    return chain.numbers((STRIP_OFFSETS,))[:, 0]


def is_far(chain: Chain) -> bool:
    """Return whether visiting each page's header would touch much of the file."""
    if not chain.sampled or len(chain) <= 512:
        return False
    return bool(np.median(np.diff(chain.offsets[1:65])) > 4096)


def sample_of(chain: Chain) -> NDArray[np.intp]:
    """Return 128 pages, first, second and last among them."""
    spread = np.linspace(1, len(chain) - 1, 127).astype(np.intp)
    return np.unique(np.concatenate([np.zeros(1, np.intp), spread]))
