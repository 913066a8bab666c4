"""Packs the built stack: the SAM CLI alone deploys what is in the archive, and builds nothing.

    python -m tools.package .aws-sam/build emr-log-guard-1.0.0.tar.gz

The same build gives the same bytes: files are sorted, and have neither owners nor times.
"""

import gzip
import io
import re
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WITH_IT = ("LICENSE", "README.md", "samconfig.toml")
TIME = 315_532_800
"""The beginning of 1980. ZIP files, which SAM makes of the folders, know no earlier time."""

_OUTSIDE = re.compile(r"^( +\w+U(?:ri|rl): )(\.\./.*)$", re.MULTILINE)


def archive(build: Path, folder: str) -> bytes:
    """Pack a folder of `sam build` under another name, with the files that its template needs.

    Args:
        build: The folder, which contains template.yaml.
        folder: The name of the one folder in the archive.

    Returns:
        A tar file, compressed by gzip.
    """
    written = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=written, mode="wb", filename="", mtime=TIME) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, (content, executable) in sorted(_files(build).items()):
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size, member.mtime = len(content), TIME
            member.mode = 0o755 if executable else 0o644
            tar.addfile(member, io.BytesIO(content))
    return written.getvalue()


def _files(build: Path) -> Mapping[str, tuple[bytes, bool]]:
    """Return the content of each file, and whether it is executable, by its path."""
    template = (build / "template.yaml").read_text()
    outside = {path: (build / path).resolve() for _, path in _OUTSIDE.findall(template)}
    sources = {path.relative_to(build).as_posix(): path for path in _regular_files(build)}
    sources |= {path.relative_to(ROOT).as_posix(): path for path in outside.values()}
    sources |= {name: ROOT / name for name in WITH_IT}
    files = {
        name: (path.read_bytes(), bool(path.stat().st_mode & 0o100))
        for name, path in sources.items()
    }
    # The template refers to what `sam build` copies nowhere by its path in the repository.
    inside = _OUTSIDE.sub(
        lambda found: found[1] + outside[found[2]].relative_to(ROOT).as_posix(), template
    )
    return {**files, "template.yaml": (inside.encode(), False)}


def _regular_files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    target = Path(sys.argv[2])
    target.write_bytes(archive(Path(sys.argv[1]).absolute(), target.name.removesuffix(".tar.gz")))
