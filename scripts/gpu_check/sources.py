"""What the programs are made of: a call finds what an earlier one built, whatever became of the files' dates when they were copied."""

import hashlib

from machine import ROOT


def fingerprint(*words):
    """Of everything that is compiled, and of how."""
    digest = hashlib.sha256(repr(words).encode())
    for path in [ROOT / "CMakeLists.txt", *sorted(path for path in (ROOT / "native").rglob("*") if path.is_file())]:
        digest.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


class Built:
    """The programs in a folder, and what they were made of."""

    def __init__(self, folder, programs):
        self.stamp, self.programs = folder / "gpu-check.sources", [folder / name for name in programs]

    def is_of(self, sources):
        return all(path.exists() for path in [self.stamp, *self.programs]) and self.stamp.read_text() == sources

    def forget(self):
        """What is there by then is no longer there: a build that fails must not leave programs of other sources."""
        for path in [self.stamp, *self.programs]:
            path.unlink(missing_ok=True)

    def remember(self, sources):
        self.stamp.write_text(sources)
