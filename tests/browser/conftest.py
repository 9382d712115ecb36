# SPDX-License-Identifier: BSD-3-Clause
"""A headless Chromium that is installed on the machine, and JupyterLab in it."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import attrs
import pytest
from mcp_process import McpProcess, environment, mcp_process
from servers import RunningServer, jupyter_server

from jupyter_agent_core import Notebook

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, BrowserType, Page

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
OPTIONS = {"executable_path": CHROMIUM, "headless": True, "args": list(FLAGS)}
PATIENCE = 60_000
"""Milliseconds that the page has to show what is expected of it."""


@attrs.define
class Lab:
    """A JupyterLab page that shows one notebook.

    Attributes:
        errors: What went wrong in the page, by its own account.
    """

    page: "Page"
    errors: list[str]

    async def see(self, condition: str) -> None:
        """Wait until a JavaScript expression is true; `cell(n)` and `outputs(n)` are there."""
        await self.page.wait_for_function(f"() => {{ {_FIND} return {condition}; }}")

    async def look(self, expression: str) -> object:
        """Return the value of a JavaScript expression."""
        return await self.page.evaluate(f"() => {{ {_FIND} return {expression}; }}")

    async def type_at_end_of_line(self, cell: int, line: int, text: str) -> None:
        """Type as a human does, key by key."""
        panel = self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        await panel.locator(".jp-Cell").nth(cell).locator(".cm-line").nth(line).click()
        await self.page.keyboard.press("End")
        await self.page.keyboard.type(text, delay=30)


_FIND = """
const panel = document.querySelector('.jp-NotebookPanel:not(.lm-mod-hidden)');
const cells = [...(panel?.querySelectorAll('.jp-Cell') ?? [])];
const cell = n => cells[n];
const source = n => [...(cell(n)?.querySelectorAll('.cm-line') ?? [])].map(line => {
  const copy = line.cloneNode(true);  // without the flags of others' cursors
  copy.querySelectorAll('.cm-ySelectionCaret, .jp-remote-cursor').forEach(e => e.remove());
  return copy.textContent;
}).join('\\n');
const prompt_ = n => cell(n)?.querySelector('.jp-InputPrompt')?.textContent;
const output = n => [...(cell(n)?.querySelectorAll('.jp-OutputArea-output') ?? [])]
  .map(e => e.textContent).join('');
"""


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A real JupyterLab with jupyter-collaboration, which takes commands for its pages."""
    folder = tmp_path_factory.mktemp("lab")
    extensions = {"jupyter_lsp": False, "jupyter_mcp_tools": True, "notebook_shim": False}
    with jupyter_server(folder, module="jupyterlab", extensions=extensions) as server:
        yield server


@pytest.fixture(scope="session")
async def chromium() -> "AsyncIterator[BrowserType]":
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        yield playwright.chromium


@pytest.fixture
async def browser(chromium: "BrowserType") -> "AsyncIterator[Browser]":
    browser = await chromium.launch(**OPTIONS)
    yield browser
    await browser.close()


@pytest.fixture(scope="session")
async def profile(
    chromium: "BrowserType", tmp_path_factory: pytest.TempPathFactory
) -> "AsyncIterator[BrowserContext]":
    """A browser that keeps the scripts of JupyterLab, as that of a human does."""
    context = await chromium.launch_persistent_context(
        tmp_path_factory.mktemp("profile"), viewport={"width": 1500, "height": 1000}, **OPTIONS
    )
    context.set_default_timeout(PATIENCE)
    yield context
    await context.close()


@pytest.fixture
async def human(
    profile: "BrowserContext", lab: RunningServer, notebook: Notebook, tmp_path: Path
) -> AsyncIterator[Lab]:
    """A human who has the notebook open, with one cell in it."""
    await notebook.append_cell("first = 1")
    await notebook.save()
    page = await profile.new_page()
    lab_page = Lab(page, [])
    page.on("pageerror", lambda error: lab_page.errors.append(str(error)))
    # a browser has no other way to bring its token along
    await page.goto(f"{lab.url}/lab/tree/{notebook.path}?token={lab.token}&reset")
    with anyio.fail_after(110):
        await lab_page.see("source(0) === 'first = 1'")
        while not notebook.collaborators():
            await notebook.flush()
        yield lab_page
        await page.screenshot(path=tmp_path / "lab.png")
    await page.close()


@pytest.fixture
async def agent(tmp_path: Path, lab: RunningServer) -> AsyncIterator[McpProcess]:
    """An agent that calls itself Ada, on the server of the human."""
    work = tmp_path / "work"
    work.mkdir()
    variables = environment(tmp_path / "state", JUPYTER_URL=lab.url, JUPYTER_TOKEN=lab.token)
    async with mcp_process(work, variables, "--username", "Ada the agent") as agent:
        await agent.initialize()
        yield agent
