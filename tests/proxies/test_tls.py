# SPDX-License-Identifier: BSD-3-Clause
"""TLS before Jupyter: authorities of our own, certificates that are wrong, and our own one."""

import logging
import re
import ssl
from pathlib import Path

import anyio
import pytest
from front import Front
from servers import RunningServer

from jupyter_agent_core import ConfigurationError, ServerUnreachableError, TLSError, connect
from jupyter_agent_core._http.tls import tls_context

pytestmark = pytest.mark.proxies


async def refused(url: str, why: str, **given: object) -> None:
    with anyio.fail_after(5), pytest.raises(TLSError, match=re.escape(why)) as caught:
        async with connect(url, token="any", **given):
            pass
    assert "\n" not in str(caught.value)
    assert not caught.value.retryable


@pytest.mark.parametrize("how", ["file", "text", "context"])
async def test_an_authority_of_our_own_is_trusted_by_requests_rooms_and_kernels(
    how: str, front: Front, lab: RunningServer, folder: str
) -> None:
    verify = {
        "file": front.ca,
        "text": str(front.ca),
        "context": ssl.create_default_context(cafile=front.ca),
    }[how]
    async with connect(front.https(), token=lab.token, verify=verify) as server:
        notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
        cell = await notebook.append_cell("6 * 7")
        assert (await cell.execute(timeout=30)).text == "42"


async def test_a_certificate_that_is_not_accepted_says_why_and_what_to_do(front: Front) -> None:
    unknown = "verify='ca.pem' (jupyter-mcp-server: --ca-file)"
    await refused(front.https(), unknown)
    await refused(front.https(), unknown, verify=front.other_ca)
    await refused(front.https("expired"), "certificate has expired): renew it", verify=front.ca)
    await refused(
        front.https("misnamed"), "): use a name that the certificate has", verify=front.ca
    )


async def test_checking_is_switched_off_by_hand_only_and_that_is_logged_once(
    front: Front, lab: RunningServer, folder: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        async with connect(front.https("expired"), token=lab.token, verify=False) as server:
            notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
            await notebook.append_cell("6 * 7")
            await notebook.kernel.execute("1", timeout=30)
    said = [record.getMessage() for record in caplog.records if "trusted" in record.getMessage()]
    assert said == [
        f"{front.https('expired')}: whoever answers is trusted, without any certificate"
    ]


async def test_a_server_that_wants_a_certificate_of_ours_gets_it(
    front: Front, lab: RunningServer, folder: str
) -> None:
    context = tls_context(front.ca, client_cert=front.client_cert, client_key=front.client_key)
    async with connect(front.https("mutual"), token=lab.token, verify=context) as server:
        notebook = await server.open_notebook(f"{folder}/n.ipynb", create=True)
        await notebook.append_cell("6 * 7")
        await notebook.kernel.execute("1", timeout=30)
    await refused(front.https("mutual"), "it wants a client certificate", verify=front.ca)


async def test_the_wrong_scheme_is_said(front: Front, lab: RunningServer) -> None:
    plain_url = f"http{front.https().removeprefix('https')}"
    await refused(plain_url, "speaks TLS only): try https://")
    await refused(f"https{front.http('jupyter').removeprefix('http')}", "no TLS): try http://")
    with pytest.raises(ServerUnreachableError, match=r"TLS does not begin; is it https\?"):
        async with connect(f"https{lab.url.removeprefix('http')}", token=lab.token):
            pass


async def test_a_file_that_is_no_certificate_is_refused_by_its_name(
    front: Front, lab: RunningServer, tmp_path: Path
) -> None:
    (tmp_path / "no.pem").write_text("no certificate")
    for file in (tmp_path / "missing.pem", tmp_path / "no.pem", front.client_key):
        with pytest.raises(ConfigurationError, match=re.escape(repr(str(file)))):
            async with connect(front.https(), token=lab.token, verify=file):
                pass
    with pytest.raises(ConfigurationError, match="cannot be used as client certificate and key"):
        tls_context(front.ca, client_cert=front.client_cert, client_key=front.ca)
    with pytest.raises(ConfigurationError, match="No such file"):
        tls_context(front.ca, client_cert=tmp_path / "missing.pem")


async def test_a_server_that_ends_is_no_failure_of_tls(front: Front) -> None:
    with pytest.raises(ServerUnreachableError):
        async with connect("https://127.0.0.1:9", token="any", verify=front.ca):
            pass
