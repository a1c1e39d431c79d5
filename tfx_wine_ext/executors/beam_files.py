"""File operations on whatever file system Beam can reach."""

from __future__ import annotations

from typing import BinaryIO, cast

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from tfx_wine_ext.columnar.files import LocalFiles, check_regular_file


class BeamFiles:
    """Implements `tfx_wine_ext.columnar.files.Files` with Beam's FileSystems.

    Bytes are read and written as they are, never (de)compressed by file name.
    """

    def glob(self, pattern: str) -> list[str]:
        """Returns the paths of the files that match, sorted."""
        return sorted(m.path for m in FileSystems.match([pattern])[0].metadata_list)

    def is_dir(self, path: str) -> bool:
        """Tells whether the path is a folder, or a prefix of files on an object store."""
        return bool(FileSystems.exists(path.rstrip("/") + "/"))

    def exists(self, path: str) -> bool:
        """Tells whether there is such a file."""
        return bool(FileSystems.exists(path))

    def open(self, path: str) -> BinaryIO:
        """Opens a file for reading; on this machine only a regular one."""
        if FileSystems.get_scheme(path) is None:
            check_regular_file(path)
        return cast(
            BinaryIO, FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
        )

    def create(self, path: str) -> BinaryIO:
        """Creates or replaces a file for writing, with its folders."""
        return cast(
            BinaryIO, FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED)
        )

    def rename(self, source: str, destination: str) -> None:
        """Moves a file, atomically where the file system can."""
        FileSystems.rename([source], [destination])

    def move_tree(self, source: str, destination: str) -> None:
        """Moves a folder: in one step where folders exist, file by file on object stores."""
        if FileSystems.exists(source):
            self.rename(source, destination)
            return
        paths = self.glob(f"{source}/**")
        FileSystems.rename(paths, [destination + path[len(source) :] for path in paths])

    def remove_tree(self, path: str) -> None:
        """Deletes a folder and all that is in it."""
        if FileSystems.get_scheme(path) is None:
            # Beam would take the path for a pattern, and not find "run [1]".
            LocalFiles().remove_tree(path)
            return
        found = [path] if FileSystems.exists(path) else self.glob(f"{path}/**")
        if found:
            FileSystems.delete(found)
