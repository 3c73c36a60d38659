# SPDX-License-Identifier: GPL-2.0-or-later
"""What a page of documentation tells its reader to type, and what it shows.

page.py blocks PAGE FOLDER      N.sh for every block of commands, N.want for what the page shows after it
page.py compare WANT GOT        are its lines there, in this order?  Loosely: see alike()
page.py person COMMAND...       runs it at a terminal of a person who leaves every shell

A page is Markdown (``` sh blocks, and text blocks after them) or mdoc (literal displays and .Dl lines of EXAMPLES; where lines begin
with "# " those are the commands and the others are shown; a display that is a config.json is run).
"""
import os
import pty
import re
import select
import sys
import time


def markdown(text):
    blocks = []
    for kind, body in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S):
        if kind == "sh":
            blocks.append([body, ""])
        elif kind == "text" and blocks:
            blocks[-1][1] += body
    return blocks


def mdoc(text):
    found = re.search(r"^\.Sh EXAMPLES\n(.*?)(?=^\.Sh )", text, re.M | re.S)
    blocks, body = [], None
    for line in found.group(1).splitlines() if found else []:
        if line.startswith(".Bd"):
            body = ""
        elif line == ".Ed":
            blocks.append([bundle(body), ""] if body.startswith("{") else parts(body))
            body = None
        elif body is not None:
            body += plain(line) + "\n"
        elif line.startswith(".Dl "):
            blocks.append([plain(line[4:].strip('"')) + "\n", ""])
    return blocks


def bundle(config):
    """A config.json: what its reader would do with it."""
    return f"""mkdir -p web/www && cp -a /srv/root web/rootfs
cat >web/config.json <<'END'
{config}END
holm lint web/config.json
holm run --detach --bundle web web
holm exec web true
holm delete --force web
"""


def plain(line):
    return line.replace("\\e", "\\").replace("\\-", "-").replace("\\&", "").replace('""', '"')


def parts(body):
    if not re.search(r"^# ", body, re.M):
        return [body, ""]
    commands, shown, goes_on = "", "", False
    for line in body.splitlines():
        if line.startswith("# ") or goes_on:
            commands += (line if goes_on else line[2:]) + "\n"
            goes_on = line.endswith("\\")
        else:
            shown += line + "\n"
    return [commands, shown]


def alike(want, got):
    """Numbers are any numbers, blanks any blanks, "..." anything."""
    def even(line):
        return re.sub(r"[0-9]+", "0", " ".join(line.split()))
    pattern = ".*".join(re.escape(part) for part in even(want).replace(" ...", "...").replace("... ", "...").split("..."))
    return re.fullmatch(pattern, even(got)) is not None


def compare(want, got):
    got = iter(got)
    for line in want:
        if line.strip() and not any(alike(line, other) for other in got):
            return line
    return None


def person(argv):
    pid, fd = pty.fork()
    if not pid:
        os.execvp(argv[0], argv)
    typed = time.monotonic()
    while True:
        try:
            if select.select([fd], [], [], 0.2)[0]:
                os.write(1, os.read(fd, 65536))
            if time.monotonic() - typed > 1:
                typed = time.monotonic()
                os.write(fd, b"exit\r")
        except OSError:
            break
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main(verb, *arguments):
    if verb == "person":
        return person(arguments)
    with open(arguments[0]) as file:
        text = file.read()
    if verb == "compare":
        with open(arguments[1], errors="replace") as file:
            missing = compare(text.splitlines(), file.read().splitlines())
        if missing is not None:
            print("not there, or not in this order: " + missing)
        return missing is not None
    for i, (commands, shown) in enumerate(markdown(text) if arguments[0].endswith(".md") else mdoc(text)):
        with open(f"{arguments[1]}/{i + 1:02}.sh", "w") as file:
            file.write(commands)
        with open(f"{arguments[1]}/{i + 1:02}.want", "w") as file:
            file.write(shown)
    return 0


sys.exit(main(*sys.argv[1:]))
