# SPDX-License-Identifier: BSD-3-Clause
"""Running servers are found by their runtime files, and believed only when they answer."""

import json
import os
import ssl
import subprocess
import sys
from contextlib import asynccontextmanager

import anyio
import pytest
import trustme
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSListener
from ports import reserved_port

from jupyter_agent_core import (
    NoRunningServerError,
    ServerAlreadyRunningError,
    find_servers,
    sync,
)
from jupyter_agent_core._http import discovery
from jupyter_agent_core._http.discovery import find_server, holders
from jupyter_agent_core._http.private_server import private_server
from jupyter_agent_core._http.runtime_files import runtime_files

TOKEN = "0123456789abcdef"
STATUS = b'{"connections": 0, "kernels": 0}'


@pytest.fixture(autouse=True)
def runtime(tmp_path, monkeypatch):
    """A runtime folder of this test alone."""
    folder = tmp_path / "runtime"
    folder.mkdir()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(folder))
    return folder


@pytest.fixture
def register(runtime, tmp_path):
    """Write a runtime file as Jupyter servers do; later ones are newer."""
    written = []

    def write(port, root, **facts):
        info = {
            "url": f"http://127.0.0.1:{port}/",
            "hostname": "127.0.0.1",
            "port": port,
            "sock": "",
            "token": TOKEN,
            "root_dir": str(root),
            "pid": os.getpid(),
        }
        file = runtime / f"jpserver-{len(written)}.json"
        file.write_text(json.dumps(info | facts))
        os.utime(file, (len(written), len(written)))
        written.append(file)

    return write


@pytest.fixture
def dead_pid():
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(30)
    return process.pid


@asynccontextmanager
async def something(status=200, body=STATUS, requests=None, tls=None, is_open=False):
    """A listener that answers each request in one way, or, with status None, not at all.

    It lets in whoever has the token or, if it is open, everybody.
    """

    async def answer(stream):
        async with stream:
            request = await stream.receive()
            if requests is not None:
                requests.append(request.decode())
            if status is None:
                await anyio.sleep_forever()
            granted = status if is_open or f"token {TOKEN}".encode() in request else 403
            head = f"HTTP/1.1 {granted} -\r\nContent-Length: {len(body)}\r\n\r\n"
            await stream.send(head.encode() + body)

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        served = listener if tls is None else TLSListener(listener, tls)
        tasks.start_soon(served.serve, answer)
        yield listener.extra_attributes[SocketAttribute.local_port]()
        tasks.cancel_scope.cancel()


@pytest.fixture
def closed_port():
    """A port at which nothing listens."""
    with reserved_port() as port:
        yield port


async def joinable(**options):
    """The servers that can be joined, whatever folder they serve."""
    found = await find_servers(**options)
    return [server for server in found if server.reason.startswith("serves ")]


# --- which servers there are


async def test_real_servers_are_listed_newest_first(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    async with private_server(tmp_path / "one") as one, private_server(tmp_path / "two") as two:
        found = await joinable()
        facts = [(s.url, s.token, s.root_dir, s.pid) for s in found]
        assert facts == [(s.url, s.token, s.root_dir, s.pid) for s in (two, one)]
    assert await joinable() == []


async def test_a_file_alone_is_no_server(register, runtime, tmp_path, closed_port, dead_pid):
    register(closed_port, tmp_path)
    (runtime / "jpserver-broken.json").write_text("{")
    (runtime / "jpserver-empty.json").write_text("{}")
    (runtime / "jpserver-list.json").write_text("[]")
    async with (
        something(body=b"<html>") as html,
        something(404) as elsewhere,
        something() as of_another,
    ):
        register(html, tmp_path)
        register(elsewhere, tmp_path)
        register(of_another, tmp_path, token="old", pid=dead_pid)
        register(of_another, tmp_path, sock="/a/socket")
        assert await joinable() == []
        assert await holders(tmp_path) == []


def test_a_file_that_is_removed_while_files_are_read_is_none(runtime):
    (runtime / "jpserver-1.json").symlink_to(runtime / "removed")
    (runtime / "jpserver-2.json").write_text("{}")
    assert [file.pid for file in runtime_files()] == [2]


async def test_no_runtime_folder_is_no_server(monkeypatch, tmp_path):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "not there"))
    assert await joinable() == []


async def test_silent_servers_are_waited_for_all_at_once(register, tmp_path):
    async with something(None) as silent, something() as port:
        for _ in range(10):
            register(silent, tmp_path)
        register(port, tmp_path)
        with anyio.fail_after(10):
            (found,) = await joinable(timeout=2)
    assert found.url == f"http://127.0.0.1:{port}/"


async def test_the_token_is_sent_in_the_header_only_and_to_no_proxy(
    register, tmp_path, monkeypatch, closed_port
):
    requests = []
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port}")
    async with something(requests=requests) as port:
        register(port, tmp_path)
        (found,) = await joinable()
    assert requests[0].startswith("GET /api/status HTTP/1.1\r\n")
    assert found.token == TOKEN
    assert TOKEN not in repr(found)


async def test_a_server_without_a_token_is_asked_without_one(register, tmp_path):
    requests = []
    async with something(requests=requests) as port:
        register(port, tmp_path, token="")
        await joinable()
    assert "authorization" not in requests[0].lower()


async def test_the_base_url_is_kept(register, tmp_path):
    requests = []
    async with something(requests=requests) as port:
        register(port, tmp_path, url=f"http://127.0.0.1:{port}/a/base")
        (found,) = await joinable()
    assert found.url == f"http://127.0.0.1:{port}/a/base/"
    assert requests[0].startswith("GET /a/base/api/status ")


async def test_a_server_on_every_address_is_asked_on_the_loopback_one(register, tmp_path):
    async with something() as port:
        url = f"http://a-name-that-nobody-resolves.invalid:{port}/base/"
        register(port, tmp_path, url=url, hostname="0.0.0.0")  # noqa: S104
        (found,) = await joinable()
    assert found.url == f"http://127.0.0.1:{port}/base/"


# --- which one holds a folder


async def test_the_server_with_the_nearest_root_is_found(register, tmp_path):
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    async with something() as port:
        for place in ("a", "a/b", ".", "a/b/c"):
            register(port, tmp_path / place, token=TOKEN)
        assert (await find_server(tmp_path / "a" / "b")).root_dir == str(tmp_path / "a/b")
        assert (await find_server(tmp_path / "a" / "b" / "new")).root_dir == str(tmp_path / "a/b")
        assert (await find_server(tmp_path)).root_dir == str(tmp_path)


async def test_of_equally_near_servers_the_newest_is_found(register, tmp_path):
    async with something() as old, something() as new:
        register(old, tmp_path)
        register(new, tmp_path)
        assert (await find_server(tmp_path)).url == f"http://127.0.0.1:{new}/"


async def test_links_are_followed_in_the_folder_and_in_the_root(register, tmp_path):
    (tmp_path / "real" / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    async with something() as port:
        register(port, tmp_path / "link")
        assert await find_server(tmp_path / "real" / "below")
        assert await find_server(tmp_path / "link" / "below")


async def test_a_root_whose_name_only_begins_alike_holds_nothing(register, tmp_path):
    (tmp_path / "project").mkdir()
    (tmp_path / "project-2").mkdir()
    async with something() as port:
        register(port, tmp_path / "project")
        with pytest.raises(NoRunningServerError):
            await find_server(tmp_path / "project-2")


async def test_a_server_that_cannot_be_joined_is_passed_over(register, tmp_path):
    (tmp_path / "below").mkdir()
    async with something() as usable, something(403) as refusing:
        register(usable, tmp_path)
        register(refusing, tmp_path / "below")
        assert (await find_server(tmp_path / "below")).url == f"http://127.0.0.1:{usable}/"
        states = [finding.state for finding in await holders(tmp_path / "below")]
    assert states == ["occupied", "usable"]


async def test_the_error_names_what_was_considered_and_why_not(
    register, tmp_path, monkeypatch, closed_port
):
    monkeypatch.setattr(discovery, "PROBE_TIMEOUT", 2.0)
    (tmp_path / "mine").mkdir()
    (tmp_path / "other").mkdir()
    async with something(None) as silent, something(401) as refusing, something() as other:
        register(closed_port, tmp_path / "mine")
        register(silent, tmp_path / "mine")
        register(refusing, tmp_path / "mine")
        register(other, tmp_path / "other")
        register(closed_port, tmp_path / "other")
        with pytest.raises(NoRunningServerError) as caught:
            await find_server(tmp_path / "mine")
    assert caught.value.folder == str(tmp_path / "mine")
    assert caught.value.considered == (
        f"http://127.0.0.1:{refusing}/ refuses the token of its runtime file (HTTP 401)",
        f"http://127.0.0.1:{silent}/ did not answer within 2 s",
        f"http://127.0.0.1:{closed_port}/ is gone (nothing listens at its port)",
        f"http://127.0.0.1:{other}/ serves {tmp_path}/other, which does not hold {tmp_path}/mine",
    )
    assert TOKEN not in str(caught.value)


async def test_a_server_whose_certificate_nobody_signed_is_there(register, tmp_path):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with something(tls=context) as port:
        register(port, tmp_path, url=f"https://127.0.0.1:{port}/")
        (finding,) = await holders(tmp_path)
    assert finding.state == "occupied"
    assert "certificate" in finding.reason


async def test_without_any_server_the_error_says_so(tmp_path):
    with pytest.raises(NoRunningServerError, match="no running server was found"):
        await find_server(tmp_path)


# --- why each was chosen, or not


async def test_each_server_is_listed_with_why_it_was_chosen_or_not(
    register, runtime, tmp_path, closed_port, dead_pid
):
    mine, other = tmp_path / "mine", tmp_path / "other"
    (mine / "below").mkdir(parents=True)
    other.mkdir()
    async with (
        something() as far,
        something() as old,
        something() as chosen,
        something() as elsewhere,
        something(404) as website,
        something(None) as silent,
        something(403) as refusing,
    ):
        register(far, tmp_path)
        register(old, mine)
        register(chosen, mine)
        register(elsewhere, other)
        register(website, other, pid=dead_pid)
        register(silent, other)
        register(refusing, other, token="", password=True)
        register(closed_port, other, pid=dead_pid)
        register(0, other, sock="/a/socket")
        (runtime / "jpserver-12.json").mkdir()  # as little can be read of it as of another user's
        (runtime / "jpserver-13.json").write_text("[]")
        found = await find_servers(mine / "below", timeout=2)
    ports = {f"http://127.0.0.1:{port}/": port for port in (far, old, chosen)}
    assert [ports.get(server.url) for server in found[:3]] == [chosen, old, far]
    assert [server.chosen for server in found] == [True] + [False] * (len(found) - 1)
    reasons = {server.url or server.pid: server.reason for server in found}
    below, newer = mine / "below", f"http://127.0.0.1:{chosen}/"
    assert reasons == {
        newer: f"serves {mine}, which holds {below}",
        f"http://127.0.0.1:{old}/": f"serves {mine}, too, but {newer} is newer",
        f"http://127.0.0.1:{far}/": f"serves {tmp_path}, but {newer} is nearer to {below}",
        f"http://127.0.0.1:{elsewhere}/": f"serves {other}, which does not hold {below}",
        f"http://127.0.0.1:{website}/": f"is gone (process {dead_pid} has ended; at its port is "
        "something else: HTTP 404)",
        f"http://127.0.0.1:{silent}/": "did not answer within 2 s",
        f"http://127.0.0.1:{refusing}/": "asks for a password, which is in no file",
        f"http://127.0.0.1:{closed_port}/": f"is gone (process {dead_pid} has ended)",
        8: "listens on a Unix socket, which has no URL",
        12: "has a runtime file that cannot be read (Is a directory)",
        13: "has a runtime file that is not what Jupyter servers write",
    }
    assert TOKEN not in repr(found)
    assert found[0].token == TOKEN


async def test_a_port_that_another_server_has_now_is_not_taken_for_that_of_the_file(
    register, tmp_path, dead_pid
):
    (tmp_path / "old").mkdir()
    async with something(is_open=True) as port:
        register(port, tmp_path / "old", pid=dead_pid)
        (found,) = await find_servers(tmp_path / "old")
        assert found.reason == (
            f"is gone (process {dead_pid} has ended; at its port is another Jupyter server)"
        )
        # whoever has taken the id of the process is no proof, either
        register(port, tmp_path / "old", pid=os.getppid())
        register(port, tmp_path)
        found = await find_servers(tmp_path / "old")
    assert [server.root_dir for server in found if server.chosen] == [str(tmp_path)]
    gone = f"is gone (its port is that of the newer process {os.getpid()})"
    assert [server.reason for server in found if server.pid == os.getppid()] == [gone]


async def test_a_server_of_another_process_namespace_is_known_by_its_token(
    register, tmp_path, dead_pid
):
    async with something() as port:
        register(port, tmp_path, pid=dead_pid)
        (found,) = await find_servers(tmp_path)
    assert found.chosen


async def test_an_endless_answer_is_read_no_further_than_a_status_is_long(register, tmp_path):
    async with something(body=b"x" * 10_000_000) as port:
        register(port, tmp_path)
        (found,) = await find_servers(tmp_path)
    assert not found.chosen
    assert "at its port is something else" in found.reason


async def test_more_silent_servers_than_are_asked_at_once_take_no_longer(
    register, tmp_path, monkeypatch
):
    monkeypatch.setattr(discovery, "PROBES", 2)
    async with something(None) as silent:
        for _ in range(5):
            register(silent, tmp_path)
        with anyio.fail_after(2):
            found = await find_servers(tmp_path, timeout=0.3)
    assert sorted({server.reason for server in found}) == [
        "did not answer within 0.3 s",
        "was not asked within 0.3 s, as others did not answer",
    ]


async def test_the_listing_looks_for_the_working_directory_and_has_a_blocking_twin(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert await find_servers() == ()
    async with private_server(tmp_path) as server:
        (found,) = await find_servers()
        assert (found.url, found.token, found.pid) == (server.url, server.token, server.pid)
        assert await anyio.to_thread.run_sync(sync.find_servers) == (found,)
    assert found.chosen
    assert server.token not in repr(found)


async def test_the_private_server_says_why_the_one_that_is_there_cannot_be_joined(
    register, tmp_path
):
    async with something(403) as port:
        register(port, tmp_path, token="", password=True)
        with pytest.raises(ServerAlreadyRunningError) as caught:
            async with private_server(tmp_path, join=True):
                pass
    assert caught.value.reason == "asks for a password, which is in no file"
    assert "connect to its URL with the credentials that it asks for" in str(caught.value)
