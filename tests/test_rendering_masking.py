# SPDX-License-Identifier: BSD-3-Clause
"""What looks like a secret, and what only has its name."""

import pytest
from rendered import cell, result, texts, view

from jupyter_agent_core import DisplayOutput, ErrorOutput, StreamOutput
from jupyter_agent_core._answers import CodeRun, RunWaited
from jupyter_agent_core._output_cursor import end_of, position_of
from jupyter_agent_core._workspace.search import matching_lines
from jupyter_agent_core.rendering import Settings, render
from jupyter_agent_core.rendering.masking import masked

WISHED = Settings(mask_secrets=True)


SECRETS = {
    "OPENAI": "sk-proj-" + "aB3" * 16,
    "GITHUB": "ghp_" + "x1Y2" * 9,
    "AWS": "AKIAIOSFODNN7EXAMPLE",
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijklmnop",
    "KEY": "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----",
    "HF": "hf_" + "a" * 34,
    "SendGrid": "SG." + "aB3-" * 6 + "." + "x_Y9" * 11,
    "Google": "ya29." + "a0AfB_" * 8,
    "Databricks": "dapi" + "0123456789abcdef" * 2,
    "Slack app": "xapp-1-A0123456-0123456789-" + "abcdef01" * 8,
    "key that does not end": "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEabcd" * 8,
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_a_likely_secret_is_masked_if_that_is_wished(secret: str) -> None:
    printed = StreamOutput("stdout", f"value {secret} end\n")
    assert secret not in str(render(CodeRun(result(printed)), WISHED))
    assert "[masked: " in str(render(CodeRun(result(printed)), WISHED))
    assert secret in texts(CodeRun(result(printed)))[0]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password = 'hunter2hunter2'", "password = '[masked: secret, 14 characters]'"),
        ('{"api_key": "0123456789abc"}', '{"api_key": "[masked: secret, 13 characters]"}'),
        (
            "Authorization: Bearer abcdefghijkl",
            "Authorization: Bearer [masked: secret, 12 characters]",
        ),
        ("postgres://me:secret@db/x", "postgres://me:[masked: secret, 6 characters]@db/x"),
        ("postgres://u:p@ss@host/db", "postgres://u:[masked: secret, 4 characters]@host/db"),
        ("DB_PASSWORD=verysecret123", "DB_PASSWORD=[masked: secret, 13 characters]"),
        ("password: hunter2", "password: [masked: secret, 7 characters]"),
        ("pwd=hunter2;", "pwd=[masked: secret, 7 characters];"),
        ("password = 'two words'", "password = '[masked: secret, 9 characters]'"),
        ('passphrase: "it\'s mine"', 'passphrase: "[masked: secret, 9 characters]"'),
        ('{\\"secret\\": \\"hunter2\\"}', '{\\"secret\\": \\"[masked: secret, 7 characters]\\"}'),
        (
            "AccountName=me;AccountKey=aB3/aB3+aB3=;EndpointSuffix=x",
            "AccountName=me;AccountKey=[masked: secret, 12 characters];EndpointSuffix=x",
        ),
        ("accessToken: 0123456789abc", "accessToken: [masked: secret, 13 characters]"),
        ("SECRET_KEY => 'abc-def'", "SECRET_KEY => '[masked: secret, 7 characters]'"),
        ("run --password hunter2 now", "run --password [masked: secret, 7 characters] now"),
    ],
)
def test_what_is_called_a_secret_is_masked(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "tokens: 1,234",
        "the password is short",
        "id 0f9b7a1c4a554c5e",
        "http://a.b/c:d",
        "http://localhost:8888/a@b",
        "tokens = tokenizer.encode(text)",
        "max_tokens=123456789",
        'tokenizer = AutoTokenizer.from_pretrained("bert-base-uncased")',
        "token = get_token_from(request)",
        "api_key = os.environ['OPENAI_API_KEY']",
        "client(api_key=api_key, token=self.token)",
        "def login(password: str, token: str | None = None): ...",
        "password = None",
        "password: ********",
        "password=$DB_PASSWORD",
        "pad_token='<|endoftext|>'",
        "unk_token: [UNK]",
        "next_token: hello",
        "PWD=/home/me/work",
        "secret_santa = 'everybody'",
        "token_count: 1234567890",
        "-----BEGIN CERTIFICATE-----",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert masked(text) == text


def test_of_a_private_key_that_does_not_end_no_more_than_the_key_is_masked() -> None:
    text = "-----BEGIN PRIVATE KEY-----\n" + ("MIIEabcd" * 8 + "\n") * 3 + "and then\n"
    assert masked(text).endswith("characters]\nand then\n")
    assert "MIIE" not in masked(text)


BODY = "MIIEabcd" * 8
KEY = f"-----BEGIN EC PRIVATE KEY-----\n{BODY}\n{BODY}\nabcd==\n-----END EC PRIVATE KEY-----"


def test_lines_are_the_same_with_and_without_a_mask() -> None:
    text = f"before\n{KEY}\nafter"
    assert masked(text).split("\n").index("after") == text.split("\n").index("after")


async def test_a_search_shows_no_line_of_a_private_key() -> None:
    outputs = (StreamOutput("stdout", f"before\n{KEY}\nafter\n"),)
    cells = [cell(0, "print(key)", outputs=outputs)]
    assert await matching_lines(cells, "MIIE", regex=False, in_outputs=True) == ()
    (after,) = await matching_lines(cells, "after", regex=False, in_outputs=True)
    assert after.line == 8


def test_a_look_at_a_run_that_is_within_a_private_key_shows_nothing_of_it() -> None:
    written = f"before\n{KEY}\nafter\n"
    for end in range(len(written)):
        seen = (StreamOutput("stdout", written[:end]),)
        run = result(StreamOutput("stdout", written))
        start = position_of(run.outputs, end_of(seen))
        assert start is not None
        shown = "".join(texts(RunWaited(run, "", run.outputs, start), WISHED))
        assert "after" in shown
        assert "abcd" not in shown


def table(*rows: list[str]) -> DisplayOutput:
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows[1:])
    head = "".join(f"<th>{name}</th>" for name in rows[0])
    html = f'<table class="dataframe"><tr>{head}</tr>{lines}</table>'
    return DisplayOutput({"text/html": html, "text/plain": "a table"})


def test_secrets_in_a_column_that_is_named_so_are_masked() -> None:
    output = table(["user", "password", "age"], ["me", "hunter2", "41"], ["you", "", "14"])
    shown = texts(CodeRun(result(output)), WISHED)[0]
    assert "| me | [masked: secret, 7 characters] | 41 |" in shown
    assert "| you |  | 14 |" in shown
    assert "| user | password | age |" in shown
    assert "hunter2" in texts(CodeRun(result(output)))[0]


def test_secrets_beside_a_cell_that_names_them_are_masked() -> None:
    output = table(["name", "value"], ["api_key", "abc-def-ghi"], ["user", "me"])
    shown = texts(CodeRun(result(output)), WISHED)[0]
    assert "| api_key | [masked: secret, 11 characters] |" in shown
    assert "| user | me |" in shown


def test_a_secret_in_the_error_of_an_outline_is_masked() -> None:
    message = "x" * 80 + " password: hunter2hunter2"
    failed = cell(0, "login()", outputs=(ErrorOutput("E", message, ()),))
    outline = texts(view(failed, response_format="outline"), WISHED)[0]
    assert "hunter" not in outline
    assert "password: [masked" in outline
