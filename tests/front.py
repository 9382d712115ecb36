# SPDX-License-Identifier: BSD-3-Clause
"""An nginx before Jupyter servers: prefixes, redirects, limits, TLS with our own authority."""

import datetime
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs
import trustme
from nginx import PASSED_ON, Nginx, nginx
from servers import RunningServer

HOST = "jupyter.test"
"""A name that only a forward proxy knows, and the certificates."""
USER, PASSWORD = "ada", "s3cret-of-the-proxy"


@attrs.frozen
class Front:
    """Where nginx has what, and the files that TLS needs."""

    nginx: Nginx
    ca: Path
    other_ca: Path
    client_cert: Path
    client_key: Path

    def http(self, place: str) -> str:
        """The URL of a place without TLS."""
        return f"http://127.0.0.1:{self.nginx.ports[0]}/{place}/"

    def https(self, kind: str = "good") -> str:
        """The URL of a server with a certificate of some kind."""
        number = ("good", "expired", "misnamed", "mutual").index(kind)
        return f"https://127.0.0.1:{self.nginx.ports[1 + number]}/"


@contextmanager
def front_of(folder: Path, lab: RunningServer, plain: RunningServer) -> Iterator[Front]:
    """Run an nginx before a lab and a plain server, with all of its state in a folder."""
    authority, unknown = trustme.CA(), trustme.CA()
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    certificates = {
        "good": authority.issue_cert("127.0.0.1", HOST),
        "expired": authority.issue_cert(
            "127.0.0.1", not_before=yesterday - datetime.timedelta(days=1), not_after=yesterday
        ),
        "misnamed": authority.issue_cert("other.example"),
        "mutual": authority.issue_cert("127.0.0.1"),
        "client": authority.issue_cert("ada@example.org"),
    }
    for name, certificate in certificates.items():
        certificate.private_key_pem.write_to_path(folder / f"{name}.key")
        for blob in certificate.cert_chain_pems:
            blob.write_to_path(folder / f"{name}.pem", append=True)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    unknown.cert_pem.write_to_path(folder / "other-ca.pem")
    (folder / "htpasswd").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")

    def servers(ports: Sequence[int]) -> str:
        return _places(ports, folder, lab, plain) + "".join(
            _secure(port, folder, kind, lab)
            for port, kind in zip(ports[1:], certificates, strict=False)
        )

    with nginx(folder, 5, servers) as running:
        yield Front(
            running,
            folder / "ca.pem",
            folder / "other-ca.pem",
            folder / "client.pem",
            folder / "client.key",
        )


def _places(ports: Sequence[int], folder: Path, lab: RunningServer, plain: RunningServer) -> str:
    token = f'proxy_set_header Authorization "token {lab.token}";'
    return f"""
    server {{
        listen 127.0.0.1:{ports[0]};
        location / {{ {PASSED_ON} proxy_pass {lab.url}; }}
        location /jupyter/ {{ {PASSED_ON} proxy_pass {lab.url}/; }}
        location "/team a/é/" {{ {PASSED_ON} proxy_pass {lab.url}/; }}
        location /only/lab/ {{ {PASSED_ON} proxy_pass {plain.url}/; }}
        location /files-only/ {{ {PASSED_ON} proxy_pass {plain.url}/; }}
        location /small/ {{ client_max_body_size 4k; {PASSED_ON} proxy_pass {plain.url}/; }}
        location /impatient/ {{ proxy_read_timeout 2s; {PASSED_ON} proxy_pass {lab.url}/; }}
        location /down/ {{ proxy_pass http://127.0.0.1:1/; }}
        location /old/ {{ rewrite ^/old/(.*)$ /jupyter/$1 permanent; }}
        location /older/ {{ rewrite ^/older/(.*)$ /old/$1 redirect; }}
        location /round/ {{ rewrite ^/round/(.*)$ /round/x/$1 redirect; }}
        location ~ ^/secured/(.*)$ {{ return 301 https://127.0.0.1:{ports[1]}/$1; }}
        location ~ ^/elsewhere/(.*)$ {{ return 302 http://localhost:{ports[0]}/jupyter/$1; }}
        location /sso/ {{ return 302 https://sso.example/authorize?state=abc; }}
        location /guarded/ {{
            auth_basic "team";
            auth_basic_user_file {folder}/htpasswd;
            {token} {PASSED_ON} proxy_pass {lab.url}/;
        }}
        location /guarded-again/ {{
            auth_basic "team";
            auth_basic_user_file {folder}/htpasswd;
            {PASSED_ON} proxy_pass {lab.url}/;
        }}
    }}
    """


def _secure(port: int, folder: Path, kind: str, lab: RunningServer) -> str:
    client = f"ssl_client_certificate {folder}/ca.pem; ssl_verify_client on;"
    return f"""
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/{kind}.pem;
        ssl_certificate_key {folder}/{kind}.key;
        {client if kind == "mutual" else ""}
        location / {{ {PASSED_ON} proxy_pass {lab.url}; }}
    }}
    """
