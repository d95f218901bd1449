"""What `sparkclean` and `python` are while pages are run: hands the command to the server.

Python runs this file with ``-IS``: nothing but the standard library, which loads in 0.02 s.
"""

import array
import json
import os
import socket
import sys
import tempfile

#: Where the server listens, and the Python that runs what it cannot.
ADDRESS = "SPARKCLEAN_DOCS_SERVER"
PYTHON = "SPARKCLEAN_DOCS_PYTHON"


def main(kind, arguments):
    """Run a command; give its exit code.

    Parameters
    ----------
    kind : {"sparkclean", "python"}
    arguments : list of str
    """
    module = "sparkclean"
    if kind == "python":
        if arguments[:1] != ["-m"] or not "".join(arguments[1:2]).startswith("sparkclean"):
            os.execv(os.environ[PYTHON], [os.environ[PYTHON], *arguments])
        module, arguments = arguments[1], arguments[2:]
    if needs_process(arguments):
        os.execv(os.environ[PYTHON], [os.environ[PYTHON], "-m", module, *arguments])
    stdin = drained() if "-" in arguments else 0
    request = {"module": module, "argv": arguments, "cwd": os.getcwd(), "env": dict(os.environ)}  # noqa: PTH109
    return ask(request, [stdin, 1, 2])


def needs_process(arguments):
    """Tell whether a command needs a session of its own, or kills its process."""
    own = any(word.split("=")[0] == "--properties-file" for word in arguments)
    return own or "SPARKCLEAN_FAULT" in os.environ


def drained():
    """Read all of stdin: what writes to it may wait for the server, too."""
    copy = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the process)
    copy.write(sys.stdin.buffer.read())
    copy.seek(0)
    return os.dup(copy.fileno())


def ask(request, streams):
    """Send a request and the streams of this process; wait for the exit code."""
    body = json.dumps(request).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ[ADDRESS])
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", streams))]
        connection.sendmsg([len(body).to_bytes(8, "big")], rights)
        connection.sendall(body)
        answer = connection.recv(64)
    if not answer:
        sys.stderr.write("the server of the documents' tests has ended\n")
        return 99
    return int(answer)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
