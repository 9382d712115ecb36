# SPDX-License-Identifier: BSD-3-Clause
"""What a human with the notebook open in JupyterLab sees of an agent's work."""

from typing import Any

import anyio
import pytest

from jupyter_agent_core import Kernel, Notebook, Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

Lab = Any  # `conftest.Lab`, which pytest does not let us import


async def test_a_cell_of_the_agent_appears_with_its_output_and_number(
    human: Lab, notebook: Notebook
) -> None:
    cell = await notebook.append_cell("print('from the agent')\n6 * 7")
    await human.see("source(1) === \"print('from the agent')\\n6 * 7\"")
    assert await human.look("output(1)") == ""
    result = await cell.execute(timeout=30)
    await human.see("output(1).includes('from the agent') && output(1).includes('42')")
    await human.see(f"prompt_(1) === '[{result.execution_count}]:'")
    await notebook.delete_cells([0])
    await human.see("cells.length === 1 && source(0).startsWith('print')")
    assert human.errors == []


async def test_a_running_cell_has_a_star_and_shows_output_as_it_comes(
    human: Lab, notebook: Notebook
) -> None:
    cell = await notebook.append_cell("import time\nprint('begun', flush=True)\ntime.sleep(600)")
    run = await cell.start()
    await human.see("prompt_(1) === '[*]:' && output(1) === 'begun\\n'")
    await run.interrupt()
    await human.see("prompt_(1) === '[1]:' && output(1).includes('KeyboardInterrupt')")
    assert human.errors == []


async def test_a_plot_appears_as_an_image(human: Lab, notebook: Notebook) -> None:
    cell = await notebook.append_cell(
        "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 3, 2]);"
    )
    assert (await cell.execute(timeout=40)).status == "ok"
    await human.see(
        "[...(cell(1)?.querySelectorAll('img') ?? [])]"
        ".some(img => img.complete && img.naturalWidth > 100)"
    )
    assert human.errors == []


async def test_the_agent_knows_who_has_the_notebook_open(human: Lab, notebook: Notebook) -> None:
    (name,) = notebook.collaborators()
    assert name.startswith("Anonymous")
    assert human.errors == []


async def test_the_agent_is_shown_by_name(human: Lab, notebook: Notebook) -> None:
    await human.page.locator('[data-id="jp-collaboration-panel"]').click()
    await notebook.cell(0).set_source("first = 2")
    await human.see("source(0) === 'first = 2'")
    human.page.set_default_timeout(5_000)
    await human.see("document.body.innerText.includes('Agent')")


async def test_what_the_human_types_survives_edits_of_another_line(
    human: Lab, notebook: Notebook
) -> None:
    cell = notebook.cell(0)
    await cell.set_source("one = 0\ntwo = 'é'\nthree = 3")
    await human.see("source(0) === \"one = 0\\ntwo = 'é'\\nthree = 3\"")
    typed = "  # a human's ünïcode"

    async def edit() -> None:
        for number in range(8):
            source = (await cell.read()).source
            await cell.set_source(source.replace(f"one = {number}\n", f"one = {number + 1}\n"))
            await human.see(f"source(0).startsWith('one = {number + 1}\\n')")

    async with anyio.create_task_group() as group:
        group.start_soon(human.type_at_end_of_line, 0, 1, typed)
        group.start_soon(edit)
    both = f"one = 8\ntwo = 'é'{typed}\nthree = 3"
    await human.see(f"source(0) === {both!r}")
    with anyio.fail_after(10):
        while (await cell.read()).source != both:
            await notebook.flush()
    # Ctrl-Z takes back what the human typed, and not what the agent wrote
    await human.page.keyboard.press("Control+z")
    await human.see("source(0).startsWith('one = 8\\n') && !source(0).includes('ünïcode')")
    assert human.errors == []


async def test_outputs_of_all_kinds_look_as_in_the_document(human: Lab, notebook: Notebook) -> None:
    first = await notebook.append_cell(
        "from IPython.display import HTML, clear_output, display\n"
        "import sys, time\n"
        "h = display(HTML('<b>one</b>'), display_id='d')\n"
        "print('after', flush=True)\n"
        "print('err', file=sys.stderr, flush=True)\n"
        "for n in range(40):\n"
        "    sys.stdout.write(f'\\r{n:3d}%'); sys.stdout.flush(); time.sleep(0.01)\n"
        "print()"
    )
    second = await notebook.append_cell(
        "h.update(HTML('<b>two</b>'))\n"
        "for n in range(5):\n"
        "    clear_output(wait=True); print('pass', n); time.sleep(0.03)"
    )
    await first.execute(timeout=30)
    await second.execute(timeout=30)
    await human.see("output(2) === 'pass 4\\n'")
    await human.see("cell(1).querySelector('b')?.textContent === 'two'")
    texts = "[...cell(1).querySelectorAll('.jp-OutputArea-output')].map(e => e.textContent.trim())"
    shown = await human.look(texts)
    assert shown == ["two", "after", "err", "39%"]
    # and the same is left when the page is loaded again
    await notebook.save()
    await human.page.reload()
    await human.see("output(2) === 'pass 4\\n'")
    assert await human.look(texts) == shown
    assert human.errors == []


async def test_a_widget_of_an_agents_cell_is_alive_in_the_browser(
    human: Lab, notebook: Notebook
) -> None:
    # a page that is still connecting to the kernel does not hear of the widget's model
    await human.see("document.body.innerText.includes('Python 3 (ipykernel) | Idle')")
    cell = await notebook.append_cell("import ipywidgets\ns = ipywidgets.IntText(7)\ns")
    assert (await cell.execute(timeout=40)).text == "IntText(value=7)"
    await human.see("cell(1).querySelector('.widget-text input')?.value === '7'")
    await notebook.kernel.execute("s.value = 42", timeout=20)
    await human.see("cell(1).querySelector('.widget-text input')?.value === '42'")
    assert human.errors == []


async def test_a_human_and_two_clients_run_code_on_one_kernel(
    human: Lab, notebook: Notebook, other: Server
) -> None:
    mine = await notebook.append_cell("print('mine')")
    assert (await mine.execute(timeout=40)).status == "ok"
    theirs = other.kernel(str(notebook.kernel.id))
    await human.see("output(1) === 'mine\\n'")

    async def run(client: Kernel, who: str) -> None:
        for number in range(20):
            result = await client.execute(f"print('{who}', {number})", timeout=30)
            assert result.text == f"{who} {number}"

    async with anyio.create_task_group() as group:
        group.start_soon(run, notebook.kernel, "mine")
        group.start_soon(run, theirs, "theirs")
        for _ in range(5):
            await human.type_at_end_of_line(0, 0, ";print('human')")
            await human.page.keyboard.press("Control+Enter")
    await human.see("output(0) === 'human\\n'.repeat(5)")
    assert await human.look("output(1)") == "mine\n"
    assert human.errors == []


async def test_a_hundred_thousand_lines_do_not_freeze_the_page(
    human: Lab, notebook: Notebook
) -> None:
    await human.look(
        "(window.longest = 0, window.last = performance.now(), setInterval(() => {"
        " const now = performance.now();"
        " window.longest = Math.max(window.longest, now - window.last); window.last = now;}, 20))"
    )
    cell = await notebook.append_cell("for n in range(100_000): print(n)")
    result = await cell.execute(timeout=60)
    assert result.status == "ok"
    await human.see("output(1).trimEnd().endsWith('99999')")
    assert await human.look("window.longest") < 5_000
    assert human.errors == []
