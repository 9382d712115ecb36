# SPDX-License-Identifier: BSD-3-Clause
"""What the model behind a real agent receives of our tools, with a script in the model's place."""

import io
from pathlib import Path

import pytest
from host_clis import HOSTS, Host
from mcp_process import served_tools
from model_stand_in import FAREWELL, Call, Conversation, StandIn
from PIL import Image

from jupyter_agent_core import Server

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(180)]

PLOT = "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 4, 9]);"
on_each_host = pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)


def insert(source: str) -> Call:
    return Call("insert_execute_code_cell", {"cell_index": -1, "cell_source": source})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder for all that an agent knows."""
    path = tmp_path / "home"
    path.mkdir()
    return path


async def played(host: Host, home: Path, variables: dict[str, str], *script: Call) -> Conversation:
    """Let a host follow a script, and return what its model was told until the end."""
    async with StandIn.listening(host.api, script) as model:
        said = await host.run(home, model.url, variables)
    assert FAREWELL in said
    assert len(model.conversation.received) == len(script), said
    assert variables["JUPYTER_TOKEN"] not in repr(model.conversation)
    return model.conversation


@on_each_host
async def test_the_model_receives_text_images_and_errors_as_they_are(
    host: Host, home: Path, on_lab: dict[str, str], folder: str, server: Server
) -> None:
    path = f"{folder}/nb.ipynb"
    conversation = await played(
        host,
        home,
        on_lab,
        Call("use_notebook", {"notebook_name": "nb", "notebook_path": path, "mode": "create"}),
        insert("'é 😀 ' + str(6 * 7)"),
        insert(PLOT),
        insert("1 / 0"),
        Call("read_cell", {"cell_index": 7}),
        Call("read_notebook", {}),
    )
    opened, text, plot, failed, refused, listing = conversation.received
    assert opened.text.startswith(f"Created {path!r}")
    assert text.texts[0] == "'é 😀 42'"
    assert text.images == ()

    (picture,) = plot.images
    with Image.open(io.BytesIO(picture)) as image:
        assert (image.format, image.size) == ("PNG", (534, 413))
    assert "iVBOR" not in plot.text  # how a PNG begins in base64

    assert failed.texts[0].endswith("ZeroDivisionError: division by zero")
    assert not failed.is_error  # the code failed, the tool did not
    assert "Cell 7 is out of range: the notebook has 3 cells, 0-based" in refused.text
    assert refused.is_error in (True, None)
    assert "Index\t" in listing.text
    assert [cell.source for cell in await (await server.open_notebook(path)).read()] == [
        "'é 😀 ' + str(6 * 7)",
        PLOT,
        "1 / 0",
    ]


@on_each_host
async def test_the_model_is_offered_every_tool_and_told_how_to_begin(
    host: Host, home: Path, on_lab: dict[str, str]
) -> None:
    conversation = await played(host, home, on_lab, Call("list_notebooks", {}))
    offered = {name.replace("-", "_") for name in conversation.tools}
    assert offered == {name.replace("-", "_") for name in served_tools()}
    assert "Begin with use_notebook" in conversation.told
