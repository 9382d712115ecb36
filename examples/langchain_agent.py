# SPDX-License-Identifier: BSD-3-Clause
"""A LangChain agent that plots in a notebook; a script plays the model.

Give `create_agent` a real model in place of `model()`. Needs the extras `langchain` and `local`,
and the package `langchain`. Run it with `python examples/langchain_agent.py`.
"""

import tempfile
from typing import Any

import anyio
from langchain.agents import create_agent
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage

from jupyter_agent_core import Workspace, launch
from jupyter_agent_core.integrations import INSTRUCTIONS
from jupyter_agent_core.integrations.langchain import notebook_tools

PLOT = "import matplotlib.pyplot as plt\nplt.plot([1, 4, 9, 16]);"


class Scripted(GenericFakeChatModel):
    """Says what it was told to, whatever it is asked."""

    def bind_tools(self, tools: Any, **kwargs: Any) -> "Scripted":
        return self


def model() -> Scripted:
    use = {"notebook_name": "plots", "notebook_path": "plots.ipynb", "mode": "create"}
    calls = [
        {"id": "1", "name": "use_notebook", "args": use},
        {
            "id": "2",
            "name": "insert_execute_code_cell",
            "args": {"cell_index": 0, "cell_source": PLOT},
        },
    ]
    says = [AIMessage("", tool_calls=[call]) for call in calls]
    return Scripted(messages=iter([*says, AIMessage("The squares are in plots.ipynb.")]))


async def main() -> None:
    async with launch(tempfile.mkdtemp()) as server, Workspace(server) as workspace:
        tools = notebook_tools(workspace, toolsets=["notebook", "cell", "run"])
        agent = create_agent(model(), tools, system_prompt=INSTRUCTIONS)
        state = await agent.ainvoke({"messages": [("user", "Plot the first squares.")]})
        for message in state["messages"]:
            kinds = [block["type"] for block in message.content_blocks]
            print(f"{message.type}: {message.text} ({', '.join(kinds)})")


if __name__ == "__main__":
    anyio.run(main)
