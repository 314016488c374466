"""Decodes the images of a source once and keeps them, memory-mapped, for every later start."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from filelock import Timeout
from PIL import __version__ as pillow_version
from PIL import features

from qana.dataset.pixels.blocks import decoded_blocks, problems_of
from qana.dataset.pixels.cache_files import Written, read_facts, read_images, write_blocks
from qana.dataset.pixels.cache_lock import (
    BUILDING,
    builder_of,
    lock_of,
    remove_leftovers,
    swap_in,
    tell,
    writing,
)
from qana.dataset.pixels.decoded import Decoded, decoded_in_memory
from qana.dataset.pixels.digests import whole_digest
from qana.dataset.pixels.freshness import refreshed_records
from qana.dataset.pixels.manifest import (
    CacheRejectedError,
    FileRecord,
    Manifest,
    read_manifest,
    write_manifest,
)
from qana.dataset.pixels.pixels import FileStamp, Pixels
from qana.dataset.pixels.preprocessing import Preprocessing
from qana.errors import QanaError

__all__ = ["Decoded", "cache_key", "decoded_images"]

# One more whenever the same files would give other pixels, perceptual hashes or tones than before.
FORMAT = 1


def decoded_images(
    pixels: Pixels, preprocessing: Preprocessing, *, cache_dir: Path | None, label: str
) -> Decoded:
    """Decode all images, or map those that an earlier start decoded.

    The cache is a folder of its own for each list of files (names, sizes), preprocessing and version of the
    decoder. It is used only if every byte in it is as written and no file has changed; otherwise the console
    says why, and it is built anew. Processes that start at once build it once. Rows that could not be read
    are tried again at every start.

    Args:
        pixels: the images.
        preprocessing: crop, resize and colour handling.
        cache_dir: where caches are kept; None decodes into memory.
        label: what the progress bar and the console call the work.

    Raises:
        QanaError: the cache cannot be written.
    """
    stamps = pixels.files()
    if cache_dir is None or not stamps:  # what no file holds is drawn at every start
        return decoded_in_memory(pixels, preprocessing, label=label)
    folder = cache_dir.expanduser() / cache_key(stamps, len(pixels), preprocessing)
    return _Cache(folder, pixels, stamps, preprocessing, label).decoded()


def cache_key(stamps: Sequence[FileStamp], length: int, preprocessing: Preprocessing) -> str:
    """Name (hex) of the cache folder: a SHA-256 over all that decides the pixels but the files' content."""
    decides = {
        "format": FORMAT,
        "files": [(stamp.name, stamp.size) for stamp in stamps],
        "length": length,
        "preprocessing": asdict(preprocessing),
        "pillow": pillow_version,
        "jpeg": features.version("libjpeg_turbo") or features.version("jpg"),
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class _Cache:
    """The cache folder of one source."""

    folder: Path
    pixels: Pixels
    stamps: Sequence[FileStamp]
    preprocessing: Preprocessing
    label: str

    def decoded(self) -> Decoded:
        try:
            return self._open()
        except CacheRejectedError:
            pass  # another process may be building: ask again when none is
        with builder_of(self.folder, self.label):
            try:
                return self._open()
            except CacheRejectedError as rejected:
                if str(rejected):
                    tell(f"{self.label}: building the cache of decoded images anew: {rejected}")
            remove_leftovers(self.folder)
            self._build()
            try:
                return self._open()
            except CacheRejectedError as rejected:
                raise self._unsteady(rejected) from rejected

    def _open(self) -> Decoded:
        manifest = read_manifest(self.folder)
        records = refreshed_records(self.stamps, manifest.files, label=self.label)
        images = read_images(self.folder, manifest, self._shape)
        facts = read_facts(self.folder, manifest)
        problems = self._tried_again(manifest.problems)
        if records != manifest.files:
            self._refresh(manifest, records)
        digest = whole_digest(manifest.image_digests)
        return Decoded(images, digest, problems, facts.perceptual_hash, facts.tone_ita_deg)

    def _unsteady(self, rejected: CacheRejectedError) -> QanaError:
        return QanaError(
            f"the cache of decoded images below {self.folder.parent} cannot be used just after it was built:"
            f" {rejected}",
            where=f"dataset.cache_dir = {self.folder.parent}",
            allowed="folders of images and of the cache that give back what lies in them",
            fix="start again, give another dataset.cache_dir=<folder>, or decode into memory with"
            " dataset.cache_dir=null",
        )

    @property
    def _shape(self) -> tuple[int, int, int, int]:
        size = self.preprocessing.image_size
        return len(self.pixels), size, size, 3

    def _tried_again(self, problems: Mapping[int, str]) -> dict[int, str]:
        """The problems of now, of rows that had one."""
        again = problems_of(self.pixels, sorted(problems), self.preprocessing)
        readable = len(problems) - len(again)
        if readable:
            raise CacheRejectedError(f"{readable} images can be read now that could not be")
        return again

    def _refresh(self, manifest: Manifest, records: tuple[FileRecord, ...]) -> None:
        # Saves the next start the comparison of these files, no more: where it cannot be, it need not be.
        with suppress(OSError, NotImplementedError, Timeout), lock_of(self.folder).acquire(timeout=0):
            if read_manifest(self.folder) == manifest:
                write_manifest(self.folder, replace(manifest, files=records))

    def _build(self) -> None:
        half = self.folder.with_suffix(BUILDING)
        with writing(self.folder.parent):
            half.mkdir()
            try:
                # Closed at once where writing fails, so that its bar does not live on beside the error.
                with closing(decoded_blocks(self.pixels, self.preprocessing, label=self.label)) as blocks:
                    written = write_blocks(half, blocks, self._shape)
                write_manifest(half, self._manifest(written))
            except BaseException:
                shutil.rmtree(half, ignore_errors=True)
                raise
        swap_in(self.folder)

    def _manifest(self, written: Written) -> Manifest:
        records = tuple(
            FileRecord(stamp.name, stamp.size, stamp.mtime_ns, self.pixels.sha256(file))
            for file, stamp in enumerate(self.stamps)
        )
        return Manifest(records, written.image_digests, written.facts_sha256, written.problems)
