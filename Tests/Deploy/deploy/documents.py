"""Documents in Markdown: where their links lead, and what they say to type."""

import re


def dead_links(path):
    """The relative links of a document that lead to no file and to no heading."""
    found = []
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        if not file.exists() or anchor and anchor not in _anchors(file):
            found.append(target)
    return found


def _anchors(path):
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")
        for heading in headings}


def commands_behind(text, path):
    """The commands of the first block behind this text of a document."""
    document = path.read_text()
    return re.search(r"```\n(.*?)```", document[document.index(text):], re.DOTALL)[1]
