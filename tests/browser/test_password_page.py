# SPDX-License-Identifier: BSD-3-Clause
"""The page on which a user types what neither the client nor the model may see, in Chromium."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import mcp.types as types
import pytest
from mcp_clients import Transport, both_eras, create, everywhere, said, session
from mcp_http import Era
from mcp_process import environment
from servers import RunningServer

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, Request

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

PASSWORD = "s3cret & <b>ü"
CODE = (
    "import getpass\nword = getpass.getpass('Password of the archive:')\nprint(ascii(word[::-1]))"
)
SHOWN = ascii(PASSWORD[::-1])


@pytest.fixture
def on_lab(tmp_path: Path, lab: RunningServer) -> dict[str, str]:
    return environment(tmp_path / "state", JUPYTER_URL=lab.url, JUPYTER_TOKEN=lab.token)


def opening(user: Callable[[str], Awaitable[object]]) -> dict[str, Any]:
    """A client that opens the page for its user, and says that he has consented."""

    async def on_elicit(_: object, params: types.ElicitRequestParams) -> types.ElicitResult:
        assert isinstance(params, types.ElicitRequestURLParams)
        await user(params.url)
        return types.ElicitResult(action="accept")

    return {"elicitation_callback": on_elicit}


async def focused(page: "Page") -> object:
    return await page.evaluate("document.activeElement.id || document.activeElement.tagName")


@everywhere
@both_eras
async def test_a_password_that_is_typed_in_the_page_lets_the_cell_go_on(
    transport: Transport,
    era: Era,
    work: Path,
    on_lab: dict[str, str],
    folder: str,
    browser: "Browser",
) -> None:
    page = await browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))

    async def user(url: str) -> None:
        await page.goto(url)
        assert await page.locator("h1").inner_text() == "Code asks for a password"
        assert f"notebook '{folder}/nb.ipynb', for the MCP client" in await page.inner_text("body")
        # the keyboard is all that he uses
        assert await focused(page) == "answer"
        await page.keyboard.type(PASSWORD)
        assert await page.get_by_label("Password of the archive:").input_value() == PASSWORD
        await page.keyboard.press("Tab")
        assert await focused(page) == "BUTTON"
        await page.keyboard.press("Enter")
        await page.get_by_text("Done: the code has it.").wait_for()

    async with session(transport, era, work, on_lab, **opening(user)) as client:
        await create(client, folder)
        with anyio.fail_after(60):
            ran = await said(client, "insert_execute_code_cell", cell_index=-1, cell_source=CODE)
        assert SHOWN in ran
        assert (await said(client, "execute_code", code="6 * 7")).startswith("42\n")
    assert errors == []


@everywhere
async def test_a_password_stays_neither_in_the_tab_nor_in_what_the_browser_keeps(
    transport: Transport, work: Path, on_lab: dict[str, str], folder: str, browser: "Browser"
) -> None:
    from playwright.async_api import Error

    context = await browser.new_context()
    page = await context.new_page()
    requests: list[Request] = []
    page.on("request", lambda request: requests.append(request))

    async def user(url: str) -> None:
        await page.goto(url)
        field = page.get_by_label("Password of the archive:")
        assert await field.get_attribute("type") == "password"
        assert await field.get_attribute("autocomplete") == "off"
        await field.fill(PASSWORD)
        await field.press("Enter")
        await page.get_by_text("Done: the code has it.").wait_for()

    async with session(transport, "auto", work, on_lab, **opening(user)) as client:
        await create(client, folder)
        with anyio.fail_after(60):
            assert SHOWN in await said(client, "execute_code", code=CODE)
        (sent,) = [request for request in requests if request.method == "POST"]
        assert "s3cret" in (sent.post_data or "")
        assert not any("s3cret" in request.url for request in requests)
        assert "s3cret" not in page.url + await page.title() + await page.content()
        # where the tab goes from here, the form is not sent again and not filled in again
        for go in (page.reload, page.go_back, page.go_forward):
            with suppress(Error):  # over stdio, the server of the page is gone by now
                await go(timeout=5_000)
            # (which goes on when the page changes under it)
            await page.wait_for_function(
                "word => [...document.querySelectorAll('input')].every(i => i.value !== word)",
                arg=PASSWORD,
                timeout=5_000,
            )
        assert [request.method for request in requests].count("POST") == 1
        state = await context.storage_state()
        assert state == {"cookies": [], "origins": []}
    await context.close()
