# SPDX-License-Identifier: BSD-3-Clause
"""A LlamaIndex agent that plots in a notebook; a script plays the model.

Give `FunctionAgent` a real model in place of `model()`. Needs the extras `llamaindex` and
`local`. Run it with `python examples/llama_index_agent.py`.
"""

import tempfile
from collections.abc import Sequence
from typing import Any

import anyio
from llama_index.core.agent.workflow import FunctionAgent, ToolCallResult
from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from llama_index.core.llms.mock import MockFunctionCallingLLM

from jupyter_agent_core import Workspace, launch
from jupyter_agent_core.integrations import INSTRUCTIONS
from jupyter_agent_core.integrations.llama_index import notebook_tools

PLOT = "import matplotlib.pyplot as plt\nplt.plot([1, 4, 9, 16]);"
USE = {"notebook_name": "plots", "notebook_path": "plots.ipynb", "mode": "create"}
RUN = {"cell_index": 0, "cell_source": PLOT}


def model() -> MockFunctionCallingLLM:
    calls = iter([("use_notebook", USE), ("insert_execute_code_cell", RUN)])

    def respond(messages: Sequence[ChatMessage], **kwargs: Any) -> ChatMessage:
        name, arguments = next(calls, (None, {}))
        if name is None:
            return ChatMessage("The squares are in plots.ipynb.", role="assistant")
        call = ToolCallBlock(tool_name=name, tool_kwargs=arguments, tool_call_id=name)
        return ChatMessage(role="assistant", blocks=[call])

    return MockFunctionCallingLLM(response_generator=respond)


async def main() -> None:
    async with launch(tempfile.mkdtemp()) as server, Workspace(server) as workspace:
        tools = notebook_tools(workspace, toolsets=["notebook", "cell", "run"])
        agent = FunctionAgent(tools=tools, llm=model(), system_prompt=INSTRUCTIONS, streaming=False)
        handler = agent.run("Plot the first squares.")
        async for event in handler.stream_events():
            if isinstance(event, ToolCallResult):
                kinds = [block.block_type for block in event.tool_output.blocks]
                print(f"{event.tool_name}: {event.tool_output.content} ({', '.join(kinds)})")
        print(await handler)


if __name__ == "__main__":
    anyio.run(main)
