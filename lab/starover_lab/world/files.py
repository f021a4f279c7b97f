"""The files of one Windows host, with create-new semantics; knows no drive letters' sizes and no PowerShell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from starover_lab.world.errors import WorldError

__all__ = ["Entry", "FileStore", "Kept", "clean_path", "parent_of"]


@dataclass(eq=False)
class Entry:
    """A file or a folder."""

    path: str
    """As it was first spelt, without a trailing backslash."""
    folder: bool
    created: datetime
    modified: datetime
    content: bytes = b""
    owners: tuple[str, ...] = ()
    """Who has access, when inheritance was cut; empty: inherited."""
    size: int | None = None
    """Bytes, where the content is not kept; None: as many as the content has."""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("\\")[2]


class Kept(Protocol):
    """Files that a service keeps on a host, such as databases and their logs: computed, not stored."""

    def find(self, path: str) -> Entry | None:
        """That file, or None."""
        ...

    def within(self, folder: str) -> list[Entry]:
        """The files that lie in that folder, in no order."""
        ...

    def taken(self, path: str) -> Entry:
        """Take such a file from the service: it was moved away, or removed. Raises `in_use`."""
        ...

    def returned(self, path: str, entry: Entry) -> bool:
        """Whether what is put at that path is the service's own file again."""
        ...


class _Nothing:
    """No service keeps a file."""

    def find(self, path: str) -> Entry | None:
        del path
        return None

    def within(self, folder: str) -> list[Entry]:
        del folder
        return []

    def taken(self, path: str) -> Entry:
        raise WorldError("file_not_found", f"there is no {path}", path=path)

    def returned(self, path: str, entry: Entry) -> bool:
        del path, entry
        return False


def clean_path(path: str) -> str:
    """`c:/a\\.\\b\\..\\c\\` as `c:\\a\\c`; UNC paths keep their two backslashes."""
    text = path.replace("/", "\\")
    lead = "\\\\" if text.startswith("\\\\") else ""
    parts: list[str] = []
    for part in text.split("\\"):
        if part in ("", "."):
            continue
        if part == "..":
            if len(parts) > 1:
                parts.pop()
            continue
        parts.append(part)
    return lead + "\\".join(parts)


def parent_of(path: str) -> str:
    """The folder that a path lies in; empty for a root."""
    return clean_path(path).rpartition("\\")[0]


class FileStore:
    """What lies on a host's disks; it survives a reboot. A drive's root always exists."""

    def __init__(
        self,
        now: Callable[[], datetime],
        kept: Kept | None = None,
        shares: Callable[[str], tuple[FileStore, str]] | None = None,
    ) -> None:
        """`kept`: files that a service keeps here.

        `shares`: the files of another host, and the path there, that a UNC path means from here. Raises `WorldError`.
        """
        self._now = now
        self._kept: Kept = kept or _Nothing()
        self._shares = shares
        self._entries: dict[str, Entry] = {}

    def get(self, path: str) -> Entry | None:
        """The file or folder, or None."""
        clean = clean_path(path)
        if (other := self._elsewhere(clean)) is not None:
            found = other[0].get(other[1])
            return None if found is None else replace(found, path=clean)
        if clean.endswith(":") and "\\" not in clean:
            moment = datetime.fromisoformat("2021-05-08T08:20:24+00:00")
            return Entry(clean, folder=True, created=moment, modified=moment)
        return self._entries.get(clean.casefold()) or self._kept.find(clean)

    def _elsewhere(self, clean: str) -> tuple[FileStore, str] | None:
        """The files of another host that a UNC path means. Who may go there was looked at by whoever asks."""
        return self._shares(clean) if self._shares is not None and clean.startswith("\\\\") else None

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder of that path."""
        return self.get(path) is not None

    def make_folder(self, path: str, *, owners: tuple[str, ...] = ()) -> Entry:
        """Make a folder and all above it. A folder that exists is returned as it is (`New-Item -Force`)."""
        clean = clean_path(path)
        if (other := self._elsewhere(clean)) is not None:
            return replace(other[0].make_folder(other[1], owners=owners), path=clean)
        entry = self.get(clean)
        if entry is not None:
            if not entry.folder:
                raise WorldError("file_exists", f"{entry.path} is a file", path=clean)
            return entry
        above = parent_of(clean)
        if above:
            self.make_folder(above)
        now = self._now()
        return self._entries.setdefault(clean.casefold(), Entry(clean, True, now, now, owners=owners))

    def create_new(self, path: str, content: bytes = b"") -> Entry:
        """Make a file that must not exist yet: of two who try, one succeeds. Raises `file_exists`, `file_not_found`."""
        entry = self.get(path)
        if entry is not None:
            raise WorldError("file_exists", f"{entry.path} exists already", path=entry.path)
        return self.write(path, content)

    def write(self, path: str, content: bytes, *, append: bool = False) -> Entry:
        """Write a whole file, or add to it. Raises `file_not_found` when its folder is missing."""
        clean = clean_path(path)
        if (other := self._elsewhere(clean)) is not None:
            return replace(other[0].write(other[1], content, append=append), path=clean)
        above = self.get(parent_of(clean))
        if above is None or not above.folder:
            raise WorldError("file_not_found", f"there is no folder {parent_of(clean)}", path=clean)
        entry = self.get(clean)
        now = self._now()
        if entry is None:
            entry = self._entries[clean.casefold()] = Entry(clean, folder=False, created=now, modified=now)
        if entry.folder:
            raise WorldError("is_directory", f"{entry.path} is a folder", path=entry.path)
        entry.content = entry.content + content if append else content
        entry.modified = now
        return entry

    def read(self, path: str) -> bytes:
        """A file's bytes. Raises `file_not_found`, `is_directory`."""
        entry = self.get(path)
        if entry is None:
            raise WorldError("file_not_found", f"there is no file {clean_path(path)}", path=clean_path(path))
        if entry.folder:
            raise WorldError("is_directory", f"{entry.path} is a folder", path=entry.path)
        return entry.content

    def remove(self, path: str) -> None:
        """Remove a file, or a folder with all in it. Raises `file_not_found`, `in_use`."""
        clean = clean_path(path)
        if (other := self._elsewhere(clean)) is not None:
            other[0].remove(other[1])
            return
        if self._entries.pop(clean.casefold(), None) is None:
            if self._kept.find(clean) is not None:
                self._kept.taken(clean)
                return
            raise WorldError("file_not_found", f"there is no {clean}", path=clean)
        for key in [key for key in self._entries if key.startswith(clean.casefold() + "\\")]:
            del self._entries[key]

    def move(self, path: str, to: str) -> Entry:
        """Rename a file or folder. Raises `file_not_found`, `file_exists`, `in_use`."""
        source, target = clean_path(path), clean_path(to)
        if self.exists(target):
            raise WorldError("file_exists", f"{target} exists already", path=target)
        if self.get(source) is None:
            raise WorldError("file_not_found", f"there is no {source}", path=source)
        if self.get(parent_of(target)) is None:
            raise WorldError("file_not_found", f"there is no folder {parent_of(target)}", path=target)
        key = source.casefold()
        own = self._entries.get(key)
        if own is None or not own.folder:
            entry = self._kept.taken(source) if own is None else self._entries.pop(key)
            entry.path = target
            if not self._kept.returned(target, entry):
                self._entries[target.casefold()] = entry
            return entry
        for old in [one for one in self._entries if one == key or one.startswith(key + "\\")]:
            entry = self._entries.pop(old)
            entry.path = target + entry.path[len(source) :]
            self._entries[entry.path.casefold()] = entry
        return self._entries[target.casefold()]

    def children(self, path: str, *, deep: bool = False) -> list[Entry]:
        """What lies in a folder, by name; with `deep` also in the folders below. Raises `file_not_found`."""
        clean = clean_path(path)
        if (other := self._elsewhere(clean)) is not None:
            below = other[0].children(other[1], deep=deep)
            return [replace(one, path=clean + one.path[len(clean_path(other[1])) :]) for one in below]
        folder = self.get(clean)
        if folder is None:
            raise WorldError("file_not_found", f"there is no folder {clean}", path=clean)
        if not folder.folder:
            raise WorldError("not_a_directory", f"{folder.path} is a file", path=clean)
        lead = clean.casefold() + "\\"
        found = {
            key: entry
            for key, entry in self._entries.items()
            if key.startswith(lead) and (deep or "\\" not in key[len(lead) :])
        }
        folders = [clean, *(entry.path for entry in found.values() if entry.folder)] if deep else [clean]
        for one in folders:
            for entry in self._kept.within(one):
                found.setdefault(entry.path.casefold(), entry)
        return [found[key] for key in sorted(found)]
