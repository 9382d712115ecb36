# SPDX-License-Identifier: BSD-3-Clause
"""Notebooks of Datalayer, before a stand-in for its endpoints with real rooms behind."""

import logging
from collections.abc import AsyncIterator, Mapping
from urllib.parse import parse_qs, urlsplit

import anyio
import anyio.to_thread
import pytest
from datalayer import CONTENT, Datalayer, datalayer
from httpx import Response
from jupyter_nbmodel_client import NbModelClient, get_datalayer_notebook_websocket_url
from servers import RunningServer
from stand_in import stand_in

from jupyter_agent_core import (
    Auth,
    AuthenticationError,
    CapabilityUnavailableError,
    ConfigurationError,
    NotebookNotFoundError,
    NotSyncedError,
    Password,
    SaveError,
    Server,
    ServerMovedError,
    ServerUnreachableError,
    Workspace,
    connect,
)
from jupyter_agent_core._http.auth import Token
from jupyter_agent_core._http.datalayer import DatalayerRest


@pytest.fixture
async def service() -> AsyncIterator[Datalayer]:
    async with datalayer() as service:
        yield service


@pytest.fixture
async def server(service: Datalayer, plain: RunningServer) -> AsyncIterator[Server]:
    """A connection to it, with the kernels of a plain server."""
    async with connect(
        service.url,
        token=service.token,
        document_provider="datalayer",
        runtime_url=plain.url,
        runtime_token=plain.token,
    ) as server:
        yield server


async def test_a_notebook_is_opened_edited_and_run(
    service: Datalayer, server: Server, plain: RunningServer
) -> None:
    document_id = await service.create()
    assert server.info.mode == "datalayer"
    assert server.info.offers == {"documents"}
    notebook = await server.open_notebook(document_id)
    assert (notebook.path, notebook.mode) == (document_id, "datalayer")
    assert [cell.source for cell in await notebook.read()] == ["6 * 7"]
    result = await notebook.cell(0).execute(timeout=30)
    assert result.text == "42"
    await notebook.append_cell("é😀")
    assert service.sources(document_id) == ["6 * 7", "é😀"]
    outputs = service.notebooks[document_id].ycells[0]["outputs"].to_py()
    assert outputs[0]["data"] == {"text/plain": "42"}
    with plain.http() as http:
        paths = {s["kernel"]["id"]: s["path"] for s in http.get("/api/sessions").json()}
    assert paths[str(notebook.kernel.id)] == document_id


async def test_the_token_is_in_headers_only(
    service: Datalayer, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    notebook = await server.open_notebook(await service.create())
    await service.cut()
    await notebook.append_cell("after")
    assert service.seen == [("http", "header"), ("websocket", "header")] * 2
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith("uvicorn")]
    assert service.token not in "\n".join(ours)
    assert service.token not in repr((server, notebook, vars(notebook)))


async def test_what_others_edit_is_seen_and_what_is_edited_meanwhile_arrives_once(
    service: Datalayer, server: Server, plain: RunningServer
) -> None:
    document_id = await service.create()
    notebook = await server.open_notebook(document_id)
    async with connect(
        service.url, token=service.token, document_provider="datalayer", username="Other"
    ) as second:
        theirs = await second.open_notebook(document_id)
        await theirs.append_cell("theirs")
        with anyio.fail_after(5):
            while "Other" not in notebook.collaborators():
                await notebook.flush()  # each look is a round trip
        await notebook.flush()
        assert [cell.source for cell in await notebook.read()] == ["6 * 7", "theirs"]
        await service.cut()
        await notebook.append_cell("ours")
        await theirs.flush()
        assert [cell.source for cell in await theirs.read()] == ["6 * 7", "theirs", "ours"]
    assert service.sources(document_id) == ["6 * 7", "theirs", "ours"]
    assert len(service.notebooks[document_id].get()["cells"]) == 3


async def test_a_notebook_opened_twice_is_one(service: Datalayer, server: Server) -> None:
    document_id = await service.create()
    one, two = [await server.open_notebook(document_id) for _ in range(2)]
    await one.append_cell("x")
    assert [cell.source for cell in await two.read()] == ["6 * 7", "x"]
    assert len(service.sockets) == 1


async def test_what_needs_files_says_why_it_cannot_be(service: Datalayer, server: Server) -> None:
    for refused in (
        server.list_files(),
        server.open_notebook("new.ipynb", create=True),
    ):
        with pytest.raises(CapabilityUnavailableError, match="opened by its id") as caught:
            await refused
        assert caught.value.capability == "files"
    assert await server.open_in_lab("a.ipynb") == "unavailable"
    notebook = await server.open_notebook(await service.create())
    with pytest.raises(SaveError, match="stores it by itself"):
        await notebook.save()


async def test_without_a_server_of_kernels_notebooks_are_edited_only(
    service: Datalayer,
) -> None:
    document_id = await service.create()
    async with connect(service.url, token=service.token, document_provider="datalayer") as server:
        notebook = await server.open_notebook(document_id)
        await notebook.append_cell("x")
        for refused in (
            notebook.kernel.execute("1"),
            notebook.cell(0).execute(),
            server.list_kernels(),
            server.list_kernelspecs(),
            server.start_kernel(),
        ):
            with pytest.raises(CapabilityUnavailableError, match="pass the server that runs them"):
                await refused
        assert await server.list_sessions() == ()
        async with Workspace(server) as workspace:
            opened = await workspace.use_notebook("nb", document_id)
            assert opened.notebook.kernel_id is None
            with pytest.raises(CapabilityUnavailableError, match="has no kernels"):
                await workspace.execute_cell(0)
            assert (await workspace.unuse_notebook("nb")).lost_path is None
    assert service.sources(document_id) == ["6 * 7", "x"]


async def test_what_is_wrong_is_one_sentence_in_time(service: Datalayer) -> None:
    document_id = await service.create()

    async def opened(path: str, url: str = service.url, token: str = service.token) -> None:
        with anyio.fail_after(5):
            async with connect(url, token=token, document_provider="datalayer") as server:
                await server.open_notebook(path)

    with pytest.raises(NotebookNotFoundError, match="'none-of-these'"):
        await opened("none-of-these")
    with pytest.raises(AuthenticationError, match="HTTP 401") as caught:
        await opened(document_id, token="wrong-token")
    assert "wrong-token" not in str(caught.value)
    with pytest.raises(ServerUnreachableError):
        await opened(document_id, url="http://127.0.0.1:9")
    service.sessions["closed"] = document_id
    with pytest.raises(NotSyncedError, match="The room is closed"):
        await opened(document_id)


async def test_settings_that_cannot_work_are_refused() -> None:
    for arguments, said in (
        ({"url": "http://127.0.0.1:9", "document_provider": "drive"}, "'drive' is no kind"),
        ({"url": "auto", "document_provider": "datalayer"}, "pass its URL"),
        ({"document_provider": "datalayer"}, "pass its URL"),
        (
            {"url": "http://h", "auth": Password("x"), "document_provider": "datalayer"},
            "takes no password",
        ),
        (
            {"hub_url": "http://h", "document_provider": "datalayer"},
            "pass its URL",
        ),
    ):
        with anyio.fail_after(5), pytest.raises(ConfigurationError, match=said):
            async with connect(**arguments):  # type: ignore[arg-type]
                pass


async def test_a_service_that_has_moved_is_said_with_its_new_place() -> None:
    path = "/api/spacer/v1/documents/d"
    moved = Response(302, headers={"Location": f"https://elsewhere.example{path}"})
    async with stand_in({f"GET {path}": moved}) as at, DatalayerRest(at.url, Token("t")) as rest:
        with pytest.raises(ServerMovedError, match=r"https://elsewhere\.example/"):
            await rest.room("d", "datalayer")


async def test_credentials_that_are_no_token_are_sent_and_renewed_as_they_are() -> None:
    class Session(Auth):
        refused: Mapping[str, str] | None = None

        async def headers(self) -> Mapping[str, str]:
            return {"Cookie": "session=old" if self.refused is None else "session=new"}

        async def renew(self, refused: Mapping[str, str]) -> bool:
            self.refused = refused
            return True

    session = Session()
    given = Response(200, json={"success": True, "sessionId": "s"})
    answers = {"GET /api/spacer/v1/documents/d": [Response(401), given]}
    async with stand_in(answers) as standing, DatalayerRest(standing.url, session) as rest:
        assert (await rest.room("d", "datalayer")).socket.url.endswith("sessionId=s")
    assert session.refused == {"Cookie": "session=old"}
    assert ["session=old" in head for head in standing.heads] == [True, False]
    assert "Cookie: session=new\r\n" in standing.heads[1]


# --- the client that Datalayer's own service is used with


async def test_the_room_is_where_the_client_of_datalayer_has_it(service: Datalayer) -> None:
    document_id = await service.create()

    def theirs() -> str:
        return get_datalayer_notebook_websocket_url(service.url, document_id, service.token)

    upstream = urlsplit(await anyio.to_thread.run_sync(theirs))
    async with DatalayerRest(service.url, Token(service.token)) as rest:
        address = (await rest.room(document_id, "datalayer")).socket
        ours = urlsplit(address.url)
    assert service.seen == [("http", "header")] * 2
    assert (ours.scheme, ours.netloc, ours.path) == upstream[:3]
    sessions = parse_qs(ours.query).keys()
    assert sessions == {"sessionId"}
    assert parse_qs(upstream.query).keys() == sessions | {"token"}


async def test_the_client_of_datalayer_and_we_edit_the_same_document(
    service: Datalayer, server: Server
) -> None:
    document_id = await service.create(CONTENT)
    notebook = await server.open_notebook(document_id)

    def address() -> str:
        return get_datalayer_notebook_websocket_url(service.url, document_id, service.token)

    async with NbModelClient(await anyio.to_thread.run_sync(address)) as client:
        await client.wait_until_synced()
        client.add_code_cell("theirs")
        with anyio.fail_after(5):
            while len(await notebook.read()) < 2:
                await notebook.flush()  # each look is a round trip
        assert (await notebook.read())[1].source == "theirs"
