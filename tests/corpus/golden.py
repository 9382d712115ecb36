# SPDX-License-Identifier: BSD-3-Clause
"""Write the golden renderings of the recorded corpus: look at each before you commit them.

    python tests/corpus/golden.py [FOLDER]

Into FOLDER, if one is given, go the images as a model sees them.
"""

import base64
import sys
from pathlib import Path

from recorded import GOLDEN, NAMES, as_text, rendering

from jupyter_agent_core.rendering import Image


def main(folder: Path | None) -> None:
    GOLDEN.mkdir(exist_ok=True)
    for stale in GOLDEN.glob("*.txt"):
        if stale.stem not in NAMES:
            stale.unlink()
    for name in NAMES:
        contents = rendering(name)
        (GOLDEN / f"{name}.txt").write_text(as_text(contents), encoding="utf-8")
        images = [content for content in contents if isinstance(content, Image)]
        for number, image in enumerate(images if folder else []):
            suffix = image.mime_type.partition("/")[2]
            (folder / f"{name}-{number}.{suffix}").write_bytes(base64.b64decode(image.data))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
