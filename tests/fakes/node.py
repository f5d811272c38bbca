#!/usr/bin/env python3
"""The independent clients of tests/node: installs them once, and starts programs of that folder with their node.

As a module: run("send_hl7.js", …) is subprocess.run with its text output; start(…) is Popen with pipes. missing() says why
they cannot be had: only a registry that cannot be reached is a reason to leave them out, anything else an error.
"""
import functools
import os
import re
import subprocess

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "node")


@functools.cache
def node():
    """The path of the node that runs them; installs on first use."""
    return subprocess.run([os.path.join(HERE, "install")], check=True, capture_output=True, text=True, timeout=300).stdout.strip()


@functools.cache
def missing():
    """Why there are no clients here; "" when there are."""
    try:
        node()
    except subprocess.CalledProcessError as e:
        said = re.search(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|E40[13]|E50[0-9]|"
                         r"UNABLE_TO_\w+|SELF_SIGNED\w+|CERT_\w+", e.stdout + e.stderr)
        if not said:
            raise RuntimeError(e.stdout + e.stderr) from e
        return "no registry of npm can be reached: " + said.group(0)
    except subprocess.TimeoutExpired:
        return "no registry of npm answers in time"
    return ""


def _command(program, args):
    return [node(), os.path.join(HERE, program), *map(str, args)]


def _environment():
    modules = os.path.dirname(os.path.dirname(os.path.dirname(node())))
    return {**os.environ, "NODE_PATH": modules, "NODE_OPTIONS": "", "TZ": "Europe/Amsterdam"}


def run(program, *args, timeout=120, **more):
    return subprocess.run(_command(program, args), env=_environment(), capture_output=True, text=True, timeout=timeout, **more)


def start(program, *args, **more):
    return subprocess.Popen(_command(program, args), env=_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **more)


if __name__ == "__main__":
    print(node())
