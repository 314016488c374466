"""Image files that log what is decoded, and builders of caches that run in processes of their own."""

import time
from pathlib import Path

from qana.console import console
from qana.dataset.pixels.cache import decoded_images
from qana.dataset.pixels.image_files import ImageFiles
from qana.dataset.pixels.preprocessing import Preprocessing

PREPROCESSING = Preprocessing(8, "centre", "rgb")
DEADLINE_S = 60


class WatchedFiles(ImageFiles):
    """Writes every row that is decoded into a log."""

    def __init__(self, root, paths, log):
        super().__init__(root, paths)
        self.log = log

    def decode(self, rows, out, preprocessing):
        with self.log.open("a") as log:
            log.write("".join(f"{row}\n" for row in rows))
        return super().decode(rows, out, preprocessing)

    @property
    def rows_decoded(self):
        return sorted(map(int, self.log.read_text().split())) if self.log.exists() else []


class MeetingFiles(WatchedFiles):
    """Waits until all builders have come, and is slow from then on, so that they do meet."""

    def __init__(self, root, paths, log, meeting, me, builders):
        super().__init__(root, paths, log)
        self.meeting, self.me, self.builders = meeting, me, builders

    def files(self):
        (self.meeting / self.me).touch()
        wait_until(lambda: len(list(self.meeting.iterdir())) == self.builders)
        return super().files()

    def decode(self, rows, out, preprocessing):
        time.sleep(0.3)
        return super().decode(rows, out, preprocessing)


class EndlessFiles(WatchedFiles):
    """Never comes to an end with the last rows."""

    def decode(self, rows, out, preprocessing):
        while len(self) - 1 in rows:
            time.sleep(1)
        return super().decode(rows, out, preprocessing)


def build(pixels, cache_dir, preprocessing=PREPROCESSING):
    """The decoded images, and what the console said."""
    with console.capture() as captured:
        decoded = decoded_images(pixels, preprocessing, cache_dir=cache_dir, label="decode images")
    return decoded, captured.get()


def build_together(folder, me, builders):
    """Run in several processes or threads; returns what can be sent back."""
    folder = Path(folder)
    paths = sorted((folder / "images").iterdir())
    pixels = MeetingFiles(folder / "images", paths, folder / "log", folder / "meeting", me, builders)
    decoded, text = build(pixels, folder / "cache")
    return decoded.digest, decoded.images.tobytes(), text


def build_without_end(folder):
    folder = Path(folder)
    paths = sorted((folder / "images").iterdir())
    build(EndlessFiles(folder / "images", paths, folder / "log"), folder / "cache")


def build_with_little_room(folder, most_bytes):
    """Returns the error of a build that may write no file larger than `most_bytes`."""
    import resource

    from qana.errors import QanaError

    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    folder = Path(folder)
    try:
        build(ImageFiles(folder / "images", sorted((folder / "images").iterdir())), folder / "cache")
    except QanaError as error:
        return str(error)
    return "no error"


def wait_until(reached):
    start_s = time.monotonic()
    while not reached():
        assert time.monotonic() - start_s < DEADLINE_S
        time.sleep(0.01)
