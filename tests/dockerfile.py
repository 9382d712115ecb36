# SPDX-License-Identifier: BSD-3-Clause
"""Runs the steps of a Dockerfile without Docker, below a folder that stands for the root.

That tells whether its steps work one after the other, not what they come to on its base image.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import attrs

_CREATES_USER = re.compile(r"useradd .*")


@attrs.define
class Image:
    """What the last stage comes to.

    Attributes:
        root: The folder that stands for `/`.
        folder: Where a container begins.
        user: As whom.
        entrypoint: With what.
        bases: The images that the stages begin with.
    """

    root: Path
    folder: Path
    user: str = "root"
    entrypoint: list[str] = attrs.field(factory=list)
    bases: list[str] = attrs.field(factory=list)
    variables: dict[str, str] = attrs.field(factory=dict)

    def command(self) -> list[str]:
        """What `docker run` would start, found as there: on the image's path."""
        program, *arguments = self.entrypoint
        found = shutil.which(program, path=self.variables["PATH"])
        assert found is not None
        return [found, *arguments]


def steps(dockerfile: str) -> Iterator[tuple[str, str]]:
    """Each instruction with what follows it."""
    lines = (line for line in dockerfile.splitlines() if not line.startswith("#"))
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if line:
            instruction, _, rest = line.partition(" ")
            yield instruction, rest


def build(context: Path, below: Path) -> Image:
    """Run every step; creating users is left out, for this machine has no use for them."""
    image = Image(below, below)
    for instruction, rest in steps((context / "Dockerfile").read_text(encoding="utf-8")):
        match instruction:
            case "FROM":
                image.bases.append(rest.split()[0])
                image.variables = {"PATH": os.environ["PATH"]}
            case "WORKDIR":
                image.folder = _at(below, rest)
                image.folder.mkdir(parents=True, exist_ok=True)
            case "COPY" if rest.startswith("--from="):
                pass  # the stages have one root here, so it is there
            case "COPY":
                *sources, target = rest.split()
                for source in sources:
                    _copy(context / source, image.folder / target)
            case "RUN":
                _run(rest, image)
            case "ENV":
                name, _, value = rest.partition("=")
                added = value.replace(f"${name}", image.variables[name])
                image.variables[name] = re.sub(r"^(?=/opt/)", str(below), added)
            case "USER":
                image.user = rest
            case "ENTRYPOINT":
                image.entrypoint = json.loads(rest)
            case _:
                raise AssertionError(f"no idea how to do {instruction}")
    return image


def _at(root: Path, path: str) -> Path:
    return root / path.removeprefix("/")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def _run(script: str, image: Image) -> None:
    commands = [one for one in script.split(" && ") if not _CREATES_USER.fullmatch(one.strip())]
    here = " && ".join(commands).replace(" /opt", f" {image.root}/opt")
    here = here.replace("-o agent -g agent /work", f"{image.root}/work")
    variables = os.environ | image.variables
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run(["/bin/sh", "-ec", here], check=True, cwd=image.folder, env=variables)
