"""Object stores: s3://, gs://, az://, and https:// to read. Only a URL that the user gives reaches a network. (cloud)

Who may enter is said by the variables that each store's own tools take, such as AWS_ACCESS_KEY_ID.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from itertools import islice, takewhile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from subpixel.errors import BadRequest, MissingExtra, UnreadableImage, UnwritableImage
from subpixel.images import READABLE, split_ending
from subpixel.jobs.walk import Folder

LARGEST = 2**32
"""Bytes of an object that is fetched."""
_URL = re.compile(r"(s3|gs|az|https?)://[^/]+")
_CHUNK = 2**22
_TOGETHER = 1000
"""Names that a store tells at once, and at least so many of a folder are found together."""
_WINDOW = 20_000
"""Names of results that are held at a time."""


def is_url(text: str) -> bool:
    """Whether it names something in a store, such as s3://bucket/name, and no file."""
    return "://" in text and bool(_URL.match(text))


def check_target(url: str) -> None:
    """Raises: BadRequest for one that can only be read; MissingExtra."""
    if url.startswith("http"):
        raise BadRequest(f"{url} can be read and not written; give a folder, s3://, gs:// or az:// with -o")
    _obstore()


def names_image(url: str) -> bool:
    """Whether it is called as one image, and not as all that lie below it."""
    return url.startswith("http") or split_ending(urlsplit(url).path)[1].lower() in READABLE


def below(url: str, place: str = "") -> Iterator[Folder]:
    """What lies below a URL, as if its slashes were folders, as it is listed; long ones come in parts.

    Names that differ in their endings alone come together, since stores list by name. Raises: UnreadableImage.
    """
    top, held = url.rstrip("/"), dict[str, list[str]]()
    for path in _listed(top):
        inner, _, name = path.rpartition("/")
        if not name or any(part.startswith(".") for part in path.split("/")):
            continue
        if split_ending(name)[1].lower() not in READABLE:
            continue
        for done in [folder for folder in held if not f"{inner}/".startswith(f"{folder}/" if folder else "")]:
            yield _folder(top, place, done, held.pop(done))
        names = held.setdefault(inner, [])
        if len(names) >= _TOGETHER and names[-1].partition(".")[0] != name.partition(".")[0]:
            yield _folder(top, place, inner, names)
            held[inner] = names = []
        names.append(name)
    for folder, names in held.items():
        yield _folder(top, place, folder, names)


def _folder(top: str, place: str, inner: str, names: list[str]) -> Folder:
    here = f"{top}/{inner}" if inner else top
    return Folder(here, os.path.join(place, inner) if inner else place, here, sorted(names))


def existing(url: str) -> tuple[frozenset[str], str | None]:
    """Some objects by their URLs, by name from one on, and the last of them; None where there are no more.

    Raises: UnreadableImage.
    """
    folder = url.rpartition("/")[0]
    names = list(islice(_listed(folder, start=url[len(folder) + 1 : -1]), _WINDOW))
    return frozenset(f"{folder}/{name}" for name in names), f"{folder}/{names[-1]}" if len(names) == _WINDOW else None


def beside(url: str, names: Collection[str]) -> list[str]:
    """Those of some names in the folder of an object, all of which begin with its stem, that are there.

    None over https://, which lists nothing. Raises: UnreadableImage.
    """
    folder, _, own = url.rpartition("/")
    start = split_ending(own)[0]
    listed = iter(()) if url.startswith("http") else _listed(folder, start=start)
    return [name for name in takewhile(lambda name: name.startswith(start), listed) if name in names]


def fetch(url: str, file: Path) -> None:
    """Writes an object into a file. Raises: UnreadableImage; OSError."""
    obstore, store, key = _at(url)
    try:
        stored = obstore.get(store, key)
        if stored.meta["size"] > LARGEST:
            raise UnreadableImage(url, f"it has {stored.meta['size']:,} bytes, more than {LARGEST:,}")
        with file.open("wb") as target:
            for chunk in stored.stream(min_chunk_size=_CHUNK):
                target.write(chunk)
    except (obstore.exceptions.BaseError, FileNotFoundError) as error:
        raise UnreadableImage(url, _reason(error)) from error


def put(file: Path, url: str, overwrite: bool) -> bool:
    """Lets an object appear whole, if there is none yet or it may be replaced; whether it did.

    Raises: UnwritableImage.
    """
    obstore, store, key = _at(url)
    mode = "overwrite" if overwrite else "create"
    try:
        obstore.put(store, key, file, mode=mode, use_multipart=False)  # parts cannot be put on a condition
    except obstore.exceptions.AlreadyExistsError:
        return False
    except obstore.exceptions.BaseError as error:
        raise UnwritableImage(url, _reason(error)) from error
    return True


def _listed(url: str, start: str = "") -> Iterator[str]:
    """What lies below a URL, deeper folders among it, relative to it and by name; start: after what."""
    obstore, store, key = _at(url)
    prefix = f"{key}/" if key else ""
    try:
        listed = obstore.list(store, prefix or None, offset=prefix + start if start else None, chunk_size=_TOGETHER)
        for some in listed:
            yield from (each["path"][len(prefix) :] for each in some)
    except obstore.exceptions.BaseError as error:
        raise UnreadableImage(url, _reason(error)) from error


def _at(url: str) -> tuple[Any, Any, str]:
    """The library, the store, and the key in it."""
    parts = urlsplit(url)
    bucket = f"{parts.scheme}://{parts.netloc}"
    key = url[len(bucket) :].lstrip("/")
    if not parts.scheme.startswith("http"):
        return _obstore(), _store(bucket), key
    if parts.query:
        raise BadRequest(f"{url} has a query; download it, and name the file")
    return _obstore(), _store(bucket), unquote(key)


@lru_cache
def _store(bucket: str) -> Any:
    _obstore()
    from obstore.store import from_url

    retry: Any = {"max_retries": 3}
    options: Any = {"allow_http": True} if bucket.startswith("http:") else None
    try:
        return from_url(bucket, retry_config=retry, client_options=options)
    except Exception as error:  # a variable that says no sense of it
        raise BadRequest(f"{bucket}: {_reason(error)}") from error


def _obstore() -> Any:
    """Raises: MissingExtra."""
    try:
        import obstore
    except ImportError:
        raise MissingExtra("obstore", "cloud") from None
    return obstore


def _reason(error: BaseException) -> str:
    """The first line of what a store says, without the library's own tree of causes."""
    text = str(error).strip()
    if isinstance(error, FileNotFoundError) or "404" in text.splitlines()[0]:
        return "there is no such object"
    return " ".join(text.splitlines()[0].split())[:300]
