"""For each rule about Dockerfiles one that breaks it, and nearly the same one that does not."""

from __future__ import annotations

HEAD = "FROM python:3.13-slim AS runtime\nWORKDIR /app\n"
TAIL = 'USER 10001:10001\nCMD ["python", "-m", "app"]\n'


def _body(bad: str, good: str) -> tuple[str, str]:
    return f"{HEAD}{bad}\n{TAIL}", f"{HEAD}{good}\n{TAIL}"


def _first(bad: str, good: str) -> tuple[str, str]:
    return f"{bad}\nWORKDIR /app\n{TAIL}", f"{good}\nWORKDIR /app\n{TAIL}"


def _end(bad: str, good: str) -> tuple[str, str]:
    return f"{HEAD}USER 10001:10001\n{bad}\n", f"{HEAD}USER 10001:10001\n{good}\n"


CASES: dict[str, tuple[str, str]] = {
    "image-untagged": _first("FROM python", "FROM python:3.13-slim"),
    "image-latest": _first("FROM python:latest", "FROM python:3.13-slim"),
    "image-misspelled": _first("FROM pyton:3.13-slim", "FROM python:3.13-slim"),
    "stage-name-twice": _first(
        "FROM python:3.13-slim AS one\nFROM python:3.13-slim AS one",
        "FROM python:3.13-slim AS one\nFROM python:3.13-slim AS two",
    ),
    "from-casing": _first("FROM python:3.13-slim as one", "FROM python:3.13-slim AS one"),
    "stage-name-casing": _first("FROM python:3.13-slim AS One", "FROM python:3.13-slim AS one"),
    "stage-name-reserved": _first(
        "FROM python:3.13-slim AS context", "FROM python:3.13-slim AS contexts"
    ),
    "from-platform": _first(
        "FROM --platform=linux/amd64 python:3.13-slim",
        "FROM --platform=$BUILDPLATFORM python:3.13-slim",
    ),
    "from-platform-redundant": _first(
        "FROM --platform=$TARGETPLATFORM python:3.13-slim", "FROM python:3.13-slim"
    ),
    "from-argument-unknown": _first(
        "ARG PYTHON=3.13\nFROM python:${PYTON}-slim", "ARG PYTHON=3.13\nFROM python:${PYTHON}-slim"
    ),
    "from-argument-hole": _first(
        "ARG PYTHON\nFROM python:${PYTHON}", "ARG PYTHON=3.13\nFROM python:${PYTHON}"
    ),
    "copy-from-unknown": _first(
        "FROM python:3.13-slim AS builder\nFROM python:3.13-slim\nCOPY --from=bulder /opt /opt",
        "FROM python:3.13-slim AS builder\nFROM python:3.13-slim\nCOPY --from=builder /opt /opt",
    ),
    "copy-from-itself": _first(
        "FROM python:3.13-slim AS a\nFROM python:3.13-slim AS b\nCOPY --from=b /opt /opt",
        "FROM python:3.13-slim AS a\nFROM python:3.13-slim AS b\nCOPY --from=a /opt /opt",
    ),
    "before-from": _first("WORKDIR /x\nFROM python:3.13-slim", "ARG X=1\nFROM python:3.13-slim"),
    "unknown-instruction": _body("RUNN true", "RUN true"),
    "maintainer": _body("MAINTAINER me@example.com", 'LABEL authors="me@example.com"'),
    "instruction-casing": _body("run true", "RUN true"),
    "undefined-variable": (
        f"ARG HOME_DIR=/srv\n{HEAD}COPY src ${{HOME_DIR}}/src\n{TAIL}",
        f"ARG HOME_DIR=/srv\n{HEAD}ARG HOME_DIR\nCOPY src ${{HOME_DIR}}/src\n{TAIL}",
    ),
    "user-root": (f"{HEAD}USER root\n", f"{HEAD}USER 10001:10001\n"),
    "user-missing": (f'{HEAD}CMD ["python"]\n', f"{HEAD}USER 10001:10001\n"),
    "user-by-name": (f"{HEAD}USER app\n", f"{HEAD}USER 10001:10001\n"),
    "healthcheck-missing": _body("RUN true", 'HEALTHCHECK CMD ["python", "-m", "app.health"]'),
    "command-twice": _end('CMD ["a"]\nCMD ["b"]', 'CMD ["b"]'),
    "entrypoint-twice": _end('ENTRYPOINT ["a"]\nENTRYPOINT ["b"]', 'ENTRYPOINT ["b"]'),
    "healthcheck-twice": _end(
        'HEALTHCHECK CMD ["a"]\nHEALTHCHECK CMD ["b"]', 'HEALTHCHECK CMD ["b"]'
    ),
    "command-by-shell": _end("CMD python -m app", 'CMD ["python", "-m", "app"]'),
    "workdir-relative": (
        f"FROM python:3.13-slim\nWORKDIR app\n{TAIL}",
        f"FROM python:3.13-slim\nWORKDIR /app\n{TAIL}",
    ),
    "expose-invalid": _body("EXPOSE 80000", "EXPOSE 8000"),
    "expose-casing": _body("EXPOSE 8000/TCP", "EXPOSE 8000/tcp"),
    "expose-ssh": _body("EXPOSE 22", "EXPOSE 2222"),
    "secret-in-image": _body("ENV API_KEY=abcdef", "ENV API_URL=abcdef"),
    "env-legacy": _body("ENV MODE production", "ENV MODE=production"),
    "env-of-itself": _body("ENV ONE=1 TWO=$ONE", "ENV ONE=1\nENV TWO=$ONE"),
    "label-key": _body('LABEL Some_Key="1"', 'LABEL some.key="1"'),
    "onbuild-forbidden": _body("ONBUILD FROM python:3.13-slim", "ONBUILD RUN true"),
    "add-for-copy": _body("ADD src /app/src", "COPY src /app/src"),
    "copy-many": _body("COPY one two /app/there", "COPY one two /app/there/"),
    "copy-whole-stage": _first(
        "FROM python:3.13-slim AS builder\nFROM python:3.13-slim\nCOPY --from=builder / /",
        "FROM python:3.13-slim AS builder\nFROM python:3.13-slim\nCOPY --from=builder /a /a",
    ),
    "copy-without-workdir": (
        f"FROM python:3.13-slim\nCOPY src src\n{TAIL}",
        f"FROM python:3.13-slim\nWORKDIR /app\nCOPY src src\n{TAIL}",
    ),
    "copy-secret": _body("COPY .env /app/", "COPY .env.example /app/"),
    "copy-junk": _body("COPY tests /app/tests", "COPY src /app/src"),
    "apt-unpinned": _body(
        "RUN apt-get install -y --no-install-recommends curl",
        "RUN apt-get install -y --no-install-recommends curl=8.5.0",
    ),
    "apt-recommends": _body(
        "RUN apt-get install -y curl=8.5.0",
        "RUN apt-get install -y --no-install-recommends curl=8.5.0",
    ),
    "apt-asks": _body(
        "RUN apt-get install --no-install-recommends curl=8.5.0",
        "RUN apt-get install -y --no-install-recommends curl=8.5.0",
    ),
    "apt-lists": _body(
        "RUN apt-get update && apt-get install -y --no-install-recommends curl=8.5.0",
        "RUN apt-get update && apt-get install -y --no-install-recommends curl=8.5.0"
        " && rm -rf /var/lib/apt/lists/*",
    ),
    "apt-tool": _body("RUN apt install -y curl", "RUN apt-get install -y curl"),
    "apt-upgrade": _body("RUN apt-get dist-upgrade -y", "RUN apt-get autoremove -y"),
    "apt-update-alone": _body(
        "RUN apt-get update",
        "RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*",
    ),
    "pip-unpinned": _body(
        "RUN pip install --no-cache-dir flask", "RUN pip install --no-cache-dir flask==3.1.0"
    ),
    "pip-cache": _body(
        "RUN pip install flask==3.1.0", "RUN pip install --no-cache-dir flask==3.1.0"
    ),
    "pip-trusted-host": _body(
        "RUN pip install --no-cache-dir --trusted-host pypi.org flask==3.1.0",
        "RUN pip install --no-cache-dir flask==3.1.0",
    ),
    "download-unchecked": _body(
        "RUN curl -k -o /x https://example.com/x", "RUN curl -o /x https://example.com/x"
    ),
    "wget-and-curl": _body(
        "RUN curl -o /x https://example.com/x && wget -q https://example.com/y",
        "RUN curl -o /x https://example.com/x && curl -o /y https://example.com/y",
    ),
    "wget-progress": _body(
        "RUN wget https://example.com/x", "RUN wget --progress=dot:giga https://example.com/x"
    ),
    "sudo": _body("RUN true && sudo touch /x", "RUN touch /x"),
    "cd-in-run": _body("RUN cd /srv && touch x", "RUN touch /srv/x"),
    "pointless-command": _body("RUN service nginx start", "RUN touch /x"),
    "useradd-large": _body("RUN useradd -u 123456 app", "RUN useradd -l -u 123456 app"),
    "pipefail": _body("RUN cat /etc/passwd | wc -l", "RUN wc -l /etc/passwd"),
    "run-consecutive": _body("RUN touch /x\nRUN touch /y", "RUN touch /x && touch /y"),
    "shell-link": _body(
        "RUN ln -sf /bin/bash /bin/sh", 'SHELL ["/bin/bash", "-o", "pipefail", "-c"]'
    ),
    "uv-not-in-venv": _body(
        "RUN uv venv /app/.venv && /app/.venv/bin/uv pip install --compile-bytecode flask==3.1.0",
        "RUN uv venv /app/.venv && uv pip install --compile-bytecode --python /app/.venv flask==3",
    ),
    "healthcheck-tool": _body(
        "HEALTHCHECK CMD curl -f http://127.0.0.1:8000/health",
        'HEALTHCHECK CMD ["python", "-m", "app.healthcheck"]',
    ),
    "healthcheck-any-status": _body(
        "RUN apt-get install -y --no-install-recommends curl=8\n"
        "HEALTHCHECK CMD curl http://127.0.0.1:8000/health",
        "RUN apt-get install -y --no-install-recommends curl=8\n"
        "HEALTHCHECK CMD curl -f http://127.0.0.1:8000/health",
    ),
    "shell-without-exec": _end(
        'CMD ["sh", "-c", "uvicorn app.main:app --port $PORT"]',
        'CMD ["sh", "-c", "exec uvicorn app.main:app --port $PORT"]',
    ),
    "declared-variable-ignored": _end(
        'ENV PORT=8000\nCMD ["uvicorn", "app.main:app", "--port", "8000"]',
        'ENV PORT=8000\nCMD ["python", "-m", "app"]',
    ),
    "bytecode-missing": _body(
        "RUN uv sync --frozen --no-dev", "ENV UV_COMPILE_BYTECODE=1\nRUN uv sync --frozen --no-dev"
    ),
}
"""Rules that need files beside the Dockerfile are in test_lint_files.py."""
