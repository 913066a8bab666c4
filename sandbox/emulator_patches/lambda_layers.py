"""The layers of all execution environments are unpacked once. Upstream: yes.

MiniStack unpacks each layer again whenever an environment starts, and Python then compiles what it
imports from it. The environments share one read-only copy of a layer here, as AWS Lambda mounts
layers below `/opt`, so that a cold start in the account costs little more than its imports.

https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html
"""

import hashlib
import os
import shutil
import tempfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

from sandbox.emulator_patches.hooks import replace


class SharedArchive(zipfile.ZipFile):
    """A ZIP archive whose content is unpacked once for all that extract it."""

    def extractall(  # type: ignore[override]
        self, path: str | os.PathLike[str]
    ) -> None:
        """Make `path`, an empty directory, a link to the unpacked content of the archive.

        The content is found by the hash of the archive, below the directory for temporary files.
        """
        with Path(str(self.filename)).open("rb") as archive:
            content = hashlib.file_digest(archive, "sha256").hexdigest()
        shared = Path(tempfile.gettempdir()) / "layers" / content
        if not shared.is_dir():
            shared.parent.mkdir(exist_ok=True)
            unpacked = Path(tempfile.mkdtemp(dir=shared.parent))
            super().extractall(unpacked)
            try:
                unpacked.rename(shared)
            except OSError:  # another environment has been faster
                shutil.rmtree(unpacked)
        Path(path).rmdir()
        Path(path).symlink_to(shared)


def install() -> None:
    """Have MiniStack unpack with the archives above."""
    shared = SimpleNamespace(**vars(zipfile) | {"ZipFile": SharedArchive})
    replace("core.lambda_runtime", "zipfile", lambda _: shared)
