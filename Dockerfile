# SPDX-License-Identifier: BSD-3-Clause
# The MCP server over stdin and stdout, and Python with it for a private Jupyter server:
#   docker build -t jupyter-mcp-server .
#   docker run -i --rm -e JUPYTER_URL -e JUPYTER_TOKEN jupyter-mcp-server

FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY jupyter_agent_core jupyter_agent_core
COPY jupyter_mcp_server jupyter_mcp_server
# pip stays outside; it compiles what nobody may write any later
RUN python -m venv --without-pip /opt/venv \
    && python -m pip --python /opt/venv/bin/python install --no-cache-dir '.[mcp,local]'

FROM python:3.13-slim
RUN useradd --create-home --uid 1000 agent && install -d -o agent -g agent /work
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
USER 1000:1000
# where a private server has its notebooks: docker run … -v "$PWD":/work
WORKDIR /work
ENTRYPOINT ["jupyter-mcp-server"]
